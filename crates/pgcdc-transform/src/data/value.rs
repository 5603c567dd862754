use std::sync::Arc;

use super::{Decimal, Kind, Struct};

/// A value. Clones of large values share them.
///
/// Each variant is one Java class of Connect's, which [`class`](Self::class) names. Two values are equal where Java's `equals`
/// says so; in particular `Int32(7)` and `Int64(7)` differ.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are Connect's own")]
pub enum Value {
    Null,
    Int8(i8),
    Int16(i16),
    Int32(i32),
    Int64(i64),
    Float32(f32),
    Float64(f64),
    Boolean(bool),
    String(Arc<str>),
    Bytes(Arc<[u8]>),
    /// A value of `org.apache.kafka.connect.data.Decimal`.
    Decimal(Arc<Decimal>),
    /// A value of Connect's `Date`, `Time` or `Timestamp`: milliseconds since 1970.
    Date(i64),
    Array(Arc<Vec<Value>>),
    /// The entries of a map, in the order in which they were added.
    Map(Arc<Vec<(Value, Value)>>),
    Struct(Arc<Struct>),
}

impl Value {
    /// A string.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::String(text.into())
    }

    /// Whether it is null.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text of a string; `None` for any other value.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The struct of a struct value; `None` for any other value.
    #[must_use]
    pub fn as_struct(&self) -> Option<&Arc<Struct>> {
        if let Self::Struct(inner) = self { Some(inner) } else { None }
    }

    /// This value, or the default when it is null.
    #[must_use]
    pub fn or<'a>(&'a self, default: Option<&'a Self>) -> &'a Self {
        if self.is_null() { default.unwrap_or(self) } else { self }
    }

    /// The Java class of such a value in Connect, as its messages name it.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Int8(_) => "java.lang.Byte",
            Self::Int16(_) => "java.lang.Short",
            Self::Int32(_) => "java.lang.Integer",
            Self::Int64(_) => "java.lang.Long",
            Self::Float32(_) => "java.lang.Float",
            Self::Float64(_) => "java.lang.Double",
            Self::Boolean(_) => "java.lang.Boolean",
            Self::String(_) => "java.lang.String",
            Self::Bytes(_) => "java.nio.HeapByteBuffer",
            Self::Decimal(_) => "java.math.BigDecimal",
            Self::Date(_) => "java.util.Date",
            Self::Array(_) => "java.util.ArrayList",
            Self::Map(_) => "java.util.HashMap",
            Self::Struct(_) => "org.apache.kafka.connect.data.Struct",
        }
    }

    /// The kind of such a value where there is no schema; `None` for null and for logical types.
    #[must_use]
    pub const fn kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Null | Self::Decimal(_) | Self::Date(_) => return None,
            Self::Int8(_) => Kind::Int8,
            Self::Int16(_) => Kind::Int16,
            Self::Int32(_) => Kind::Int32,
            Self::Int64(_) => Kind::Int64,
            Self::Float32(_) => Kind::Float32,
            Self::Float64(_) => Kind::Float64,
            Self::Boolean(_) => Kind::Boolean,
            Self::String(_) => Kind::String,
            Self::Bytes(_) => Kind::Bytes,
            Self::Array(_) => Kind::Array,
            Self::Map(_) => Kind::Map,
            Self::Struct(_) => Kind::Struct,
        })
    }
}

/// Java's `equals`: NaN equals itself; the two zeros differ, and so do numbers of different classes.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Int8(a), Self::Int8(b)) => a == b,
            (Self::Int16(a), Self::Int16(b)) => a == b,
            (Self::Int32(a), Self::Int32(b)) => a == b,
            (Self::Int64(a), Self::Int64(b)) | (Self::Date(a), Self::Date(b)) => a == b,
            (Self::Float32(a), Self::Float32(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (Self::Float64(a), Self::Float64(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (Self::Boolean(a), Self::Boolean(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Decimal(a), Self::Decimal(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a.len() == b.len() && a.iter().all(|entry| b.contains(entry)),
            (Self::Struct(a), Self::Struct(b)) => Arc::ptr_eq(a, b) || a == b,
            _ => false,
        }
    }
}
