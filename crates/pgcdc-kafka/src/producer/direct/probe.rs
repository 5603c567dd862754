//! Finds mistakes of the security properties within seconds. librdkafka, which topics and offsets are asked by, does not tell a
//! wrong password or certificate from brokers that are away.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::connection::{Profile, probe};
use super::handshake::Broken;
use super::options::bootstrap;
use crate::security::{self, Security};
use crate::{ClientProperties, Result};

/// How often the brokers may hang up as if `security.protocol` were wrong, before it is taken to be.
const TRIES: u32 = 5;
/// The pause after the first of them; it grows by as much each time.
const PAUSE: Duration = Duration::from_millis(300);

/// Connects to one of `bootstrap.servers` and logs in, and hangs up. Call it before a client of librdkafka's. A broker that hangs
/// up is taken to be away once any broker has let the client in.
///
/// # Errors
/// When a broker refuses the client, or the client the broker, for a reason that time does not mend. A broker that is away is not an
/// error here.
pub async fn check(properties: &ClientProperties) -> Result<()> {
    if security::why_not(properties).is_some() {
        return Ok(());
    }
    let security = Security::new(properties)?;
    let profile = Profile { client_id: properties.get("client.id").unwrap_or("pgcdc").to_owned(), security };
    let addresses = bootstrap(properties);
    for tries in 1..=TRIES {
        let mut doubt = None;
        for address in &addresses {
            match probe(address, &profile).await {
                Ok(()) => {
                    properties.let_in().store(true, Ordering::Relaxed);
                    return Ok(());
                }
                Err(Broken::Refused(error)) => return Err(error),
                Err(Broken::Network(error)) => {
                    tracing::debug!(broker = address, %error, "no connection to a Kafka broker");
                }
                Err(Broken::Doubtful(error)) => doubt = Some(error),
            }
        }
        match doubt {
            Some(error) if tries == TRIES && !properties.was_let_in() => return Err(error),
            Some(_) if !properties.was_let_in() => tokio::time::sleep(PAUSE * tries).await,
            // Every broker is away, or hangs up though the properties are right: waiting is another's task.
            _ => return Ok(()),
        }
    }
    Ok(())
}
