//! `key.converter`, `value.converter` and `header.converter`, with the properties below them.
//!
//! Connect's worker would load these Java classes. Here each class that is known becomes a
//! [`Format`], which the encoder or `stage/writer.rs` writes. Their options and defaults are those
//! of Kafka Connect, Confluent, Apicurio and Debezium.

use std::time::Duration;

use pgcdc_config::Reader;
use pgcdc_event::Secret;
use pgcdc_format::avro::AvroOptions;
use pgcdc_format::types::DecimalFormat;

use super::value_types;

/// The options of Connect's `JsonConverter`, below `key.converter.` or `value.converter.`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Converter {
    /// `schemas.enable`: whether each record carries its schema. True is Connect's default; a
    /// record is then several times as large.
    pub schemas_enable: bool,
    /// `decimal.format`; the values' is in [`TypeOptions`](pgcdc_format::types::TypeOptions), too.
    pub decimal_format: DecimalFormat,
    /// `replace.null.with.default`; the values' is in [`TypeOptions`](pgcdc_format::types::TypeOptions), too.
    pub replace_null_with_default: bool,
}

impl Converter {
    /// The form that transforms read: no information is lost.
    pub(crate) const TRANSFORMED: Self = Self {
        schemas_enable: true,
        decimal_format: DecimalFormat::Base64,
        replace_null_with_default: false,
    };
}

/// How a key or a value becomes bytes.
#[derive(Clone, Debug)]
pub enum Format {
    /// Connect's `JsonConverter`.
    Json(Converter),
    /// Confluent's `AvroConverter`, or Apicurio's in the same wire format.
    Avro(Box<AvroFormat>),
    /// Connect's `StringConverter`.
    String,
    /// Connect's `ByteArrayConverter`.
    ByteArray,
    /// Connect's converters of one number or boolean, whose class this is the Java name of.
    Number(&'static str),
    /// Debezium's `BinaryDataConverter`: bytes as they are, everything else by its delegate.
    Binary(Option<Box<Format>>),
    /// Debezium's `CloudEventsConverter`.
    CloudEvents(Box<CloudEvents>),
}

/// How a header becomes bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFormat {
    /// Connect's `SimpleHeaderConverter`.
    Simple,
    /// Connect's `JsonConverter`.
    Json(Converter),
    /// Connect's `StringConverter`.
    String,
}

/// Avro, and the registry of its schemas.
#[derive(Clone, Debug)]
pub struct AvroFormat {
    /// How schemas and values are written.
    pub options: AvroOptions,
    /// Where schemas are kept.
    pub registry: Registry,
}

/// A schema registry that speaks Confluent's API, with how to log in and how to use it.
#[derive(Clone, Debug)]
pub struct Registry {
    /// The property that names it, for errors.
    pub property: String,
    /// Its addresses, without a slash at the end; at least one. They are tried in turn.
    pub urls: Vec<String>,
    /// How pgcdc logs in to it.
    pub auth: Auth,
    /// How the connection is encrypted.
    pub tls: Tls,
    /// `auto.register.schemas`: whether a new schema is registered. Without it, one that is missing
    /// stops the connector.
    pub auto_register: bool,
    /// `normalize.schemas`.
    pub normalize: bool,
    /// `use.latest.version`: whether records are written with the subject's latest schema, if it
    /// writes the same bytes.
    pub use_latest: bool,
    /// `key.subject.name.strategy` or `value.subject.name.strategy`.
    pub naming: SubjectNaming,
    /// `http.connect.timeout.ms`: how long connecting may take.
    pub connect_timeout: Duration,
    /// `http.read.timeout.ms`: how long an answer may take.
    pub read_timeout: Duration,
}

/// How to log in to a registry.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    /// With nothing but what the address itself holds (`http://user:password@host`).
    #[default]
    None,
    /// A user and a password: `basic.auth.user.info`.
    Basic(String, Secret),
    /// A token: `bearer.auth.token`.
    Bearer(Secret),
}

