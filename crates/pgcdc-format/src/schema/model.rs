//! A schema as a tree of owned values: built once for a table's encoder, and then rendered as JSON or as an Avro schema.

use super::json::{Attributes, append_type};
use super::types::Type;

/// A Connect schema: the type of a field, of a row, or of an envelope.
///
/// Two schemas are equal when all attributes are, the documentation and the order of the parameters included.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// The physical type.
    pub kind: Kind,
    /// Whether null is allowed. For a column this is not the same as being nullable: Debezium's geometries are always
    /// optional, and a column of an update's old row may be absent.
    pub optional: bool,
    /// The logical type's name, such as `io.debezium.time.Date`, by which a reader knows what a number counts; or the name
    /// of a row, key or envelope, such as `shop.public.orders.Value`.
    pub name: Option<Box<str>>,
    /// The logical type's version; Debezium counts the versions of its own types from 1.
    pub version: Option<i32>,
    /// The documentation (a column's comment with `include.schema.comments`).
    pub doc: Option<Box<str>>,
    /// Parameters, names and texts, in the order in which they are written: that of Debezium's recordings.
    pub parameters: Vec<(Box<str>, Box<str>)>,
    /// The default, already as JSON text in the payload's form: `"AQ=="` for bytes, `19782` for a date.
    pub default: Option<Box<str>>,
}

/// A Connect schema's physical type, with the schemas of which it is made.
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
    /// A list of elements of one schema.
    Array(Box<Schema>),
    /// A map: the schemas of its keys and of its values. In JSON it is an object when the keys are required strings, else a
    /// list of pairs.
    Map(Box<Schema>, Box<Schema>),
    /// Named fields, in the order in which a payload has them.
    Struct(Vec<(Box<str>, Schema)>),
}

impl Kind {
    /// The type alone, without the schemas of its elements or fields.
    #[must_use]
    pub const fn plain(&self) -> Type {
        match self {
            Self::Int8 => Type::Int8,
            Self::Int16 => Type::Int16,
            Self::Int32 => Type::Int32,
            Self::Int64 => Type::Int64,
            Self::Float32 => Type::Float32,
            Self::Float64 => Type::Float64,
            Self::Boolean => Type::Boolean,
            Self::String => Type::String,
            Self::Bytes => Type::Bytes,
            Self::Array(_) => Type::Array,
            Self::Map(..) => Type::Map,
            Self::Struct(_) => Type::Struct,
        }
    }
}

