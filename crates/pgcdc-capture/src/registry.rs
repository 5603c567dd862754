//! A schema registry that speaks Confluent's API: which number it has for a schema.
//!
//! An Avro record in Kafka begins with the number of its schema, not with the schema. When a
//! table's encoder is compiled, `Tables` asks here for the numbers of its key's and its value's
//! schema, by the Confluent Schema Registry API (`POST /subjects/{subject}/versions`,
//! `POST /subjects/{subject}`, `GET /subjects/{subject}/versions/latest`). So the registry is asked
//! once for each version of a table, never for a row. While it does not answer, the stream waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pgcdc_format::avro::AvroSchema;
use pgcdc_format::envelope::Half;
use reqwest::{Client, StatusCode};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

use crate::config::{Auth, Format, Pem, Registry as Config, Settings, SubjectNaming, Tls};
use crate::{Error, Result};

/// The media type of requests and answers, as the registry's API reference names it.
const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// The registries of keys and of values, each with the properties below its own converter. `None`
/// for a half that is not written as Avro.
#[derive(Debug, Default)]
pub(crate) struct Registries {
    key: Option<Registry>,
    value: Option<Registry>,
}

impl Registries {
    /// Opens the clients. Nothing is connected to yet.
    ///
    /// # Errors
    /// A configuration error when a certificate or key cannot be read or does not fit.
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let open = |format: &Format, half| match format {
            Format::Avro(avro) => Registry::open(&avro.registry, half).map(Some),
            _ => Ok(None),
        };
        Ok(Self {
            key: open(&settings.key_format, Half::Key)?,
            value: open(&settings.value_format, Half::Value)?,
        })
    }

    /// Asks a half's registry for something harmless, to see that it answers and lets us in: for
    /// `pgcdc check`. Gives back its addresses; `None` when the half needs no registry.
    pub(crate) async fn ask(&mut self, half: Half) -> Result<Option<String>> {
        let registry = if half == Half::Key { &mut self.key } else { &mut self.value };
        let Some(registry) = registry else { return Ok(None) };
        let answer = registry.call("/schemas/types", None).await;
        match answer {
            Ok(_) => Ok(Some(hosts(&registry.config.urls))),
            Err(failed) => Err(registry.error("(none yet)", failed)),
        }
    }

    /// The number of a schema of `topic`'s records. It is asked for once and then remembered.
    ///
    /// # Errors
    /// Transient while no address can be reached; fatal when the registry refuses the schema, with
    /// the subject's name.
    pub(crate) async fn number(&mut self, half: Half, topic: &str, schema: &AvroSchema) -> Result<u32> {
        let registry = if half == Half::Key { &mut self.key } else { &mut self.value };
        match registry {
            Some(registry) => registry.number(topic, schema).await,
            None => Err(Error::fatal("an Avro schema without a registry for it")),
        }
    }
}

/// One half's registry.
#[derive(Debug)]
struct Registry {
    /// Its addresses, login and naming of subjects.
    config: Config,
    /// Key or value: a part of the subject's name.
    half: Half,
    /// Keeps connections open for half a minute.
    client: Client,
    /// Counts up when an address fails; modulo the number of addresses it is the one to ask next.
    current: usize,
    /// Numbers that the registry gave, by subject and schema.
    known: HashMap<(String, String), u32>,
}

/// Why a call has no answer.
enum Failed {
    /// Another address, or another try, may serve. The text says why this one did not.
    Unreachable(String),
    /// The registry said no: the HTTP status, its own error code, and the beginning of its message.
    Refused { status: StatusCode, code: i64, message: String },
}

