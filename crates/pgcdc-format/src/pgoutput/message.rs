//! The messages and their layouts. In the tables `u8`, `u16`, `u32` and `u64` are unsigned and big-endian, `i32` and `i64`
//! signed, and `text` is UTF-8 with a zero byte at its end. Each message begins with its tag, one byte.
//!
//! | tag | message | fields after the tag |
//! |---|---|---|
//! | `B` | begin | `u64` final LSN, `i64` commit time, `u32` xid |
//! | `C` | commit | `u8` flags (0), `u64` commit LSN, `u64` end LSN, `i64` commit time |
//! | `O` | origin | `u64` LSN there, `text` name |
//! | `R` | relation | `u32` oid, `text` schema, `text` table, `u8` replica identity, `u16` count, then the columns |
//! | `Y` | type | `u32` oid, `text` schema, `text` name |
//! | `I` | insert | `u32` relation, `N`, tuple |
//! | `U` | update | `u32` relation, then `K` tuple or `O` tuple or neither, then `N` tuple |
//! | `D` | delete | `u32` relation, then `K` tuple or `O` tuple |
//! | `T` | truncate | `u32` count, `u8` flags (1 cascade, 2 restart identity), `u32` for each relation |
//! | `M` | logical message | `u8` flags (1 transactional), `u64` LSN, `text` prefix, `u32` length, that many bytes |
//!
//! A column of `R` is `u8` flags (1: part of the replica identity), `text` name, `u32` type, `i32` type modifier. Times count
//! microseconds since 2000-01-01 UTC. For tuples see [`Tuple`].

use pgcdc_event::{Lsn, ReplicaIdentity};

use super::cursor::Cursor;
use super::{DecodeError, Tuple};

/// Microseconds between 1970-01-01 and 2000-01-01, Postgres' epoch.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

/// One message of the stream, borrowed from its bytes.
///
/// ```
/// use pgcdc_format::pgoutput::{Message, TupleValue, decode};
///
/// // `INSERT INTO t VALUES (7, NULL)`, where t has the oid 16384.
/// let bytes = b"I\0\0\x40\0N\0\x02t\0\0\0\x017n";
/// let Message::Insert { relation, new } = decode(bytes)? else { panic!("an insert") };
/// assert_eq!(relation, 16_384);
/// let values = new.values().collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(values, [TupleValue::Text(b"7"), TupleValue::Null]);
/// # Ok::<(), pgcdc_format::pgoutput::DecodeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// `B`: a transaction begins.
    Begin {
        /// Position of its commit record. All changes of the transaction are known before the first is sent, so the
        /// server knows this, too.
        final_lsn: Lsn,
        /// Commit time, microseconds since 1970.
        commit_time_us: i64,
        /// The transaction's id, 32 bits: it repeats after about 4 billion transactions.
        xid: u32,
    },
    /// `C`: a transaction was committed.
    Commit {
        /// Position of the commit record.
        commit_lsn: Lsn,
        /// Position after the commit record: the only position that may be confirmed.
        end_lsn: Lsn,
        /// Commit time, microseconds since 1970.
        commit_time_us: i64,
    },
    /// `O`: the transaction was replicated into this server from another one. It follows `Begin`.
    Origin {
        /// Position of its commit on that server.
        lsn: Lsn,
        /// Name of the replication origin.
        name: &'a str,
    },
    /// `R`: the columns of a table, before its first row in a session and after each change of its definition. Defaults,
    /// NOT NULL and the primary key are not in it; they are read from the catalog.
    Relation(RelationBody<'a>),
    /// `Y`: the name of a type that is not built in, before a relation that has a column of it.
    Type {
        /// `pg_type.oid`.
        oid: u32,
        /// The type's schema.
        schema: &'a str,
        /// The type's name.
        name: &'a str,
    },
    /// `I`: a new row.
    Insert {
        /// The relation's oid.
        relation: u32,
        /// The new row.
        new: Tuple<'a>,
    },
    /// `U`: a changed row.
    Update {
        /// The relation's oid.
        relation: u32,
        /// Old values. The server sends none while the replica identity is `DEFAULT` or an index and no column of it changed;
        /// with `FULL` it always sends the whole row.
        old: Option<(RelationIdentity, Tuple<'a>)>,
        /// The new row.
        new: Tuple<'a>,
    },
    /// `D`: a deleted row.
    Delete {
        /// The relation's oid.
        relation: u32,
        /// Whether `old` holds the key or the whole row.
        kind: RelationIdentity,
        /// Old values: the key, or with `REPLICA IDENTITY FULL` the whole row.
        old: Tuple<'a>,
    },
    /// `T`: one `TRUNCATE`, of all the tables that it emptied.
    Truncate {
        /// Whether `CASCADE` was given.
        cascade: bool,
        /// Whether `RESTART IDENTITY` was given.
        restart_identity: bool,
        /// The relations' oids, big-endian, four bytes each: `chunks_exact(4)` gives them.
        relations: &'a [u8],
    },
    /// `M`: the message of a program that called `pg_logical_emit_message`.
    Logical {
        /// Whether the message is part of a transaction. Any other is sent at once, even when its transaction is rolled
        /// back, and belongs to no transaction.
        transactional: bool,
        /// Position of the message.
        lsn: Lsn,
        /// The application's prefix.
        prefix: &'a str,
        /// The content.
        content: &'a [u8],
    },
}

/// Which columns of an old row were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationIdentity {
    /// `K`: the columns of the replica identity. All other columns are in the tuple, too, as NULL.
    Key,
    /// `O`: the whole row.
    Row,
}

