//! The producer's properties, from the settings.

use pgcdc_kafka::ClientProperties;

use super::error::kafka_error;
use crate::config::Settings;
use crate::{Error, Result};

/// The producer's properties, checked.
pub(super) fn client_properties(settings: &Settings) -> Result<ClientProperties> {
    if !settings.producer.contains_key("bootstrap.servers") {
        return Err(Error::configuration("bootstrap.servers is not set").with_hint(
            "give --bootstrap-servers HOST:PORT, or set bootstrap.servers (or producer.bootstrap.servers) in the file",
        ));
    }
    // Unknown ones were named when the configuration was read.
    let (mut properties, _) = ClientProperties::parse_known(settings.producer.iter()).map_err(kafka_error)?;
    match &settings.exactly_once {
        Some(on) => {
            properties.set("transactional.id", &on.transactional_id);
            properties.set("transaction.timeout.ms", &on.timeout.as_millis().to_string());
        }
        // A producer that has one sends nothing outside of transactions.
        None => {
            properties.remove("transactional.id");
        }
    }
    Ok(properties)
}
