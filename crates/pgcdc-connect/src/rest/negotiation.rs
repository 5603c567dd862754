//! Who may ask, and which types a request sends and takes.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::{Access, Fault};

/// Refuses a request that does not say who asks, where that is needed.
pub(super) async fn authorized(access: Arc<Access>, request: Request, next: Next) -> Response {
    if access.allows(request.headers()) {
        return next.run(request).await;
    }
    let mut response = Fault::new(401, "User cannot access the resource.").into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(access.challenge()));
    response
}

/// Refuses a body that is not JSON, and a client that does not take JSON.
pub(super) async fn types(request: Request, next: Next) -> Response {
    let headers = request.headers();
    if has_body(headers) && !text(headers, &CONTENT_TYPE).is_some_and(is_json) {
        return Fault::http(StatusCode::UNSUPPORTED_MEDIA_TYPE).into_response();
    }
    let options = request.method() == Method::OPTIONS;
    if !options && !text(headers, &ACCEPT).is_none_or(|accept| accept.split(',').any(takes_json)) {
        return Fault::http(StatusCode::NOT_ACCEPTABLE).into_response();
    }
    next.run(request).await
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = text(headers, &CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    length.is_some_and(|length| length > 0) || headers.contains_key(TRANSFER_ENCODING)
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The media type without its parameters.
fn essence(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}

fn is_json(text: &str) -> bool {
    essence(text).eq_ignore_ascii_case("application/json")
}

fn takes_json(range: &str) -> bool {
    ["application/json", "application/*", "*/*", "*", ""]
        .iter()
        .any(|it| essence(range).eq_ignore_ascii_case(it))
}