/// The body of a `Relation` message: the table as the rows that follow have it.
///
/// ```
/// use pgcdc_format::pgoutput::{Message, decode};
///
/// let bytes = b"R\0\0\x40\0public\0t\0d\0\x01\x01id\0\0\0\0\x17\xff\xff\xff\xff";
/// let Message::Relation(table) = decode(bytes)? else { panic!("a relation") };
/// assert_eq!((table.schema, table.table), ("public", "t"));
/// let id = table.columns().next().expect("one column")?;
/// assert_eq!((id.name, id.type_oid, id.typmod, id.in_identity), ("id", 23, -1, true));
/// # Ok::<(), pgcdc_format::pgoutput::DecodeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RelationBody<'a> {
    /// `pg_class.oid`: the number by which rows refer to the table.
    pub oid: u32,
    /// The schema; empty for `pg_catalog`.
    pub schema: &'a str,
    /// The table's name.
    pub table: &'a str,
    /// Which old values the server sends with updates and deletes.
    pub identity: ReplicaIdentity,
    count: u16,
    body: Cursor<'a>,
}

/// A column of a [`RelationBody`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelationColumn<'a> {
    /// Whether the column is part of the replica identity.
    pub in_identity: bool,
    /// The name.
    pub name: &'a str,
    /// `pg_type.oid`.
    pub type_oid: u32,
    /// The type modifier (`pg_attribute.atttypmod`): a length, a precision, or both packed; -1 for none.
    pub typmod: i32,
}

impl<'a> RelationBody<'a> {
    /// Reads the body and checks all columns, so that [`columns`](Self::columns) cannot fail later.
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, DecodeError> {
        let oid = cursor.u32("a relation's oid")?;
        let schema = cursor.text("a relation's schema")?;
        let table = cursor.text("a relation's name")?;
        let identity = ReplicaIdentity::from_letter(cursor.u8("a replica identity")?)
            .ok_or(DecodeError::Malformed("the replica identity is not one of d, n, f, i"))?;
        let count = cursor.u16("a relation's column count")?;
        let body = Self { oid, schema, table, identity, count, body: *cursor };
        for column in body.columns() {
            column?;
        }
        Ok(body)
    }

    /// The columns, in the order in which tuples carry their values. Dropped columns are not among them, and
    /// generated ones only where the publication says so (`publish_generated_columns` of PostgreSQL 18).
    ///
    /// An item is an error only if the body was not made by [`decode`], which checks every column.
    pub fn columns(&self) -> impl Iterator<Item = Result<RelationColumn<'a>, DecodeError>> + use<'a> {
        let mut cursor = self.body;
        (0..self.count).map(move |_| {
            Ok(RelationColumn {
                in_identity: cursor.u8("a column's flags")? & 1 == 1,
                name: cursor.text("a column's name")?,
                type_oid: cursor.u32("a column's type")?,
                typmod: cursor.i32("a column's modifier")?,
            })
        })
    }
}

