//! Whether the brokers answer, and whether missing topics can be made.

use std::net::ToSocketAddrs;

use pgcdc_kafka::{ClientProperties, topics};

use super::error::kafka_error;
use super::properties::client_properties;
use super::topic_spec::topic_spec;
use crate::config::Settings;
use crate::preflight::Finding;

/// Asks the brokers for the topics with these names. Makes none.
pub(crate) async fn check(settings: &Settings, names: &[String], findings: &mut Vec<Finding>) {
    if !settings.producer.contains_key("bootstrap.servers") {
        findings.push(Finding::warning(
            "kafka",
            "bootstrap.servers is not set: only --stdout can be used",
            "give --bootstrap-servers HOST:PORT, or set bootstrap.servers (or producer.bootstrap.servers) in the file",
        ));
        return;
    }
    let properties = match client_properties(settings) {
        Ok(properties) => properties,
        Err(error) => {
            findings.push(Finding::failure("kafka", &error));
            return;
        }
    };
    let servers = settings.producer.get("bootstrap.servers").cloned().unwrap_or_default();
    if !servers.split(',').any(|server| reachable(server.trim())) {
        findings.push(Finding::error(
            "kafka",
            format!("no broker answers at {servers}"),
            "check bootstrap.servers, and that the brokers are up",
        ));
        return;
    }
    for name in names {
        let subject = format!("topic {name}");
        match topics::describe(&properties, name).await {
            Ok(Some(found)) => findings.push(Finding::ok(
                subject,
                format!("{} partitions, replication factor {}", found.partitions, found.replication_factor),
            )),
            Ok(None) => findings.push(creatable(settings, &properties, name, subject).await),
            Err(error) => findings.push(Finding::failure(&subject, &kafka_error(error))),
        }
    }
    if names.is_empty() {
        findings.push(Finding::ok("kafka", format!("answers at {servers}")));
    }
}

/// Asks the brokers whether they would make the topic, without making it.
async fn creatable(
    settings: &Settings,
    properties: &ClientProperties,
    name: &str,
    subject: String,
) -> Finding {
    let spec = topic_spec(settings.topic.creation.as_ref(), name);
    match topics::validate(properties, &spec).await {
        Ok(()) => Finding::ok(subject, "does not exist; it is made with the table's first record"),
        Err(error) => {
            let mut finding = Finding::failure(&subject, &kafka_error(error));
            let group =
                settings.topic.creation.as_ref().map_or("default", |creation| &creation.of(name).name);
            let properties = format!(
                "set topic.creation.{group}.partitions and topic.creation.{group}.replication.factor, or make the topic beforehand"
            );
            finding.remedy = Some(match finding.remedy {
                Some(cause) => format!("{cause}\n{properties}"),
                None => properties,
            });
            finding
        }
    }
}

fn reachable(server: &str) -> bool {
    let address = server.rsplit_once("://").map_or(server, |(_, address)| address);
    let Ok(addresses) = address.to_socket_addrs() else { return false };
    addresses.into_iter().any(|address| {
        std::net::TcpStream::connect_timeout(&address, std::time::Duration::from_secs(3)).is_ok()
    })
}
