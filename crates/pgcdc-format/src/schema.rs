//! Kafka Connect's schemas: what `"schema"` says beside a `"payload"` in Connect's JSON.
//!
//! Source: the `JsonConverter` of Apache Kafka Connect, `asJsonSchema`.

/// A Connect schema: the type of a field, of a row, or of an envelope.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// The physical type.
    pub kind: Kind,
    /// Whether null is allowed.
    pub optional: bool,
    /// The logical name, such as `io.debezium.time.Date`.
    pub name: Option<Box<str>>,
    /// The logical type's version.
    pub version: Option<i32>,
    /// The documentation (a column's comment with `include.schema.comments`).
    pub doc: Option<Box<str>>,
    /// Parameters, in the order in which they are written.
    pub parameters: Vec<(Box<str>, Box<str>)>,
    /// The default, already as JSON text.
    pub default: Option<Box<str>>,
}

/// A Connect schema's physical type.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// 8 bits, signed.
    Int8,
    /// 16 bits, signed.
    Int16,
    /// 32 bits, signed.
    Int32,
    /// 64 bits, signed.
    Int64,
    /// IEEE 754 single.
    Float32,
    /// IEEE 754 double.
    Float64,
    /// True or false.
    Boolean,
    /// UTF-8 text.
    String,
    /// Bytes; base64 in JSON.
    Bytes,
    /// A list.
    Array(Box<Schema>),
    /// A map: key, value.
    Map(Box<Schema>, Box<Schema>),
    /// Named fields.
    Struct(Vec<(Box<str>, Schema)>),
}