/// Decodes one message. Nothing is allocated or copied. A tuple's columns are not checked here but when they are read, except for
/// those of an update's old row, behind which the new row begins.
///
/// Bytes behind the message's last field are ignored.
///
/// # Errors
/// When the bytes are not one message of protocol version 1. Nothing is read past their end.
///
/// ```
/// use pgcdc_format::pgoutput::{DecodeError, decode};
/// assert_eq!(decode(b"S").unwrap_err(), DecodeError::UnknownTag(b'S'));
/// assert_eq!(decode(b"I\0\0").unwrap_err(), DecodeError::Truncated("an insert's relation"));
/// ```
#[inline]
pub fn decode(bytes: &[u8]) -> Result<Message<'_>, DecodeError> {
    let mut cursor = Cursor::new(bytes);
    let message = match cursor.u8("the message tag")? {
        b'I' => {
            let relation = cursor.u32("an insert's relation")?;
            expect_tag(&mut cursor, b'N')?;
            Message::Insert { relation, new: Tuple::read(&mut cursor)? }
        }
        b'U' => update(&mut cursor)?,
        b'D' => {
            let relation = cursor.u32("a delete's relation")?;
            let kind = match cursor.u8("a delete's tuple kind")? {
                b'K' => RelationIdentity::Key,
                b'O' => RelationIdentity::Row,
                _ => return Err(DecodeError::Malformed("the kind of a delete's tuple is not one of K, O")),
            };
            Message::Delete { relation, kind, old: Tuple::read(&mut cursor)? }
        }
        b'B' => Message::Begin {
            final_lsn: Lsn::new(cursor.u64("a begin's position")?),
            commit_time_us: time(&mut cursor)?,
            xid: cursor.u32("a begin's transaction")?,
        },
        b'C' => {
            cursor.u8("a commit's flags")?;
            Message::Commit {
                commit_lsn: Lsn::new(cursor.u64("a commit's position")?),
                end_lsn: Lsn::new(cursor.u64("a commit's end")?),
                commit_time_us: time(&mut cursor)?,
            }
        }
        b'R' => Message::Relation(RelationBody::read(&mut cursor)?),
        b'Y' => Message::Type {
            oid: cursor.u32("a type's oid")?,
            schema: cursor.text("a type's schema")?,
            name: cursor.text("a type's name")?,
        },
        b'O' => Message::Origin {
            lsn: Lsn::new(cursor.u64("an origin's position")?),
            name: cursor.text("an origin's name")?,
        },
        b'T' => truncate(&mut cursor)?,
        b'M' => {
            let transactional = cursor.u8("a message's flags")? & 1 == 1;
            let lsn = Lsn::new(cursor.u64("a message's position")?);
            let prefix = cursor.text("a message's prefix")?;
            let length = cursor.u32("a message's length")? as usize;
            Message::Logical { transactional, lsn, prefix, content: cursor.bytes(length, "a message")? }
        }
        tag => return Err(DecodeError::UnknownTag(tag)),
    };
    Ok(message)
}

/// Reads an update, whose old row is there only in some cases.
fn update<'a>(cursor: &mut Cursor<'a>) -> Result<Message<'a>, DecodeError> {
    let relation = cursor.u32("an update's relation")?;
    let kind = match cursor.u8("an update's tuple kind")? {
        b'N' => {
            return Ok(Message::Update { relation, old: None, new: Tuple::read(cursor)? });
        }
        b'K' => RelationIdentity::Key,
        b'O' => RelationIdentity::Row,
        _ => return Err(DecodeError::Malformed("the kind of an update's tuple is not one of K, O, N")),
    };
    let old = Tuple::read(cursor)?;
    old.skip(cursor)?;
    expect_tag(cursor, b'N')?;
    Ok(Message::Update { relation, old: Some((kind, old)), new: Tuple::read(cursor)? })
}

fn truncate<'a>(cursor: &mut Cursor<'a>) -> Result<Message<'a>, DecodeError> {
    let count = cursor.u32("a truncate's count")? as usize;
    let flags = cursor.u8("a truncate's flags")?;
    let length = count.checked_mul(4).ok_or(DecodeError::Truncated("a truncate's relations"))?;
    Ok(Message::Truncate {
        cascade: flags & 1 != 0,
        restart_identity: flags & 2 != 0,
        relations: cursor.bytes(length, "a truncate's relations")?,
    })
}

fn expect_tag(cursor: &mut Cursor<'_>, tag: u8) -> Result<(), DecodeError> {
    if cursor.u8("a tuple's tag")? == tag {
        Ok(())
    } else {
        Err(DecodeError::Malformed("the kind of a new row's tuple is not N"))
    }
}

/// A time on the wire, moved to the epoch of 1970.
fn time(cursor: &mut Cursor<'_>) -> Result<i64, DecodeError> {
    Ok(cursor.i64("a commit time")?.saturating_add(POSTGRES_EPOCH_US))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
