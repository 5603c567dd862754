//! The form of a path: what Connect's HTTP server refuses, and slashes at the end, which it does not mind.

use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Refuses ambiguous paths, as they could be read in two ways; takes a slash away from the end of all others.
pub(super) async fn check(mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if let Some(why) = ambiguous(path) {
        return (StatusCode::BAD_REQUEST, [("content-type", "text/html;charset=iso-8859-1")], page(why))
            .into_response();
    }
    if path.len() > 1
        && let Some(shorter) = path.strip_suffix('/')
    {
        let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
        match format!("{shorter}{query}").parse::<Uri>() {
            Ok(uri) => *request.uri_mut() = uri,
            Err(_) => return crate::Fault::http(StatusCode::NOT_FOUND).into_response(),
        }
    }
    next.run(request).await
}

/// Why a path is ambiguous.
fn ambiguous(path: &str) -> Option<&'static str> {
    let upper = path.to_ascii_uppercase();
    if path.contains("//") {
        Some("Ambiguous URI empty segment")
    } else if upper.contains("%2F") {
        Some("Ambiguous URI path separator")
    } else if upper.contains("%25") {
        Some("Ambiguous URI path encoding")
    } else {
        None
    }
}

fn page(why: &str) -> String {
    format!(
        "<html>\n<head>\n<title>Error 400 {why}</title>\n</head>\n<body>\n<h2>HTTP ERROR 400 {why}</h2>\n</body>\n</html>\n"
    )
}