impl Registry {
    /// Builds the HTTP client of one half. Redirects and proxies are the client's own defaults.
    fn open(config: &Config, half: Half) -> Result<Self> {
        let client = Client::builder()
            .connect_timeout(config.connect_timeout)
            .timeout(config.connect_timeout + config.read_timeout)
            .pool_idle_timeout(Duration::from_secs(30))
            .user_agent(concat!("pgcdc/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls_config(&config.property, &config.tls)?)
            .build()
            .map_err(|error| Error::configuration(format!("{}: no HTTP client: {error}", config.property)))?;
        Ok(Self { config: config.clone(), half, client, current: 0, known: HashMap::new() })
    }

    /// Asks in one of three ways, as the serializer's properties say: registers the schema
    /// (`auto.register.schemas`, the default), takes the subject's latest (`use.latest.version`) if
    /// it writes the same bytes, or looks the schema up.
    async fn number(&mut self, topic: &str, schema: &AvroSchema) -> Result<u32> {
        let subject = self.subject(topic, schema)?;
        let place = (subject, schema.text().to_owned());
        if let Some(id) = self.known.get(&place) {
            return Ok(*id);
        }
        let subject = &place.0;
        let path = format!("/subjects/{}", escaped(subject));
        let normalize = if self.config.normalize { "?normalize=true" } else { "" };
        let body = serde_json::json!({ "schema": schema.text() }).to_string();
        let answer = if self.config.auto_register {
            self.call(&format!("{path}/versions{normalize}"), Some(body)).await
        } else if self.config.use_latest {
            self.call(&format!("{path}/versions/latest"), None).await
        } else {
            self.call(&format!("{path}{normalize}"), Some(body)).await
        };
        let answer = answer.map_err(|failed| self.error(subject, failed))?;
        if !self.config.auto_register && self.config.use_latest && !same(&answer, schema) {
            return Err(Error::fatal(format!(
                "the latest schema of subject {subject} is not that of topic {topic}'s records"
            ))
            .with_hint("register the table's schema as the subject's next version, or set auto.register.schemas=true and use.latest.version=false; nothing was confirmed, and the stream goes on from where it stands"));
        }
        let id = answer.get("id").and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
        let id = id.ok_or_else(|| {
            Error::fatal(format!("the schema registry's answer for subject {subject} has no id"))
        })?;
        tracing::info!(subject, id, "schema's number in the registry");
        self.known.insert(place, id);
        Ok(id)
    }

    /// The subject that holds a topic's schemas, by `key.subject.name.strategy` or
    /// `value.subject.name.strategy`.
    ///
    /// # Errors
    /// When the strategy needs a record's name and the schema is not a record.
    fn subject(&self, topic: &str, schema: &AvroSchema) -> Result<String> {
        let suffix = if self.half == Half::Key { "key" } else { "value" };
        let record = || {
            schema.record_name().ok_or_else(|| {
                Error::configuration(format!(
                    "{suffix}.subject.name.strategy: a {suffix} of topic {topic} is not a record, so its schema has no name"
                ))
                .with_hint("use io.confluent.kafka.serializers.subject.TopicNameStrategy")
            })
        };
        Ok(match self.config.naming {
            SubjectNaming::Topic => format!("{topic}-{suffix}"),
            SubjectNaming::Record => record()?.to_owned(),
            SubjectNaming::TopicRecord => format!("{topic}-{}", record()?),
        })
    }

    /// Asks one address after the other, and begins with the one that answered last. With a `body`
    /// it is a POST, else a GET.
    async fn call(&mut self, path: &str, body: Option<String>) -> Result<Value, Failed> {
        let mut last = Failed::Unreachable("no address".to_owned());
        for _ in 0..self.config.urls.len() {
            let url = &self.config.urls[self.current % self.config.urls.len()];
            match self.ask(&format!("{url}{path}"), body.clone()).await {
                Err(Failed::Unreachable(why)) => {
                    last = Failed::Unreachable(why);
                    self.current += 1;
                }
                answer => return answer,
            }
        }
        Err(last)
    }

    /// Asks one address. A failed connection, an answer 5xx, 429 or 408 counts as
    /// [`Failed::Unreachable`]; any other answer but success is a refusal.
    async fn ask(&self, url: &str, body: Option<String>) -> Result<Value, Failed> {
        let unreachable = |error: reqwest::Error| {
            let error = error.without_url();
            let mut why = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                why = format!("{why}: {cause}");
                source = cause.source();
            }
            Failed::Unreachable(why)
        };
        let request = match body {
            Some(body) => self.client.post(url).header("content-type", CONTENT_TYPE).body(body),
            None => self.client.get(url),
        };
        let request = match &self.config.auth {
            Auth::None => request,
            Auth::Basic(user, password) => request.basic_auth(user, Some(password.expose())),
            Auth::Bearer(token) => request.bearer_auth(token.expose()),
        };
        let answer = request.header("accept", CONTENT_TYPE).send().await.map_err(unreachable)?;
        let status = answer.status();
        let text = answer.text().await.map_err(unreachable)?;
        let json: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(json);
        }
        if status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
        {
            return Err(Failed::Unreachable(format!("it answered {status}")));
        }
        Err(Failed::Refused {
            status,
            code: json.get("error_code").and_then(Value::as_i64).unwrap_or(0),
            message: json.get("message").and_then(Value::as_str).unwrap_or("").chars().take(500).collect(),
        })
    }

