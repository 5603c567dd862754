//! `/connector-plugins`.

use axum::extract::{Path, Query, State};
use serde_json::{Value, json};

use super::body::Body;
use super::{Answer, Reply, Shared};
use crate::Fault;
use crate::plugins::{self, Kind};

/// The connectors; with `?connectorsOnly=false` all classes.
pub(super) async fn list(Query(query): Query<Vec<(String, String)>>) -> Answer {
    let only = query.iter().find(|(key, _)| key == "connectorsOnly").map(|(_, value)| value.as_str());
    let connectors = only.is_none_or(|word| word.eq_ignore_ascii_case("true"));
    let shown: Vec<Value> = plugins::all()
        .filter(|(kind, _)| !connectors || kind.is_connector())
        .map(|(kind, class)| plugins::shown(kind, class))
        .collect();
    Reply::ok(json!(shown))
}

/// The definitions of a class's properties: the connector's own, then Connect's. We know none of the other classes'.
pub(super) async fn config(Path(class): Path<String>) -> Answer {
    let (kind, _) =
        plugins::find(&class).ok_or_else(|| Fault::not_found(format!("Unknown plugin {class}.")))?;
    let mut shown: Vec<Value> = Vec::new();
    if kind == Kind::Source {
        for section in [plugins::Section::Connector, plugins::Section::Connect] {
            let of = plugins::definitions().iter().filter(|definition| definition.section == section);
            shown.extend(of.map(plugins::Definition::to_json));
        }
    }
    Reply::ok(json!(shown))
}

/// Checks a configuration.
pub(super) async fn validate(State(worker): Shared, Path(class): Path<String>, body: Body) -> Answer {
    let config = body.config()?;
    if let Some(given) = config.get("connector.class")
        && given != class
        && plugins::connector(given).is_none_or(|(_, full)| !plugins::is_named(full, &class))
    {
        let message = format!("Included connector type {given} does not match request type {class}");
        return Err(Fault::bad(message));
    }
    let validation = worker.validate(&config).await.map_err(|fault| {
        // Connect fails to answer here.
        let java = "org.apache.kafka.connect.runtime.rest.errors.BadRequestException: ";
        Fault::internal(format!("{java}{}", fault.message))
    })?;
    Reply::ok(validation.to_json())
}
