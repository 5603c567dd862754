//! How the database is reached: `database.*`, from a registration or from a URL.
//!
//! URL and registration differ in one thing. A URL means what it means to libpq, which checks the
//! server's certificate whenever a file of root certificates exists. A registration means what it
//! means to pgjdbc, Debezium's driver, which checks it with `verify-ca` and `verify-full` only.

mod resolve;
mod server;
mod ssl;

pub(super) use resolve::resolve;
pub use server::{ChannelBinding, Chosen, Connection, Host, KeepAlive, TargetServer};
pub use ssl::{Ssl, SslMode, SslNegotiation, TlsVersion, Verify};
