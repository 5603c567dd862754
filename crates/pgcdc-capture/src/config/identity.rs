//! `replica.identity.autoset.values`: which tables get which replica identity at a start. The form
//! and its errors are Debezium's.

use pgcdc_config::Reader;
use pgcdc_event::ReplicaIdentity;

use super::filter::Patterns;

/// The property.
const KEY: &str = "replica.identity.autoset.values";

/// The form that Debezium asks of each value, which its error shows.
const FORM: &str = r"(?i)^\s*(?<tablepredicate>[^\s:]+):(?<replicaidentity>DEFAULT|(INDEX) (?<indexname>.\w*)|FULL|NOTHING)\s*$";

/// The replica identity that some tables are to have.
#[derive(Clone, Debug)]
pub struct IdentityRule {
    /// Regular expressions over `schema.table`.
    pub tables: Patterns,
    /// The identity that they are to have.
    pub identity: ReplicaIdentity,
    /// The index's name, for [`ReplicaIdentity::Index`].
    pub index: Option<String>,
}

impl IdentityRule {
    /// Reads one entry, `table:identity`; `None` when it does not have Debezium's form.
    fn parse(text: &str) -> Option<Self> {
        let (table, word) = text.trim().split_once(':')?;
        if table.is_empty() || table.contains(char::is_whitespace) {
            return None;
        }
        let (identity, index) = match word.to_ascii_uppercase().as_str() {
            "DEFAULT" => (ReplicaIdentity::Default, None),
            "FULL" => (ReplicaIdentity::Full, None),
            "NOTHING" => (ReplicaIdentity::Nothing, None),
            other => {
                other.strip_prefix("INDEX ")?;
                let name = &word["INDEX ".len()..];
                let mut chars = name.chars();
                chars.next()?;
                if !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
                    return None;
                }
                // Debezium writes it without quotes, so PostgreSQL takes it in lower case.
                (ReplicaIdentity::Index, Some(name.to_lowercase()))
            }
        };
        Some(Self { tables: Patterns::compile(table).ok()?, identity, index })
    }
}

/// Reads the list. A wrong entry is a mistake.
pub(super) fn resolve(reader: &mut Reader<'_>) -> Vec<IdentityRule> {
    let Some(list) = reader.raw(KEY) else { return Vec::new() };
    let mut rules = Vec::new();
    for item in list.split(',') {
        match IdentityRule::parse(item) {
            Some(rule) => rules.push(rule),
            None => {
                let what = if item.trim().is_empty() {
                    "Must not be empty".to_owned()
                } else {
                    format!("{item} has an invalid format (expecting '{FORM}')")
                };
                let message = format!("The '{KEY}' value is invalid: {what}");
                reader.mistake(
                    KEY,
                    message,
                    "write public.orders:FULL,public.items:INDEX items_sku; also DEFAULT and NOTHING",
                );
            }
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_as_debezium_takes_them() {
        let parsed = |text| IdentityRule::parse(text).map(|rule| (rule.identity, rule.index));
        assert_eq!(parsed("public.a:FULL"), Some((ReplicaIdentity::Full, None)));
        assert_eq!(parsed(" public.(a|b):nothing "), Some((ReplicaIdentity::Nothing, None)));
        assert_eq!(parsed("public.d:INDEX d_u"), Some((ReplicaIdentity::Index, Some("d_u".into()))));
        for wrong in
            ["", "public.a", ":FULL", "public.a:SOME", "a b:FULL", "public.a:INDEX", "public.d:INDEX a b"]
        {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
