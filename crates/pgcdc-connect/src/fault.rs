//! An answer that is an error, as Connect gives it: a status and `{"error_code":…,"message":…}`.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// What Jackson says of every place.
const PLACE: &str =
    "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 1]";

/// A request that cannot be done: the status and the message of the answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// The HTTP status, also `error_code` in the body.
    pub code: u16,
    /// What is wrong.
    pub message: String,
    /// Connect's HTTP server gives some errors without a content type.
    plain: bool,
}

impl Fault {
    /// An error with a JSON body.
    #[must_use]
    pub fn new(code: u16, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), plain: false }
    }

    /// 400.
    #[must_use]
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// 404.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, message)
    }

    /// 500: the body is not what the request needs, or the worker cannot do it.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, message)
    }

    /// What the HTTP layer refuses: `HTTP 405 Method Not Allowed` and the like.
    pub(crate) fn http(status: StatusCode) -> Self {
        let message = format!("HTTP {} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
        Self { plain: true, ..Self::new(status.as_u16(), message) }
    }

    /// A value of a configuration that is a list or an object.
    pub(crate) fn not_a_text(key: &str, kind: &str, token: &str) -> Self {
        Self::internal(format!(
            "Cannot deserialize value of type `java.lang.String` from {kind} value (token `JsonToken.{token}`): property {key:?} must be a text"
        ))
    }

    /// A body of the wrong kind of JSON, in Jackson's words. `class` is the Java class that it wants.
    pub(crate) fn unexpected(class: &str, body: &serde_json::Value) -> Self {
        use serde_json::Value;
        let construct = |kind: &str, from: &str, shown: &str| {
            format!(
                "Cannot construct instance of `{class}` (although at least one Creator exists): no {kind}-argument constructor/factory method to deserialize from {from} value ({shown}){PLACE}"
            )
        };
        Self::internal(match body {
            Value::Array(_) => format!(
                "Cannot deserialize value of type `{class}` from Array value (token `JsonToken.START_ARRAY`){PLACE}"
            ),
            Value::String(text) => construct("String", "String", &format!("'{text}'")),
            Value::Bool(yes) => construct("boolean/Boolean", "Boolean", &yes.to_string()),
            Value::Number(number) => construct("int/Int", "Number", &number.to_string()),
            Value::Null | Value::Object(_) => format!("the body is not a `{class}`"),
        })
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let body = json!({"error_code": self.code, "message": self.message}).to_string();
        let status = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.remove(axum::http::header::CONTENT_TYPE);
        if !self.plain {
            headers.insert(
                axum::http::header::CONTENT_TYPE,
                axum::http::HeaderValue::from_static("application/json"),
            );
        }
        response
    }
}
