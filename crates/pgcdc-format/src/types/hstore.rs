//! `hstore`: `"key"=>"value", "other"=>NULL`, as JSON text or as a map. A backslash escapes a quote or a backslash.
//!
//! Debezium reads it into a Java `HashMap`, whose order shows in the record: see [`java_order`].
//!
//! Source: PostgreSQL manual, "hstore"; Debezium's `hstore.handling.mode`.

use super::fault::Fault;
use super::json::{write_inner_json_string, write_json_string};

const BAD: Fault = Fault::Bad("not an hstore");

/// A key and its value; `None` is NULL.
type Entry = (Vec<u8>, Option<Vec<u8>>);

/// Appends an hstore as a JSON object, its members in the order of a Java `HashMap`.
pub(super) fn append_map(text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    append_object(text, write_json_string, out)
}

/// Appends an hstore as a JSON object, whose strings `write` escapes.
fn append_object(text: &[u8], write: fn(&[u8], &mut Vec<u8>), out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut entries = read(text)?;
    java_order(&mut entries, 16, |(key, _)| java_hash(key));
    out.push(b'{');
    for (at, (key, value)) in entries.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(key, out);
        out.push(b':');
        match value {
            Some(value) => write(value, out),
            None => out.extend_from_slice(b"null"),
        }
    }
    out.push(b'}');
    Ok(())
}

/// Appends an hstore as a JSON string that holds a JSON object.
pub(super) fn append_json(text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut object = Vec::with_capacity(text.len());
    append_object(text, write_inner_json_string, &mut object)?;
    write_json_string(&object, out);
    Ok(())
}

/// Reads the entries. Postgres keeps a key only once.
fn read(text: &[u8]) -> Result<Vec<Entry>, Fault> {
    let mut entries = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if !entries.is_empty() {
            rest = rest.strip_prefix(b", ").ok_or(BAD)?;
        }
        let (key, after) = quoted(rest)?;
        let after = after.strip_prefix(b"=>").ok_or(BAD)?;
        let (value, after) = match after.strip_prefix(b"NULL") {
            Some(after) => (None, after),
            None => quoted(after).map(|(value, after)| (Some(value), after))?,
        };
        entries.push((key, value));
        rest = after;
    }
    Ok(entries)
}

/// Reads a quoted word; returns it and the text behind it.
fn quoted(text: &[u8]) -> Result<(Vec<u8>, &[u8]), Fault> {
    let mut rest = text.strip_prefix(b"\"").ok_or(BAD)?;
    let mut word = Vec::new();
    loop {
        let stop = memchr::memchr2(b'"', b'\\', rest).ok_or(BAD)?;
        word.extend_from_slice(&rest[..stop]);
        if rest[stop] == b'"' {
            return Ok((word, &rest[stop + 1..]));
        }
        word.push(*rest.get(stop + 1).ok_or(BAD)?);
        rest = &rest[stop + 2..];
    }
}

/// Sorts entries with distinct keys into the order in which a `java.util.HashMap` of this initial capacity gives them once it has
/// grown to hold them: by bucket, and within one bucket by insertion.
///
/// The number of buckets is a power of two, and doubles while more than three quarters of them would be in use. The bucket is the lower
/// bits of the hash, after its upper half was mixed into the lower.
pub(crate) fn java_order<T>(entries: &mut [T], capacity: usize, hash: impl Fn(&T) -> u32) {
    let mut buckets = capacity.next_power_of_two();
    while entries.len() > buckets * 3 / 4 {
        buckets *= 2;
    }
    entries.sort_by_cached_key(|entry| {
        let hash = hash(entry);
        (hash ^ (hash >> 16)) as usize & (buckets - 1)
    });
}

/// Java's `String.hashCode`: over the UTF-16 units, `hash * 31 + unit` in 32 bits.
pub(crate) fn java_hash(text: &[u8]) -> u32 {
    String::from_utf8_lossy(text)
        .encode_utf16()
        .fold(0u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_javas() {
        assert_eq!(java_hash(b"hello"), 99_162_322);
        assert_eq!(
            java_hash("ключ".as_bytes()),
            "ключ".encode_utf16().fold(0u32, |h, c| h.wrapping_mul(31).wrapping_add(c.into()))
        );
    }

    #[test]
    fn order_is_that_of_a_java_hash_map() {
        let keys = "alpha beta gamma delta épsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho \
                    sigma tau upsilon Aa BB AaAa BBBB AaBB 😀";
        let ordered = |count| {
            let mut keys: Vec<_> = keys.split_whitespace().take(count).collect();
            java_order(&mut keys, 16, |key| java_hash(key.as_bytes()));
            keys.join(",")
        };
        // Printed by Java: `new HashMap<>()`, filled in this order.
        assert_eq!(ordered(12), "zeta,iota,lambda,eta,alpha,delta,mu,kappa,theta,beta,gamma,épsilon");
        assert_eq!(ordered(13), "zeta,iota,nu,delta,mu,theta,lambda,eta,alpha,kappa,beta,gamma,épsilon");
        assert_eq!(
            ordered(26),
            "Aa,BB,nu,delta,theta,lambda,eta,omicron,alpha,kappa,beta,épsilon,AaAa,BBBB,AaBB,zeta,sigma,iota,\
             upsilon,mu,tau,xi,rho,😀,pi,gamma"
        );
        let mut sparse = [1u32, 3, 5];
        java_order(&mut sparse, 3, |&index| index);
        assert_eq!(sparse, [1, 5, 3]);
    }

    #[test]
    fn escapes_are_undone() {
        let mut out = Vec::new();
        append_map(br#""a\"b"=>"c\\d", "n"=>NULL"#, &mut out).unwrap();
        assert_eq!(String::from_utf8_lossy(&out), r#"{"a\"b":"c\\d","n":null}"#);
    }
}