/// `schema.registry.ssl.*`: certificates and keys as PEM, in a file or in the property itself.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Authorities that the registry's certificate is checked against; `None` for the public ones.
    pub roots: Option<Pem>,
    /// The client's certificates, its own first.
    pub chain: Option<Pem>,
    /// The client's private key.
    pub key: Option<Pem>,
}

/// Where a PEM text is.
#[derive(Clone, Debug)]
pub enum Pem {
    /// In a file.
    File(std::path::PathBuf),
    /// In the property itself.
    Text(Secret),
}

/// How the subject of a schema is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubjectNaming {
    /// `topic-key`, `topic-value`.
    #[default]
    Topic,
    /// The record's name.
    Record,
    /// `topic-record`.
    TopicRecord,
}

/// The options of `CloudEventsConverter`.
#[derive(Clone, Debug)]
pub struct CloudEvents {
    /// `json.schemas.enable`: the data with its schema.
    pub schemas_enable: bool,
    /// `extension.attributes.enable`.
    pub extensions: bool,
    /// `schema.data.name.source.header.enable`.
    pub names_from_headers: bool,
    /// `metadata.source`, as it is written.
    pub metadata_source: String,
}

impl Format {
    /// Whether the encoder cannot write it, so that records go through `stage/`.
    pub(super) const fn is_staged(&self) -> bool {
        !matches!(self, Self::Json(_) | Self::Avro(_))
    }

    /// Whether it writes bytes that need not be text.
    pub(crate) const fn is_binary(&self) -> bool {
        matches!(self, Self::ByteArray | Self::Binary(_) | Self::Number(_))
    }

    /// What the encoder writes when nothing comes behind it.
    pub(super) const fn encoded(&self) -> Converter {
        match self {
            Self::Json(converter) => *converter,
            Self::Avro(avro) => Converter {
                schemas_enable: false,
                replace_null_with_default: avro.options.replace_null_with_default,
                ..Converter::TRANSFORMED
            },
            _ => Converter::TRANSFORMED,
        }
    }

    /// Avro's options, if it is Avro.
    #[must_use]
    pub fn avro(&self) -> Option<AvroOptions> {
        if let Self::Avro(avro) = self { Some(avro.options) } else { None }
    }
}

/// Reads the converter of a `half`, which is `key` or `value`.
pub(super) fn resolve(reader: &mut Reader<'_>, half: &str) -> Format {
    let class = format!("{half}.converter");
    let text = reader.text(&class).unwrap_or_default();
    of_class(reader, half, text)
}

/// The format of a class: its full name, its name without the package, or that without `Converter`,
/// as Connect allows. Validation has refused unknown classes.
fn of_class(reader: &mut Reader<'_>, half: &str, class: &str) -> Format {
    match class.rsplit('.').next().unwrap_or(class) {
        "AvroConverter" | "Avro" => Format::Avro(Box::new(avro(reader, half, class.contains("apicurio")))),
        "StringConverter" | "String" => Format::String,
        "ByteArrayConverter" | "ByteArray" => Format::ByteArray,
        "BooleanConverter" | "Boolean" => Format::Number("java.lang.Boolean"),
        "ShortConverter" | "Short" => Format::Number("java.lang.Short"),
        "IntegerConverter" | "Integer" => Format::Number("java.lang.Integer"),
        "LongConverter" | "Long" => Format::Number("java.lang.Long"),
        "FloatConverter" | "Float" => Format::Number("java.lang.Float"),
        "DoubleConverter" | "Double" => Format::Number("java.lang.Double"),
        "BinaryDataConverter" | "BinaryData" => {
            let delegate = reader.raw(&format!("{half}.converter.delegate.converter.type")).map(str::trim);
            Format::Binary(delegate.map(|_| Box::new(Format::Json(delegate_json(reader, half)))))
        }
        "CloudEventsConverter" | "CloudEvents" => Format::CloudEvents(Box::new(cloud_events(reader, half))),
        _ => Format::Json(json(reader, &format!("{half}.converter."))),
    }
}

