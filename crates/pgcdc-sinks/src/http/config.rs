//! Keys of a `type = "http"` sink.

use std::time::Duration;

use pgcdc_config::Section;
use pgcdc_event::Secret;
use reqwest::{Method, Url};

use super::verdict::Statuses;
use crate::store::{Key, key};
use crate::tls::{TLS, Tls};

/// Keys of `type = "http"`.
pub(crate) const KEYS: &[Key] = &[
    key("url", "secret", "required", "Endpoint, http:// or https://."),
    key("method", "text", "POST", "`POST`, `PUT` or `PATCH`."),
    key("timeout", "duration", "10s", "How long one request may take, connecting included."),
    key("headers", "table", "", "Headers of every request, as name = \"value\"."),
    TLS,
    key(
        "retry_status",
        "numbers",
        "",
        "Statuses, 300 to 599, that are waited for although they would send the record to the dead letters (400, 409, 410, 413, 414, 415, 422).",
    ),
    key(
        "reject_status",
        "numbers",
        "",
        "Statuses, 300 to 599, that send the record to the dead letters although they would be waited for.",
    ),
];

/// What the file says of an HTTP sink.
///
/// ```toml
/// [[sink]]
/// name = "api"
/// type = "http"
/// topics = ["shop.public.users"]
/// url = "https://api.example.com/changes"
/// headers = { Authorization = "Bearer ${env:TOKEN}" }
/// retry_status = [409]
/// ```
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// `url`. A secret, since it may hold a password or a token.
    pub url: Secret,
    /// `method`: `POST` (default), `PUT` or `PATCH`.
    pub method: Method,
    /// `timeout` of one request, connecting included (default: 10 s).
    pub timeout: Duration,
    /// `headers`: added to every request.
    pub headers: Vec<(String, Secret)>,
    /// `tls`: the authority and the certificate for `https://` (default: the system's authorities, and none).
    pub tls: Option<Tls>,
    /// `retry_status` and `reject_status`: statuses that are to be waited for, or that send the record to the dead letters,
    /// against the defaults.
    pub statuses: Statuses,
}

impl HttpConfig {
    /// Reads the keys of a `[[sink]]`; `None` when a required one is missing. Mistakes are noted in the section.
    pub(crate) fn parse(section: &mut Section<'_, '_>) -> Option<Self> {
        let url = section.text("url");
        if let Some(text) = &url {
            let valid =
                Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            if !valid {
                section.mistake_at("url", "\"url\" is not of the form http://host:port/path or https://…");
            }
        }
        let method = section.optional_text("method").and_then(|text| match text.as_str() {
            "POST" => Some(Method::POST),
            "PUT" => Some(Method::PUT),
            "PATCH" => Some(Method::PATCH),
            other => {
                section
                    .mistake_at("method", &format!("\"method\" must be POST, PUT or PATCH, not {other:?}"));
                None
            }
        });
        let timeout = section.optional_duration("timeout");
        let mut headers = Vec::new();
        match section.raw("headers") {
            None => {}
            Some(toml::Value::Table(table)) => {
                for (name, value) in table {
                    let valid = reqwest::header::HeaderName::try_from(name).is_ok();
                    match value
                        .as_str()
                        .filter(|text| valid && reqwest::header::HeaderValue::try_from(*text).is_ok())
                    {
                        Some(text) => headers.push((name.clone(), Secret::new(text))),
                        None => section.mistake_at(
                            "headers",
                            &format!("\"headers\": {name:?} is not a header with a text as value"),
                        ),
                    }
                }
            }
            Some(other) => section
                .mistake_at("headers", &format!("\"headers\" must be a table, not {}", other.type_str())),
        }
        let tls = Tls::parse(section, &[]);
        if tls.is_some() && url.as_deref().is_some_and(|url| !url.starts_with("https:")) {
            section.mistake_at("tls", "\"tls\" needs a \"url\" that begins with https://");
        }
        let statuses = Statuses::parse(section);
        Some(Self {
            url: Secret::new(url?),
            method: method.unwrap_or(Method::POST),
            timeout: timeout.unwrap_or(Duration::from_secs(10)),
            headers,
            tls,
            statuses,
        })
    }
}