    /// The error for a call that failed, with what the user can do about it.
    fn error(&self, subject: &str, failed: Failed) -> Error {
        let Config { property, urls, .. } = &self.config;
        let at = hosts(urls);
        match failed {
            Failed::Unreachable(why) => {
                Error::transient(format!("schema registry {at} cannot be reached for subject {subject}: {why}"))
                    .with_hint(format!("see {property}; the connector tries again, and nothing is lost meanwhile"))
            }
            Failed::Refused { status: StatusCode::CONFLICT, message, .. } => Error::fatal(format!(
                "schema registry {at}: the table's new schema is not compatible with subject {subject}: {message}"
            ))
            .with_hint(format!(
                "change the table back, or set the subject's compatibility (PUT /config/{subject}, NONE allows anything), and start again: nothing was confirmed, and the stream goes on from where it stands"
            )),
            Failed::Refused { status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, .. } => {
                let prefix = below_converter(property);
                Error::fatal(format!("schema registry {at} does not let pgcdc in (subject {subject})")).with_hint(format!(
                    "set {prefix}basic.auth.credentials.source=USER_INFO and {prefix}basic.auth.user.info=user:password of a user who may write the subject"
                ))
            }
            Failed::Refused { status: StatusCode::NOT_FOUND, message, .. } if !self.config.auto_register => {
                Error::fatal(format!("schema registry {at} has no such schema for subject {subject}: {message}"))
                    .with_hint("register it, or set auto.register.schemas=true")
            }
            Failed::Refused { status, code, message } => {
                Error::fatal(format!("schema registry {at} refuses the schema of subject {subject}: {status} {code} {message}"))
                    .with_hint("names that Avro does not allow are adjusted by schema.name.adjustment.mode=avro and field.name.adjustment.mode=avro")
            }
        }
    }
}

/// Whether the registry's latest schema writes the same bytes as ours.
fn same(answer: &Value, ours: &AvroSchema) -> bool {
    let theirs = answer
        .get("schema")
        .and_then(Value::as_str)
        .and_then(|text| serde_json::from_str::<Value>(text).ok());
    let ours = serde_json::from_str::<Value>(ours.text()).ok();
    match (theirs, ours) {
        (Some(theirs), Some(ours)) => shape(&theirs) == shape(&ours),
        _ => false,
    }
}

