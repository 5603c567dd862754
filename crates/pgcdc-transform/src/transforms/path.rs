//! How an option names a field: by its name, or by the path to a nested field.
//!
//! `field.syntax.version=V1`, the default, takes the text as a name, dots included. `V2` takes a dot as a step into a
//! struct. A step with a dot in its name stands in backticks; a backtick in such a name has a backslash before it:
//!
//! | text | V1 | V2 |
//! |---|---|---|
//! | `a.b` | the field `a.b` | `a`, then `b` |
//! | `` `a.b`.c `` | the field with these characters | `a.b`, then `c` |
//!
//! A backtick ends a name only before a dot or at the end of the text, so `` `a`b` `` is the name `` a`b ``.

use crate::Fault;
use crate::data::{Field, Schema, Struct, Value};
use crate::options::Options;

/// The path to a field.
#[derive(Clone, Debug)]
pub(super) struct FieldPath {
    /// The structs on the way, from the outermost one.
    steps: Vec<String>,
    /// The field itself.
    last: String,
}

impl FieldPath {
    /// Reads the path in the syntax that `field.syntax.version` names.
    pub(super) fn read(path: &str, options: &mut Options<'_>) -> Option<Self> {
        let version = options.text("field.syntax.version").unwrap_or("V1");
        if version.eq_ignore_ascii_case("V1") {
            return Some(Self { steps: Vec::new(), last: path.to_owned() });
        }
        if !version.eq_ignore_ascii_case("V2") {
            options.invalid(
                "field.syntax.version",
                version,
                "String must be one of (case insensitive): V1, V2",
            );
            return None;
        }
        match split(path) {
            Ok(mut steps) => {
                let last = steps.pop().unwrap_or_default();
                Some(Self { steps, last })
            }
            Err(position) => {
                let message = format!(
                    "Incomplete backtick pair in path: [{path}], consider adding a backslash before backtick at position {position} to escape it"
                );
                options.problem("field", message);
                None
            }
        }
    }

    /// The field in a schema; `None` where the schema has no such path.
    ///
    /// # Errors
    /// When a step is no struct.
    pub(super) fn field<'a>(&self, schema: &'a Schema) -> Result<Option<&'a Field>, Fault> {
        let mut current = schema;
        for step in &self.steps {
            match current.field_of_struct(step)? {
                Some(field) => current = &field.schema,
                None => return Ok(None),
            }
        }
        current.field_of_struct(&self.last)
    }

    /// The value in a struct: null where the path ends early. `default_for_null` concerns the last field only.
    ///
    /// # Errors
    /// When a step is no struct.
    pub(super) fn value(&self, from: &Struct, default_for_null: bool) -> Result<Value, Fault> {
        let mut current = from;
        for step in &self.steps {
            let Some(at) = current.schema().position(step) else { return Ok(Value::Null) };
            let inner = current.at(at);
            if inner.is_null() {
                return Ok(Value::Null);
            }
            current = super::transform::require_struct(inner, "nested field access")?;
        }
        let found = current.schema().position(&self.last);
        Ok(found.map_or(Value::Null, |at| current.at_with(at, default_for_null).clone()))
    }

    /// The value in a map, for a record without a schema.
    pub(super) fn value_of_map(&self, from: &[(Value, Value)]) -> Result<Value, Fault> {
        let mut current = Value::Map(from.to_vec().into());
        for step in &self.steps {
            let inner = super::transform::map_get(
                super::transform::require_map(&current, "nested field access")?,
                step,
            );
            if inner.is_null() {
                return Ok(inner);
            }
            current = inner;
        }
        Ok(super::transform::map_get(
            super::transform::require_map(&current, "nested field access")?,
            &self.last,
        ))
    }
}

/// Splits at dots outside of backticks. The error is the position of a backtick without a partner.
fn split(path: &str) -> Result<Vec<String>, usize> {
    let chars: Vec<char> = path.chars().collect();
    let mut steps = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let mut step = String::new();
        if chars[at] != '`' {
            while at < chars.len() && chars[at] != '.' {
                step.push(chars[at]);
                at += 1;
            }
            at += 1;
            steps.push(step);
            continue;
        }
        let opened = at;
        at += 1;
        loop {
            let Some(&c) = chars.get(at) else { return Err(opened) };
            if c != '`' {
                step.push(c);
                at += 1;
                continue;
            }
            let escaped = chars[at - 1] == '\\';
            match chars.get(at + 1) {
                None if escaped => return Err(opened),
                Some('.') if escaped => {
                    step.pop();
                    step.push('`');
                    at += 1;
                }
                None | Some('.') => {
                    at += 2;
                    break;
                }
                Some(_) => {
                    step.push('`');
                    at += 1;
                }
            }
        }
        steps.push(step);
    }
    if path.ends_with('.') {
        steps.push(String::new());
    }
    Ok(steps)
}
