//! Finds mistakes of the security properties within seconds. Topics and offsets go through librdkafka, which reports a wrong
//! password or certificate as brokers that are away.

use std::time::{Duration, Instant};

use super::connection::{Profile, probe};
use super::failure::warn_of_refusal;
use super::handshake::Broken;
use super::options::{bootstrap, keepalive};
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
/// When a broker refuses the client, or the client the broker, for a reason that time does not mend. After a client with the same
/// properties was let in, that is a warning for some minutes. A broker that is away is not an error here.
pub async fn check(properties: &ClientProperties) -> Result<()> {
    if security::why_not(properties).is_some() {
        return Ok(());
    }
    let security = Security::new(properties)?;
    let client_id = properties.get("client.id").unwrap_or("pgcdc").to_owned();
    let profile = Profile { client_id, security, keepalive: keepalive(properties) };
    let addresses = bootstrap(properties);
    for tries in 1..=TRIES {
        let mut doubt = None;
        for address in &addresses {
            match probe(address, &profile).await {
                Ok(()) => {
                    properties.let_in().note();
                    return Ok(());
                }
                Err(Broken::Refused(error) | Broken::NoLogin(error)) => {
                    if !properties.let_in().bears_refusal(Instant::now()) {
                        return Err(error);
                    }
                    warn_of_refusal(address, &error);
                }
                Err(Broken::Network(error)) => {
                    tracing::debug!(broker = address, %error, "no connection to a Kafka broker");
                }
                Err(Broken::Doubtful(error)) => doubt = Some(error),
            }
        }
        // Every broker is away, or hangs up although the properties are right: the caller's client waits for the brokers.
        let Some(error) = doubt.filter(|_| !properties.let_in().ever()) else { return Ok(()) };
        if tries == TRIES {
            return Err(error);
        }
        tokio::time::sleep(PAUSE * tries).await;
    }
    Ok(())
}