/// Builders: each returns a required schema without a name; the methods below refine it.
///
/// ```
/// use pgcdc_format::schema::Schema;
/// let mut json = Vec::new();
/// Schema::int32().optional().named("io.debezium.time.Date", 1).append_json(Some("born"), &mut json);
/// assert_eq!(
///     String::from_utf8(json).unwrap(),
///     r#"{"type":"int32","optional":true,"name":"io.debezium.time.Date","version":1,"field":"born"}"#
/// );
/// ```
impl Schema {
    /// A required schema of this physical type, without name, parameters or default.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            optional: false,
            name: None,
            version: None,
            doc: None,
            parameters: Vec::new(),
            default: None,
        }
    }

    /// A required `int8`.
    #[must_use]
    pub const fn int8() -> Self {
        Self::new(Kind::Int8)
    }

    /// A required `int16`.
    #[must_use]
    pub const fn int16() -> Self {
        Self::new(Kind::Int16)
    }

    /// A required `int32`.
    #[must_use]
    pub const fn int32() -> Self {
        Self::new(Kind::Int32)
    }

    /// A required `int64`.
    #[must_use]
    pub const fn int64() -> Self {
        Self::new(Kind::Int64)
    }

    /// A required `float` (IEEE single).
    #[must_use]
    pub const fn float32() -> Self {
        Self::new(Kind::Float32)
    }

    /// A required `double`.
    #[must_use]
    pub const fn float64() -> Self {
        Self::new(Kind::Float64)
    }

    /// A required `boolean`.
    #[must_use]
    pub const fn boolean() -> Self {
        Self::new(Kind::Boolean)
    }

    /// A required `string`.
    #[must_use]
    pub const fn string() -> Self {
        Self::new(Kind::String)
    }

    /// Required `bytes`.
    #[must_use]
    pub const fn bytes() -> Self {
        Self::new(Kind::Bytes)
    }

    /// A required list of `items`.
    #[must_use]
    pub fn array(items: Self) -> Self {
        Self::new(Kind::Array(Box::new(items)))
    }

    /// A required map.
    #[must_use]
    pub fn map(keys: Self, values: Self) -> Self {
        Self::new(Kind::Map(Box::new(keys), Box::new(values)))
    }

    /// A required struct of named fields, in their order.
    #[must_use]
    pub fn structure<N: Into<Box<str>>>(fields: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self::new(Kind::Struct(fields.into_iter().map(|(name, field)| (name.into(), field)).collect()))
    }

    /// The same schema, null allowed.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// The same schema as a logical type of this name and version.
    #[must_use]
    pub fn named(mut self, name: impl Into<Box<str>>, version: i32) -> Self {
        self.name = Some(name.into());
        self.version = Some(version);
        self
    }

    /// The same schema with a name and no version, as rows and keys have them.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Box<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The same schema with documentation.
    #[must_use]
    pub fn with_doc(mut self, doc: impl Into<Box<str>>) -> Self {
        self.doc = Some(doc.into());
        self
    }

    /// The same schema with one parameter more.
    #[must_use]
    pub fn with_parameter(mut self, key: impl Into<Box<str>>, value: impl Into<Box<str>>) -> Self {
        self.parameters.push((key.into(), value.into()));
        self
    }

    /// The same schema with a default, given as JSON text.
    #[must_use]
    pub fn with_default(mut self, json: impl Into<Box<str>>) -> Self {
        self.default = Some(json.into());
        self
    }

    /// Appends Connect's JSON form of the schema. `field` is the name under which a struct holds it; `None` for the whole
    /// schema of a record and for the elements of a list.
    ///
    /// ```
    /// use pgcdc_format::schema::Schema;
    /// let mut json = Vec::new();
    /// let row = Schema::structure([("id", Schema::int64())]).with_name("shop.public.orders.Key");
    /// row.append_json(None, &mut json);
    /// assert_eq!(
    ///     String::from_utf8(json).unwrap(),
    ///     concat!(
    ///         r#"{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"}],"#,
    ///         r#""optional":false,"name":"shop.public.orders.Key"}"#,
    ///     )
    /// );
    /// ```
    pub fn append_json(&self, field: Option<&str>, out: &mut Vec<u8>) {
        append_type(self.kind.plain(), out);
        match &self.kind {
            Kind::Array(items) => {
                out.extend_from_slice(b",\"items\":");
                items.append_json(None, out);
            }
            Kind::Map(keys, values) => {
                out.extend_from_slice(b",\"keys\":");
                keys.append_json(None, out);
                out.extend_from_slice(b",\"values\":");
                values.append_json(None, out);
            }
            Kind::Struct(fields) => {
                out.extend_from_slice(b",\"fields\":[");
                for (at, (name, schema)) in fields.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    schema.append_json(Some(name), out);
                }
                out.push(b']');
            }
            _ => {}
        }
        let attributes = Attributes {
            optional: self.optional,
            name: self.name.as_deref(),
            version: self.version,
            doc: self.doc.as_deref(),
        };
        let parameters = self.parameters.iter().map(|(key, value)| (&**key, &**value));
        attributes.append((!self.parameters.is_empty()).then_some(parameters), out);
        if let Some(default) = &self.default {
            out.extend_from_slice(b",\"default\":");
            out.extend_from_slice(default.as_bytes());
        }
        Attributes::end(field, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: &Schema, field: Option<&str>, expect: &str) {
        let mut out = Vec::new();
        schema.append_json(field, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expect);
    }

    #[test]
    fn keys_stand_in_connects_order() {
        check(
            &Schema::int32().with_default("0"),
            Some("id"),
            r#"{"type":"int32","optional":false,"default":0,"field":"id"}"#,
        );
        check(
            &Schema::string()
                .optional()
                .named("io.debezium.data.Enum", 1)
                .with_parameter("allowed", "true,false")
                .with_default("\"false\""),
            Some("snapshot"),
            r#"{"type":"string","optional":true,"name":"io.debezium.data.Enum","version":1,"parameters":{"allowed":"true,false"},"default":"false","field":"snapshot"}"#,
        );
        check(
            &Schema::structure([("id", Schema::int64())]).with_name("p.public.t.Value").optional(),
            Some("before"),
            r#"{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"}],"optional":true,"name":"p.public.t.Value","field":"before"}"#,
        );
    }
}