/// Reads `header.converter`. Converters of numbers and bytes fail for Debezium's own headers, which
/// are texts; that is a mistake here.
pub(super) fn headers(reader: &mut Reader<'_>) -> HeaderFormat {
    const KEY: &str = "header.converter";
    let class = reader.text(KEY).unwrap_or_default();
    let simple = class.rsplit('.').next().unwrap_or(class);
    let texts =
        ["Simple", "Json", "String"].iter().any(|known| simple.starts_with(known)) || simple.is_empty();
    // Debezium's own headers are texts; without them and without transforms there are no headers at all.
    if !texts && (reader.boolean("extended.headers.enabled") || reader.text("transforms").is_some()) {
        let message = format!(
            "{simple} cannot write headers that are texts, as Debezium's are: every record would fail, in Debezium too"
        );
        reader.mistake(KEY, message, "use org.apache.kafka.connect.storage.SimpleHeaderConverter, or set extended.headers.enabled=false");
    }
    match simple {
        "JsonConverter" | "Json" => HeaderFormat::Json(json(reader, "header.converter.")),
        "StringConverter" | "String" => HeaderFormat::String,
        _ => HeaderFormat::Simple,
    }
}

/// The options of a `JsonConverter` below `prefix`.
fn json(reader: &Reader<'_>, prefix: &str) -> Converter {
    let key = |option: &str| format!("{prefix}{option}");
    Converter {
        schemas_enable: reader.boolean(&key("schemas.enable")),
        decimal_format: value_types::decimal_format(reader, &key("decimal.format")),
        replace_null_with_default: reader.boolean(&key("replace.null.with.default")),
    }
}

/// The options of the `JsonConverter` that `BinaryDataConverter` delegates to.
fn delegate_json(reader: &Reader<'_>, half: &str) -> Converter {
    let schemas = reader.raw(&format!("{half}.converter.delegate.converter.type.schemas.enable"));
    Converter {
        schemas_enable: schemas.is_none_or(|word| word.trim().eq_ignore_ascii_case("true")),
        replace_null_with_default: true,
        ..Converter::TRANSFORMED
    }
}

/// The options of a `CloudEventsConverter`.
fn cloud_events(reader: &mut Reader<'_>, half: &str) -> CloudEvents {
    let key = |option: &str| format!("{half}.converter.{option}");
    CloudEvents {
        schemas_enable: reader.boolean(&key("json.schemas.enable")),
        extensions: reader.boolean(&key("extension.attributes.enable")),
        names_from_headers: reader.boolean(&key("schema.data.name.source.header.enable")),
        metadata_source: reader.string(&key("metadata.source")),
    }
}

/// The options of an Avro converter, Confluent's or Apicurio's.
fn avro(reader: &mut Reader<'_>, half: &str, apicurio: bool) -> AvroFormat {
    let key = |option: &str| format!("{half}.converter.{option}");
    let options = AvroOptions {
        meta_data: reader.boolean(&key("connect.meta.data")),
        scrub_names: reader.boolean(&key("scrub.invalid.names")),
        replace_null_with_default: !reader.boolean(&key("ignore.default.for.nullables")),
    };
    let addresses = addresses(reader, half, apicurio);
    let naming_key = key(&format!("{half}.subject.name.strategy"));
    let strategy = reader.string(&naming_key);
    let naming = match strategy.rsplit('.').next().unwrap_or_default() {
        "TopicNameStrategy" => SubjectNaming::Topic,
        "RecordNameStrategy" => SubjectNaming::Record,
        "TopicRecordNameStrategy" => SubjectNaming::TopicRecord,
        _ => {
            let remedy = "pgcdc has TopicNameStrategy, RecordNameStrategy and TopicRecordNameStrategy of io.confluent.kafka.serializers.subject";
            reader.mistake(&naming_key, format!("{naming_key}={strategy} is not built in"), remedy);
            SubjectNaming::Topic
        }
    };
    let use_latest =
        reader.boolean(&key(if apicurio { "apicurio.registry.find-latest" } else { "use.latest.version" }));
    let auto = if apicurio { "apicurio.registry.auto-register" } else { "auto.register.schemas" };
    AvroFormat {
        options,
        registry: Registry {
            property: key(if apicurio { "apicurio.registry.url" } else { "schema.registry.url" }),
            urls: addresses,
            auth: auth(reader, half),
            tls: tls(reader, half),
            auto_register: reader.boolean(&key(auto)),
            normalize: reader.boolean(&key("normalize.schemas")),
            use_latest,
            naming,
            connect_timeout: reader.millis(&key("http.connect.timeout.ms")),
            read_timeout: reader.millis(&key("http.read.timeout.ms")),
        },
    }
}

