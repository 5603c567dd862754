use super::failures::FailureMode;

/// `decimal.handling.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DecimalMode {
    /// `java.math.BigDecimal` as Connect's `Decimal`, or `VariableScaleDecimal` without a scale.
    #[default]
    Precise,
    /// A double; may lose precision.
    Double,
    /// Text.
    String,
}

/// `decimal.format` of Connect's `JsonConverter`: how a Connect `Decimal` stands in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DecimalFormat {
    /// Base64 of the unscaled big-endian two's complement integer.
    #[default]
    Base64,
    /// A JSON number.
    Numeric,
}

/// `time.precision.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimePrecision {
    /// By the column's precision.
    #[default]
    Adaptive,
    /// As adaptive, but times always in microseconds.
    AdaptiveTimeMicroseconds,
    /// Connect's own logical types, in milliseconds.
    Connect,
    /// ISO 8601 text.
    IsoString,
    /// Always microseconds.
    Microseconds,
    /// Always nanoseconds.
    Nanoseconds,
    /// Debezium's structured form.
    Structured,
}

/// `binary.handling.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BinaryMode {
    /// Connect bytes (base64 in JSON).
    #[default]
    Bytes,
    /// Base64 text.
    Base64,
    /// URL-safe base64 text.
    Base64UrlSafe,
    /// Hexadecimal text.
    Hex,
}

/// `interval.handling.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IntervalMode {
    /// Microseconds, approximating months.
    #[default]
    Numeric,
    /// ISO 8601 duration text.
    String,
}

/// `hstore.handling.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HstoreMode {
    /// JSON text.
    #[default]
    Json,
    /// A map.
    Map,
}

/// The connector properties that decide how a value is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeOptions {
    /// `decimal.handling.mode`.
    pub decimal: DecimalMode,
    /// `value.converter.decimal.format`.
    pub decimal_format: DecimalFormat,
    /// `time.precision.mode`.
    pub time: TimePrecision,
    /// `binary.handling.mode`.
    pub binary: BinaryMode,
    /// `interval.handling.mode`.
    pub interval: IntervalMode,
    /// `hstore.handling.mode`.
    pub hstore: HstoreMode,
    /// `money.fraction.digits`.
    pub money_fraction_digits: u8,
    /// How many digits after the point an amount of money has in the database: as many as its `lc_monetary` says.
    pub money_scale: u8,
    /// `event.converting.failure.handling.mode`.
    pub failures: FailureMode,
    /// `include.unknown.datatypes`.
    pub include_unknown: bool,
    /// `unavailable.value.placeholder`, the text itself (after a `hex:` prefix was decoded).
    pub unavailable_placeholder: Vec<u8>,
    /// `include.schema.comments`.
    pub schema_comments: bool,
    /// `value.converter.replace.null.with.default` (Connect's `JsonConverter`): null in a field
    /// with a default is written as that default.
    pub replace_null_with_default: bool,
}

impl Default for TypeOptions {
    fn default() -> Self {
        Self {
            decimal: DecimalMode::default(),
            decimal_format: DecimalFormat::default(),
            time: TimePrecision::default(),
            binary: BinaryMode::default(),
            interval: IntervalMode::default(),
            hstore: HstoreMode::default(),
            money_fraction_digits: 2,
            money_scale: 2,
            failures: FailureMode::default(),
            include_unknown: false,
            unavailable_placeholder: b"__debezium_unavailable_value".to_vec(),
            schema_comments: false,
            replace_null_with_default: true,
        }
    }
}
