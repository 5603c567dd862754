//! Connect's physical types and its four logical types, with the words that its messages and its JSON have for them.

use std::fmt;

/// Connect's physical types (`Schema.Type`): how a value is stored. What it means is the schema's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Type {
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
    Array,
    /// A map; each half of an entry has one schema.
    Map,
    /// Named fields, each with its schema.
    Struct,
}

impl Type {
    const ALL: [Self; 12] = [
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Float32,
        Self::Float64,
        Self::Boolean,
        Self::String,
        Self::Bytes,
        Self::Array,
        Self::Map,
        Self::Struct,
    ];

    /// Connect's name, as its messages show it: `FLOAT64`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Float32 => "FLOAT32",
            Self::Float64 => "FLOAT64",
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Bytes => "BYTES",
            Self::Array => "ARRAY",
            Self::Map => "MAP",
            Self::Struct => "STRUCT",
        }
    }

    /// The word that `"type"` holds in Connect's JSON: `double`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float32 => "float",
            Self::Float64 => "double",
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Array => "array",
            Self::Map => "map",
            Self::Struct => "struct",
        }
    }

    /// The type of a [`name`](Self::name), which must be in upper case; `None` for any other word.
    ///
    /// ```
    /// use pgcdc_format::schema::Type;
    /// assert_eq!(Type::named("FLOAT64"), Some(Type::Float64));
    /// assert_eq!(Type::named("double"), None, "that is the word in JSON");
    /// ```
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|found| found.name() == name)
    }

    /// The type of a [`word`](Self::word).
    ///
    /// ```
    /// use pgcdc_format::schema::Type;
    /// assert_eq!(Type::from_word("double"), Some(Type::Float64));
    /// assert_eq!(Type::from_word("float64"), None);
    /// ```
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|found| found.word() == word)
    }

    /// Whether a value of the type holds no other values: all types but arrays, maps and structs.
    #[must_use]
    pub const fn is_primitive(self) -> bool {
        !matches!(self, Self::Array | Self::Map | Self::Struct)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Connect's own logical types. In Java a value of such a schema is an object of another class than its physical type has, so
/// converters and transforms treat these names apart. In JSON the values are those of the physical type.
///
/// Debezium uses them with `decimal.handling.mode=precise` and `time.precision.mode=connect`; its own logical types
/// (`io.debezium.…`) are plain numbers and texts to Connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logical {
    /// `org.apache.kafka.connect.data.Decimal`: `bytes`, an unscaled number in big-endian two's complement. The parameter `scale`
    /// says how many of its digits stand after the point.
    Decimal,
    /// `org.apache.kafka.connect.data.Date`: `int32`, days since 1970-01-01.
    Date,
    /// `org.apache.kafka.connect.data.Time`: `int32`, milliseconds since midnight.
    Time,
    /// `org.apache.kafka.connect.data.Timestamp`: `int64`, milliseconds since 1970-01-01 UTC.
    Timestamp,
}

impl Logical {
    /// The name that its schemas have.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decimal => "org.apache.kafka.connect.data.Decimal",
            Self::Date => "org.apache.kafka.connect.data.Date",
            Self::Time => "org.apache.kafka.connect.data.Time",
            Self::Timestamp => "org.apache.kafka.connect.data.Timestamp",
        }
    }

    /// The logical type of a schema's name; `None` for any other name.
    ///
    /// ```
    /// use pgcdc_format::schema::Logical;
    /// assert_eq!(Logical::of("org.apache.kafka.connect.data.Date"), Some(Logical::Date));
    /// assert_eq!(Logical::of("io.debezium.time.Date"), None);
    /// ```
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Self::Decimal, Self::Date, Self::Time, Self::Timestamp].into_iter().find(|l| l.name() == name)
    }
}
