//! Types of streamed rows that the catalog no longer has.
//!
//! Before a table, pgoutput announces the types of its columns that are not built in: number and
//! name, as they were when the row was written. For a domain the announced name is that of its base
//! type. Source: PostgreSQL documentation, "Logical Replication Message Formats", `Type`; and
//! `logicalrep_write_typ` in PostgreSQL's source.

use std::collections::HashMap;
use std::sync::Arc;

use pgcdc_event::{PgType, TypeKind};

/// Types of extensions whose values can be read by the type's name alone.
const OF_EXTENSIONS: [&str; 9] =
    ["citext", "ltree", "hstore", "isbn", "geometry", "geography", "vector", "halfvec", "sparsevec"];

/// The oid of `text`.
const TEXT: u32 = 25;

/// The oids of `text`, `bpchar` and `varchar`.
pub(super) const WORDS: [u32; 3] = [TEXT, 1042, 1043];

/// Names of types, by oid, as the stream announced them.
#[derive(Debug, Default)]
pub(super) struct Announced(HashMap<u32, (Box<str>, Box<str>)>);

impl Announced {
    /// Notes a type's schema and name; an empty schema means `pg_catalog`.
    pub(super) fn insert(&mut self, oid: u32, schema: &str, name: &str) {
        self.0.insert(oid, (schema.into(), name.into()));
    }

    /// Schema and name of a type; the schema of a built-in type is `pg_catalog`.
    pub(super) fn get(&self, oid: u32) -> Option<(&str, &str)> {
        let (schema, name) = self.0.get(&oid)?;
        Some((if schema.is_empty() { "pg_catalog" } else { schema }, name))
    }
}

/// Guesses what type `oid` was from its announced name, and from `now`, the type that has this name
/// today. `None` when neither helps.
pub(super) fn by_name(oid: u32, name: (&str, &str), now: Option<&Arc<PgType>>) -> Option<Arc<PgType>> {
    let (schema, name) = name;
    let made =
        |oid, name: &str, kind| Arc::new(PgType { oid, schema: schema.into(), name: name.into(), kind });
    // For a domain the name of its base type was announced. So a domain that has this name today is
    // another type.
    let now = now.filter(|now| !matches!(now.kind, TypeKind::Domain { .. }));
    match now {
        // It was a domain over a built-in type. The domain's type modifier is lost.
        Some(base) if schema == "pg_catalog" => {
            Some(made(oid, name, TypeKind::Domain { base: Arc::clone(base), typmod: -1 }))
        }
        // The type was created again under its name, which is how one removes a label of an enum;
        // or it is the base type of a domain.
        Some(now) => Some(Arc::clone(now)),
        None if OF_EXTENSIONS.contains(&name) => Some(made(oid, name, TypeKind::Base)),
        None => {
            let element = name.strip_prefix('_').filter(|element| OF_EXTENSIONS.contains(element))?;
            Some(made(oid, name, TypeKind::Array(made(0, element, TypeKind::Base))))
        }
    }
}

/// A type of which nothing is known. With `is_text` its values are written as text, otherwise they
/// are left out.
pub(super) fn unknown(oid: u32, name: Option<(&str, &str)>, is_text: bool) -> Arc<PgType> {
    let (schema, name) = name.unwrap_or_default();
    let kind = if is_text {
        let text =
            PgType { oid: TEXT, schema: "pg_catalog".into(), name: "text".into(), kind: TypeKind::Base };
        TypeKind::Domain { base: Arc::new(text), typmod: -1 }
    } else {
        // The encoder writes no values of this kind.
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
