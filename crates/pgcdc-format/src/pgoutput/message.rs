use pgcdc_event::{Lsn, ReplicaIdentity};

use super::cursor::Cursor;
use super::{DecodeError, Tuple};

/// Microseconds between 1970-01-01 and 2000-01-01, Postgres' epoch.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

/// One message of the stream.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// `B`: a transaction begins.
    Begin {
        /// Position of its commit record.
        final_lsn: Lsn,
        /// Commit time, microseconds since 1970.
        commit_time_us: i64,
        /// The transaction's id.
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
    /// `O`: the transaction was replicated from another server.
    Origin {
        /// Position of its commit on that server.
        lsn: Lsn,
        /// Name of the replication origin.
        name: &'a str,
    },
    /// `R`: the columns of a table, before its first row and after each change of its definition.
    Relation(RelationBody<'a>),
    /// `Y`: a type that is not built in.
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
        /// Old values, as the replica identity sends them.
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
        /// Old values.
        old: Tuple<'a>,
    },
    /// `T`: emptied tables.
    Truncate {
        /// Whether `CASCADE` was given.
        cascade: bool,
        /// Whether `RESTART IDENTITY` was given.
        restart_identity: bool,
        /// The relations' oids, big-endian, four bytes each.
        relations: &'a [u8],
    },
    /// `M`: `pg_logical_emit_message`.
    Logical {
        /// Whether the message is part of a transaction.
        transactional: bool,
        /// Position of the message.
        lsn: Lsn,
        /// The application's prefix.
        prefix: &'a str,
        /// The content.
        content: &'a [u8],
    },
}

/// The kind of an old row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationIdentity {
    /// `K`: only the columns of the replica identity are set.
    Key,
    /// `O`: the whole row.
    Row,
}

/// The body of a `Relation` message.
#[derive(Clone, Copy, Debug)]
pub struct RelationBody<'a> {
    /// `pg_class.oid`.
    pub oid: u32,
    /// The schema; empty for `pg_catalog`.
    pub schema: &'a str,
    /// The table.
    pub table: &'a str,
    /// The replica identity.
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
    /// The type modifier, -1 for none.
    pub typmod: i32,
}

impl<'a> RelationBody<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, DecodeError> {
        let oid = cursor.u32("a relation's oid")?;
        let schema = cursor.text("a relation's schema")?;
        let table = cursor.text("a relation's name")?;
        let identity = ReplicaIdentity::from_letter(cursor.u8("a replica identity")?)
            .ok_or(DecodeError::Malformed("a replica identity is none of d, n, f, i"))?;
        let count = cursor.u16("a relation's column count")?;
        let body = Self { oid, schema, table, identity, count, body: *cursor };
        for column in body.columns() {
            column?;
        }
        Ok(body)
    }

    /// The columns in the order of tuples.
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

/// Decodes one message.
///
/// # Errors
/// When the bytes are not one message of protocol version 1. Nothing is read past their end.
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
                _ => return Err(DecodeError::Malformed("a delete has neither a key nor a row")),
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

fn update<'a>(cursor: &mut Cursor<'a>) -> Result<Message<'a>, DecodeError> {
    let relation = cursor.u32("an update's relation")?;
    let kind = match cursor.u8("an update's tuple kind")? {
        b'N' => {
            return Ok(Message::Update { relation, old: None, new: Tuple::read(cursor)? });
        }
        b'K' => RelationIdentity::Key,
        b'O' => RelationIdentity::Row,
        _ => return Err(DecodeError::Malformed("an update's tuple is none of K, O, N")),
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
        Err(DecodeError::Malformed("a new row does not begin with N"))
    }
}

fn time(cursor: &mut Cursor<'_>) -> Result<i64, DecodeError> {
    Ok(cursor.i64("a commit time")?.saturating_add(POSTGRES_EPOCH_US))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
