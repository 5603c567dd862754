//! The body of a request: JSON, or nothing.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use serde_json::{Map, Value};

use crate::Fault;

/// The JSON of a request; null for an empty body.
pub(super) struct Body(pub(super) Value);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let bytes = Bytes::from_request(request, state).await.map_err(|error| unreadable(&error))?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(Value::Null));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            // The error's text quotes nothing of the body but a single character.
            Fault::internal(format!("The body is not JSON: {error}"))
        })
    }
}

fn unreadable(error: &BytesRejection) -> Fault {
    let status = error.status();
    Fault::new(
        status.as_u16(),
        format!("HTTP {} {}", status.as_u16(), status.canonical_reason().unwrap_or_default()),
    )
}

impl Body {
    /// The members of an object. `class` is the Java class that Connect reads; `null` is its error for no body.
    pub(super) fn object(self, class: &str, null: &str) -> Result<Map<String, Value>, Fault> {
        match self.0 {
            Value::Object(members) => Ok(members),
            Value::Null => Err(Fault::internal(null)),
            other => Err(Fault::unexpected(class, &other)),
        }
    }

    /// The members of a configuration.
    pub(super) fn config(self) -> Result<crate::Config, Fault> {
        let null = "Cannot invoke \"java.util.Map.get(Object)\" because \"connectorConfig\" is null";
        crate::Config::from_json(self.object(MAP, null)?)
    }
}

/// Java's class of a configuration.
pub(super) const MAP: &str = "java.util.LinkedHashMap<java.lang.String,java.lang.String>";

/// Refuses members that Connect's class does not have.
pub(super) fn known(members: &Map<String, Value>, class: &str, names: &[&str]) -> Result<(), Fault> {
    let Some(unknown) = members.keys().find(|name| !names.contains(&name.as_str())) else { return Ok(()) };
    let count = match names.len() {
        1 => "one known property".to_owned(),
        count => format!("{count} known properties"),
    };
    let listed: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    Err(Fault::internal(format!(
        "Unrecognized field \"{unknown}\" (class {class}), not marked as ignorable ({count}: {})",
        listed.join(", ")
    )))
}

/// A text, a number or a boolean as a text; `None` for null.
pub(super) fn scalar(key: &str, value: Option<Value>) -> Result<Option<String>, Fault> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Array(_)) => Err(Fault::not_a_text(key, "Array", "START_ARRAY")),
        Some(Value::Object(_)) => Err(Fault::not_a_text(key, "Object", "START_OBJECT")),
        Some(other) => Ok(Some(other.to_string())),
    }
}
