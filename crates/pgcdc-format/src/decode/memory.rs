//! Schemas, parsed once and recognised by their bytes.
//!
//! A record with a schema begins with `{"schema":{…},"payload":`, and this text is the same in every record of a table until its
//! definition changes. It is often ten times as long as the row. So it is compared as bytes, which costs almost nothing, and not
//! parsed again.

use std::sync::Arc;

use super::error::Error;
use super::scan::Scanner;
use super::semantic::Schema;

/// The schemas of recent records, by the exact text before the payload.
#[derive(Debug, Default)]
pub(super) struct SchemaMemory {
    /// The texts, oldest first, each with its schema; a null schema is `None`. The newest is compared first.
    met: Vec<(Box<str>, Option<Arc<Schema>>)>,
}

impl SchemaMemory {
    /// How many schemas are kept: enough for the versions of a table, and for a topic that several tables share.
    const CAPACITY: usize = 16;

    /// Splits `{"schema":…,"payload":…}` when the schema is a known one.
    ///
    /// Fast, since the text after the schema is not checked. When it turns out not to be one JSON value, call
    /// [`unwrap`](Self::unwrap).
    pub(super) fn known<'a>(&self, text: &'a str) -> Option<(Option<Arc<Schema>>, &'a str)> {
        let (prefix, schema) = self.met.iter().rev().find(|(prefix, _)| text.starts_with(&**prefix))?;
        let payload = text[prefix.len()..].trim_end().strip_suffix('}')?;
        Some((schema.clone(), payload))
    }

    /// Splits `{"schema":…,"payload":…}` and remembers the schema. Any other text is a payload without a schema, even a text
    /// that is not JSON: the payload's reader finds the mistake.
    ///
    /// The schema must stand first, as Connect writes it. An object with a third member is a row with a column named
    /// `schema`.
    ///
    /// # Errors
    /// When the text begins as a wrapper and is not JSON, or its schema is not one of Connect's.
    pub(super) fn unwrap<'a>(&mut self, text: &'a str) -> Result<(Option<Arc<Schema>>, &'a str), Error> {
        if !Scanner::new(text).begins_with("schema") {
            return Ok((None, text));
        }
        let (mut schema, mut payload, mut start, mut others) = (None, None, 0, false);
        let base = text.as_ptr() as usize;
        let mut scanner = Scanner::new(text);
        scanner.object(|scanner, name| {
            match &*name {
                "schema" if !others => schema = Some(scanner.raw()?),
                "payload" if schema.is_some() => {
                    let raw = scanner.raw()?;
                    start = raw.as_ptr() as usize - base;
                    payload = Some(raw);
                }
                _ => {
                    others = true;
                    scanner.raw()?;
                }
            }
            Ok(())
        })?;
        scanner.end()?;
        let (Some(schema), Some(payload), false) = (schema, payload, others) else { return Ok((None, text)) };
        if !schema.starts_with('{') && schema != "null" {
            return Ok((None, text)); // a row with the columns `schema` and `payload`
        }
        let schema = Schema::parse(schema)?.map(Arc::new);
        if self.met.len() == Self::CAPACITY {
            self.met.remove(0);
        }
        self.met.push((text[..start].into(), schema.clone()));
        Ok((schema, payload))
    }
}
