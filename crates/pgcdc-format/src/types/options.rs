//! The properties of a connector that decide how values are written. Each value of an enum names its word in the configuration.

use super::failures::FailureMode;

/// `decimal.handling.mode`: how `numeric` and `money` are written.
///
/// | mode | `numeric(5,2)` 1.5 | `numeric` 1.5 |
/// |---|---|---|
/// | `precise` | `"AJY="` (`Decimal`) | `{"scale":1,"value":"Dw=="}` |
/// | `double` | `1.5` | `1.5` |
/// | `string` | `"1.50"` | `"1.5"` |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DecimalMode {
    /// `precise`: Connect's `Decimal`, or Debezium's `VariableScaleDecimal` for a column without a scale. NaN and the
    /// infinities have no form.
    #[default]
    Precise,
    /// `double`: a double, which may lose digits.
    Double,
    /// `string`: all digits as text.
    String,
}

/// `decimal.format` of Connect's `JsonConverter`: how a Connect `Decimal` stands in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DecimalFormat {
    /// `BASE64`: base64 of the unscaled integer in big-endian two's complement.
    #[default]
    Base64,
    /// `NUMERIC`: a JSON number.
    Numeric,
}

/// `time.precision.mode`: the type and unit of dates and times. `timetz` and `timestamptz` are text in each mode but
/// `structured`.
///
/// | mode | `date` | `time` | `timestamp` |
/// |---|---|---|---|
/// | `adaptive` | days | ms up to 3 digits, else µs | ms up to 3 digits, else µs |
/// | `adaptive_time_microseconds` | days | µs | ms up to 3 digits, else µs |
/// | `connect` | days | ms | ms |
/// | `isostring` | `2024-02-29Z` | `10:34:56Z` | `2024-02-29T10:34:56Z` |
/// | `microseconds` | days | µs | µs |
/// | `nanoseconds` | days | ns | ns |
/// | `structured` | struct | struct | struct |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimePrecision {
    /// `adaptive`: the unit is chosen by the column's precision.
    #[default]
    Adaptive,
    /// `adaptive_time_microseconds`: as adaptive, but times of day are always in microseconds.
    AdaptiveTimeMicroseconds,
    /// `connect`: Connect's own logical types; finer digits are cut off.
    Connect,
    /// `isostring`: ISO 8601 text at UTC.
    IsoString,
    /// `microseconds`: always microseconds.
    Microseconds,
    /// `nanoseconds`: always nanoseconds; timestamps beyond the years 1677 to 2262 have no form.
    Nanoseconds,
    /// `structured`: an object of year, month, day, hour, and so on.
    Structured,
}

/// `binary.handling.mode`: how `bytea`, and types that Debezium does not know, are written. In JSON the first two look the
/// same; only the schema differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BinaryMode {
    /// `bytes`: Connect's bytes, which are base64 in JSON.
    #[default]
    Bytes,
    /// `base64`: a string of base64.
    Base64,
    /// `base64-url-safe`: a string of URL-safe base64, with `-` and `_`.
    Base64UrlSafe,
    /// `hex`: a string of hexadecimal digits, without Postgres' `\x`.
    Hex,
}

/// `interval.handling.mode`. With `time.precision.mode=structured` it has no effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IntervalMode {
    /// `numeric`: microseconds, with months of 30.4375 days.
    #[default]
    Numeric,
    /// `string`: ISO 8601 text such as `P1Y2M3DT4H5M6.789S`.
    String,
}

/// `hstore.handling.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HstoreMode {
    /// `json`: a string that holds a JSON object.
    #[default]
    Json,
    /// `map`: a map, which is an object in JSON.
    Map,
}

/// The connector properties that decide how a value is written. The default is Debezium's; keys and values of a record may
/// differ in `decimal_format` and `replace_null_with_default`, which belong to their converters.
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
    /// `money.fraction.digits`: how many digits after the point a record has.
    pub money_fraction_digits: u8,
    /// How many digits after the point an amount of money has in the database: as many as its `lc_monetary` says. The
    /// connector asks the server, since pgcdc's own sessions see every amount with two digits.
    pub money_scale: u8,
    /// `event.converting.failure.handling.mode`.
    pub failures: FailureMode,
    /// `include.unknown.datatypes`: columns of types that Debezium does not know are written as bytes, not left out.
    pub include_unknown: bool,
    /// `unavailable.value.placeholder`, the text itself (after a `hex:` prefix was decoded).
    pub unavailable_placeholder: Vec<u8>,
    /// `include.schema.comments`: columns' comments become the `doc` of their schemas.
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
