//! `pgcdc serve` in Kafka Connect's place.

mod access;
mod lifecycle;
mod pipeline;
mod worker;