/// A schema reduced to the parts that change the bytes of a value: without docs, defaults, aliases
/// and Connect's annotations.
fn shape(schema: &Value) -> Value {
    match schema {
        Value::Array(branches) => Value::Array(branches.iter().map(shape).collect()),
        Value::Object(parts) => {
            const KEPT: [&str; 8] =
                ["type", "name", "namespace", "fields", "items", "values", "symbols", "size"];
            let kept: serde_json::Map<String, Value> =
                KEPT.iter().filter_map(|key| Some(((*key).to_owned(), shape(parts.get(*key)?)))).collect();
            match kept.get("type") {
                // `{"type":"int"}` and `"int"` are the same schema.
                Some(only) if kept.len() == 1 => only.clone(),
                _ => Value::Object(kept),
            }
        }
        other => other.clone(),
    }
}

/// The prefix of a property that names its half: `key.converter.` or `value.converter.`.
fn below_converter(property: &str) -> String {
    property.split_once(".converter.").map_or_else(String::new, |(half, _)| format!("{half}.converter."))
}

/// The addresses for logs and errors, without the user and password before an `@`.
fn hosts(urls: &[String]) -> String {
    let host = |url: &String| match url.split_once("://") {
        Some((scheme, rest)) => {
            format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host))
        }
        None => url.clone(),
    };
    urls.iter().map(host).collect::<Vec<_>>().join(", ")
}

/// A subject as one segment of a URL's path, percent-encoded (RFC 3986: all but unreserved
/// characters).
fn escaped(subject: &str) -> String {
    let mut out = String::new();
    for byte in subject.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// TLS as the `schema.registry.ssl.*` properties say it: a truststore replaces the public
/// authorities, a keystore adds a client's certificate. `property` is the registry's address
/// property, for errors.
fn tls_config(property: &str, tls: &Tls) -> Result<ClientConfig> {
    let wrong = |what: &str| {
        Error::configuration(format!("{}schema.registry.ssl.*: {what}", below_converter(property)))
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("TLS cannot be set up").with_source(error))?;
    let mut roots = RootCertStore::empty();
    match &tls.roots {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            let (added, _) = roots.add_parsable_certificates(certificates(pem).map_err(|why| wrong(&why))?);
            if added == 0 {
                return Err(wrong("the truststore holds no certificate"));
            }
        }
    }
    let builder = builder.with_root_certificates(roots);
    match (&tls.chain, &tls.key) {
        (Some(chain), Some(key)) => {
            let chain = certificates(chain).map_err(|why| wrong(&why))?;
            let key = match key {
                Pem::File(path) => PrivateKeyDer::from_pem_file(path),
                Pem::Text(text) => PrivateKeyDer::from_pem_slice(text.expose().as_bytes()),
            };
            let key =
                key.map_err(|error| wrong("the keystore holds no PEM private key").with_source(error))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| wrong("the client's key does not fit").with_source(error))
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

/// The certificates of a PEM file or text.
fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = match pem {
        Pem::File(path) => match CertificateDer::pem_file_iter(path) {
            Ok(found) => found.collect(),
            Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
        },
        Pem::Text(text) => CertificateDer::pem_slice_iter(text.expose().as_bytes()).collect(),
    };
    all.map_err(|error| format!("not a PEM certificate: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bytes_depend_on_is_compared() {
        let shape = |text: &str| shape(&serde_json::from_str(text).unwrap());
        let ours = r#"{"type":"record","name":"V","fields":[{"name":"a","type":["null",{"type":"int","connect.type":"int16"}],"default":null}],"connect.name":"V"}"#;
        let theirs =
            r#"{"fields":[{"type":["null","int"],"name":"a"}],"name":"V","type":"record","doc":"words"}"#;
        assert_eq!(shape(ours), shape(theirs));
        assert_ne!(shape(ours), shape(&theirs.replace(r#"["null","int"]"#, r#"["int","null"]"#)));
    }

    #[test]
    fn subjects_and_addresses() {
        assert_eq!(escaped("p.s.t-value"), "p.s.t-value");
        assert_eq!(escaped("a/b ü"), "a%2Fb%20%C3%BC");
        assert_eq!(hosts(&["http://u:p@h:1".to_owned(), "https://i".to_owned()]), "http://h:1, https://i");
    }
}
