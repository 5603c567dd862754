use proptest::prelude::*;

use super::super::TupleValue;
use super::*;

fn values<'a>(tuple: Tuple<'a>) -> Vec<TupleValue<'a>> {
    tuple.values().map(|value| value.expect("a whole column")).collect()
}

/// `U` with an old key `(1, null)` and a new row `(2, unchanged)`.
fn update_bytes() -> Vec<u8> {
    let mut bytes = b"U\0\0\x40\x01K\0\x02t\0\0\0\x011n".to_vec();
    bytes.extend_from_slice(b"N\0\x02t\0\0\0\x012u");
    bytes
}

#[test]
fn an_update_carries_old_key_and_new_row() {
    let bytes = update_bytes();
    let Ok(Message::Update { relation, old: Some((kind, old)), new }) = decode(&bytes) else {
        panic!("an update with a key");
    };
    assert_eq!((relation, kind), (0x4001, RelationIdentity::Key));
    assert_eq!(values(old), [TupleValue::Text(b"1"), TupleValue::Null]);
    assert_eq!(values(new), [TupleValue::Text(b"2"), TupleValue::Unchanged]);
}

#[test]
fn a_relation_lists_its_columns() {
    let bytes = b"R\0\0\x40\x01public\0t\0d\0\x01\x01id\0\0\0\0\x17\xff\xff\xff\xff";
    let Ok(Message::Relation(body)) = decode(bytes) else { panic!("a relation") };
    assert_eq!((body.schema, body.table, body.identity), ("public", "t", ReplicaIdentity::Default));
    let column = body.columns().next().expect("one column").expect("whole");
    assert_eq!(column, RelationColumn { in_identity: true, name: "id", type_oid: 23, typmod: -1 });
}

#[test]
fn a_commit_time_counts_from_1970() {
    let mut bytes = b"C\0".to_vec();
    bytes.extend_from_slice(&[0; 16]);
    bytes.extend_from_slice(&0_i64.to_be_bytes());
    let Ok(Message::Commit { commit_time_us, .. }) = decode(&bytes) else { panic!("a commit") };
    assert_eq!(commit_time_us, 946_684_800_000_000);
}

#[test]
fn every_cut_of_a_message_is_an_error_or_a_short_tuple() {
    let bytes = update_bytes();
    for end in 0..bytes.len() {
        if let Ok(Message::Update { new, .. }) = decode(&bytes[..end]) {
            assert!(new.values().any(|value| value.is_err()), "cut at {end} went unnoticed");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), tag in prop::sample::select(b"BCRYIUDTMO".to_vec())) {
        let mut message = vec![tag];
        message.extend_from_slice(&bytes);
        match decode(&message) {
            Ok(Message::Insert { new, .. }) => { let _ = new.values().count(); }
            Ok(Message::Update { old, new, .. }) => {
                let _ = new.values().count();
                if let Some((_, old)) = old { let _ = old.values().count(); }
            }
            Ok(Message::Delete { old, .. }) => { let _ = old.values().count(); }
            Ok(Message::Relation(body)) => { let _ = body.columns().count(); }
            _ => {}
        }
    }
}