/// The registry's addresses. Apicurio's are turned to its Confluent-compatible API.
fn addresses(reader: &mut Reader<'_>, half: &str, apicurio: bool) -> Vec<String> {
    let key = |option: &str| format!("{half}.converter.{option}");
    let name = if apicurio { "apicurio.registry.url" } else { "schema.registry.url" };
    let text = reader.string(&key(name));
    let mut urls: Vec<String> = text
        .split(',')
        .map(|url| url.trim().trim_end_matches('/').to_owned())
        .filter(|url| !url.is_empty())
        .collect();
    if urls.is_empty() {
        let message = format!("Missing required configuration \"{name}\" which has no default value.");
        reader.mistake(&key(name), message, format!("add {}: http://host:8081", key(name)));
    }
    if urls.iter().any(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
        reader.mistake(&key(name), "an address that is not http:// or https://", "write http://host:8081");
    }
    if apicurio {
        // Apicurio's own API numbers schemas in another way than its Confluent-compatible API,
        // unless it is told not to.
        let confluent = reader.boolean(&key("apicurio.registry.as-confluent"));
        let content = reader.string(&key("apicurio.registry.use-id")).eq_ignore_ascii_case("contentId");
        if !(confluent && content) {
            let at = key("apicurio.registry.as-confluent");
            let remedy = format!(
                "set {at}=true and {}=contentId, as Apicurio 3 has it, or use io.confluent.connect.avro.AvroConverter with Apicurio's /apis/ccompat/v7",
                key("apicurio.registry.use-id")
            );
            reader.mistake(
                &at,
                "pgcdc writes Confluent's wire format alone: a zero, and the schema's number in four bytes",
                remedy,
            );
        }
        for url in &mut urls {
            if let Some(at) = url.find("/apis/registry/") {
                url.replace_range(at.., "/apis/ccompat/v7");
            }
        }
    }
    urls
}

/// The login of a registry. A token wins over user and password.
fn auth(reader: &mut Reader<'_>, half: &str) -> Auth {
    let key = |option: &str| format!("{half}.converter.{option}");
    if let Some(token) = reader.secret(&key("bearer.auth.token")) {
        return Auth::Bearer(token);
    }
    let info = reader
        .secret(&key("basic.auth.user.info"))
        .or_else(|| reader.secret(&key("schema.registry.basic.auth.user.info")));
    if !reader.string(&key("basic.auth.credentials.source")).eq_ignore_ascii_case("USER_INFO") {
        return Auth::None;
    }
    match info.as_ref().and_then(|info| info.expose().split_once(':')) {
        Some((user, password)) => Auth::Basic(user.to_owned(), Secret::new(password)),
        None => {
            let at = key("basic.auth.user.info");
            reader.mistake(
                &at,
                "UserInfo must be provided when basic.auth.credentials.source is set to USER_INFO",
                format!("add {at}: user:password"),
            );
            Auth::None
        }
    }
}

/// The certificates and keys. A text in the property wins over a file.
fn tls(reader: &Reader<'_>, half: &str) -> Tls {
    let key = |option: &str| format!("{half}.converter.schema.registry.ssl.{option}");
    let pem = |text: &str, file: &str| match reader.secret(&key(text)) {
        Some(text) => Some(Pem::Text(text)),
        None => reader.path(&key(file)).map(Pem::File),
    };
    Tls {
        roots: pem("truststore.certificates", "truststore.location"),
        chain: pem("keystore.certificate.chain", "keystore.location"),
        key: pem("keystore.key", "keystore.location"),
    }
}
