//! The language of the script transforms, `Filter` and `ContentBasedRouter`: `language=pgcdc`.
//!
//! An expression sees one record and gives one value:
//!
//! ```text
//! value.op == 'u' && value.before.id == 2
//! value.after.city in ['Oslo', 'Turku'] ? 'north' : null
//! topic.matches('shop\\..*') && header.tenant.value != null
//! ```
//!
//! | what | how |
//! |---|---|
//! | the record | `topic`, `key`, `value`, `keySchema.name`, `valueSchema.name`, `header.<name>.value` |
//! | a field, an item, an entry | `value.after.id`, `value.after['first name']`, `value.after.tags[0]` |
//! | literals | `null`, `true`, `false`, `12`, `1.5`, `'text'`, `"text"`, `[1, 2]` |
//! | comparisons | `==`, `!=`, `<`, `<=`, `>`, `>=`, `in` (a list or a map's keys) |
//! | logic | `!`, `&&`, `\|\|`, `c ? a : b`; only what is needed is looked at |
//! | arithmetic | `+` (also of texts), `-`, `*`, `/`, `%` |
//! | of texts | `startsWith(t)`, `endsWith(t)`, `contains(t)`, `matches(regex)` (the whole text), `toLowerCase()`, `toUpperCase()`, `trim()`, `size()` |
//! | of lists and maps | `contains(x)`, `size()` |
//!
//! A step from null gives null, `?.` is the same as `.`; a field that the schema does not have is an error. Numbers
//! of different sizes compare by what they are worth; a number never equals a text. Numbers with a fraction, and whole
//! ones beyond 64 bits, are compared as doubles, so some 15 digits count.
//!
//! A comparison with null by `<`, `<=`, `>` or `>=` is false. Where `true` or `false` is needed null counts as false, and any
//! other value is an error. An index below zero counts from the end; one beyond the end gives null. Of several headers with
//! one name the last one counts.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let keeps = |condition: &str, row: &str| {
//!     let options = format!("type=io.debezium.transforms.Filter\nlanguage=pgcdc\ncondition={condition}");
//!     try_on(&options, &format!(r#"{{"value":{row}}}"#))
//! };
//! let row = r#"{"id":7,"city":"Oslo","tags":["new","paid"]}"#;
//! assert_ne!(keeps("value.id > 5 && 'paid' in value.tags", row), "dropped");
//! assert_eq!(keeps("value.city.startsWith('T')", row), "dropped");
//! assert_eq!(
//!     keeps("value.town == 'Oslo'", row),
//!     "failed: town is not a valid field name",
//! );
//! assert!(keeps("value.city =", row).starts_with("refused: transforms.t.condition: Failed to parse expression"));
//! ```

mod eval;
mod lex;
mod parse;
#[cfg(test)]
mod tests;

pub(crate) use eval::evaluate;
pub(crate) use parse::{Node, parse};
