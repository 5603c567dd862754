//! Checks that the schema registries answer, where Avro is written.

use pgcdc_format::envelope::Half;

use super::Finding;
use crate::config::Settings;
use crate::registry::Registries;

/// Asks each half's registry once. A half that is not written as Avro has no finding.
pub(super) async fn registries(settings: &Settings, findings: &mut Vec<Finding>) {
    let mut registries = match Registries::new(settings) {
        Ok(registries) => registries,
        Err(error) => return findings.push(Finding::failure("schema registry", &error)),
    };
    for (half, subject) in
        [(Half::Key, "schema registry of keys"), (Half::Value, "schema registry of values")]
    {
        match registries.ask(half).await {
            Ok(Some(at)) => findings.push(Finding::ok(subject, format!("answers at {at}"))),
            Ok(None) => {}
            Err(error) => findings.push(Finding::failure(subject, &error)),
        }
    }
}
