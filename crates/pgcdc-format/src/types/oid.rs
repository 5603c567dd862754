//! The OIDs of the built-in types that Debezium knows by number.
//!
//! They are fixed for all servers and versions. Types of extensions have numbers that differ from server to server, and are
//! known by name (`plan::of_extension`).
//!
//! Source: Postgres' catalog, `pg_type.dat`.

pub(super) const BOOL: u32 = 16;
pub(super) const BYTEA: u32 = 17;
/// `"char"`, one byte; not `char(n)`, which is [`BPCHAR`].
pub(super) const CHAR: u32 = 18;
pub(super) const NAME: u32 = 19;
pub(super) const INT8: u32 = 20;
pub(super) const INT2: u32 = 21;
pub(super) const INT4: u32 = 23;
pub(super) const INT2VECTOR: u32 = 22;
pub(super) const TEXT: u32 = 25;
pub(super) const OID: u32 = 26;
pub(super) const OIDVECTOR: u32 = 30;
pub(super) const JSON: u32 = 114;
pub(super) const XML: u32 = 142;
pub(super) const POINT: u32 = 600;
pub(super) const LSEG: u32 = 601;
pub(super) const PATH: u32 = 602;
pub(super) const BOX: u32 = 603;
pub(super) const POLYGON: u32 = 604;
pub(super) const LINE: u32 = 628;
pub(super) const CIDR: u32 = 650;
pub(super) const FLOAT4: u32 = 700;
pub(super) const FLOAT8: u32 = 701;
pub(super) const CIRCLE: u32 = 718;
pub(super) const MACADDR8: u32 = 774;
pub(super) const MONEY: u32 = 790;
pub(super) const MACADDR: u32 = 829;
pub(super) const INET: u32 = 869;
/// `char(n)`, padded with blanks.
pub(super) const BPCHAR: u32 = 1042;
pub(super) const VARCHAR: u32 = 1043;
pub(super) const DATE: u32 = 1082;
pub(super) const TIME: u32 = 1083;
pub(super) const TIMESTAMP: u32 = 1114;
pub(super) const TIMESTAMPTZ: u32 = 1184;
pub(super) const INTERVAL: u32 = 1186;
pub(super) const TIMETZ: u32 = 1266;
pub(super) const BIT: u32 = 1560;
pub(super) const VARBIT: u32 = 1562;
pub(super) const NUMERIC: u32 = 1700;
pub(super) const REFCURSOR: u32 = 1790;
pub(super) const UUID: u32 = 2950;
pub(super) const TSVECTOR: u32 = 3614;
pub(super) const JSONB: u32 = 3802;
pub(super) const INT4RANGE: u32 = 3904;
pub(super) const NUMRANGE: u32 = 3906;
pub(super) const TSRANGE: u32 = 3908;
pub(super) const TSTZRANGE: u32 = 3910;
pub(super) const DATERANGE: u32 = 3912;
pub(super) const INT8RANGE: u32 = 3926;
