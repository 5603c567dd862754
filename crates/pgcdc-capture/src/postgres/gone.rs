//! Types that rows of the stream have and the catalog no longer has.
//!
//! Before a table, pgoutput announces each of its columns' types that is not built in, by number and name, both as they
//! were when the row was written; of a domain the name is that of the type below it. Source: the PostgreSQL manual,
//! "Logical Replication Message Formats", and `logicalrep_write_typ`.

use std::collections::HashMap;
use std::sync::Arc;

use pgcdc_event::{PgType, TypeKind};

/// Types of extensions whose text is understood by their name alone.
const OF_EXTENSIONS: [&str; 9] =
    ["citext", "ltree", "hstore", "isbn", "geometry", "geography", "vector", "halfvec", "sparsevec"];

const TEXT: u32 = 25;

/// `text`, `bpchar`, `varchar`.
pub(super) const WORDS: [u32; 3] = [TEXT, 1042, 1043];

/// The names that the stream gave types.
#[derive(Debug, Default)]
pub(super) struct Announced(HashMap<u32, (Box<str>, Box<str>)>);

impl Announced {
    pub(super) fn insert(&mut self, oid: u32, schema: &str, name: &str) {
        self.0.insert(oid, (schema.into(), name.into()));
    }

    /// Schema and name; the schema of a built-in type is `pg_catalog`.
    pub(super) fn get(&self, oid: u32) -> Option<(&str, &str)> {
        let (schema, name) = self.0.get(&oid)?;
        Some((if schema.is_empty() { "pg_catalog" } else { schema }, name))
    }
}

/// What type `oid` was, as far as its name and the type that has this name now tell.
pub(super) fn by_name(oid: u32, name: (&str, &str), now: Option<&Arc<PgType>>) -> Option<Arc<PgType>> {
    let (schema, name) = name;
    let made =
        |oid, name: &str, kind| Arc::new(PgType { oid, schema: schema.into(), name: name.into(), kind });
    // Of a domain the name is that of the type below it: a domain of this name is another type.
    let now = now.filter(|now| !matches!(now.kind, TypeKind::Domain { .. }));
    match now {
        // A domain over a built-in type; its modifier went with it.
        Some(base) if schema == "pg_catalog" => {
            Some(made(oid, name, TypeKind::Domain { base: Arc::clone(base), typmod: -1 }))
        }
        // The type was made anew under its name, as one does to remove a label of an enum; or it is below a domain.
        Some(now) => Some(Arc::clone(now)),
        None if OF_EXTENSIONS.contains(&name) => Some(made(oid, name, TypeKind::Base)),
        None => {
            let element = name.strip_prefix('_').filter(|element| OF_EXTENSIONS.contains(element))?;
            Some(made(oid, name, TypeKind::Array(made(0, element, TypeKind::Base))))
        }
    }
}

/// A type of which nothing is known. Its values are text where they are needed for a key, and else left out.
pub(super) fn unknown(oid: u32, name: Option<(&str, &str)>, is_text: bool) -> Arc<PgType> {
    let (schema, name) = name.unwrap_or_default();
    let kind = if is_text {
        let text =
            PgType { oid: TEXT, schema: "pg_catalog".into(), name: "text".into(), kind: TypeKind::Base };
        TypeKind::Domain { base: Arc::new(text), typmod: -1 }
    } else {
        // As of every type without a form of its own.
        TypeKind::Composite
    };
    Arc::new(PgType { oid, schema: schema.into(), name: name.into(), kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(oid: u32, name: &str) -> Arc<PgType> {
        Arc::new(PgType { oid, schema: "x".into(), name: name.into(), kind: TypeKind::Base })
    }

    #[test]
    fn a_name_tells_what_a_type_was() {
        let int4 = base(23, "int4");
        let domain = by_name(9, ("pg_catalog", "int4"), Some(&int4)).expect("a domain");
        assert_eq!(domain.kind, TypeKind::Domain { base: int4, typmod: -1 });
        let mood = base(70_000, "mood");
        assert_eq!(by_name(9, ("public", "mood"), Some(&mood)), Some(mood));
        let hstore = by_name(9, ("public", "hstore"), None).expect("an extension's");
        assert_eq!((&*hstore.name, &hstore.kind), ("hstore", &TypeKind::Base));
        let array = by_name(9, ("public", "_citext"), None).expect("an extension's array");
        assert!(matches!(&array.kind, TypeKind::Array(element) if &*element.name == "citext"));
        assert_eq!(by_name(9, ("public", "mood"), None), None);
        assert_eq!(by_name(9, ("public", "_mood"), None), None);
    }
}
