//! The REST interface against recorded answers of Kafka Connect 4.3.1 with Debezium 3.7.0, and against input that makes no
//! sense. In this process, without Postgres and Kafka: the engine is a scripted one.

mod recording;
mod replay;
mod script;
mod strange;
