//! Schemas, parsed once and recognised by their bytes.

use std::sync::Arc;

use super::Error;
use super::scan::Scanner;
use super::semantic::Schema;

/// The schemas met lately, by the exact text before the payload.
#[derive(Debug, Default)]
pub(super) struct SchemaMemory {
    met: Vec<(Box<str>, Option<Arc<Schema>>)>,
}

impl SchemaMemory {
    /// Enough for the versions of a table and for a topic that several tables share.
    const CAPACITY: usize = 16;

    /// Takes `{"schema":…,"payload":…}` apart; any other text is its own payload.
    pub(super) fn unwrap<'a>(&mut self, text: &'a str) -> Result<(Option<Arc<Schema>>, &'a str), Error> {
        if !text.trim_start().starts_with('{') {
            return Ok((None, text));
        }
        if let Some((prefix, schema)) = self.met.iter().find(|(prefix, _)| text.starts_with(&**prefix)) {
            let rest = &text[prefix.len()..];
            let mut scanner = Scanner::new(rest);
            let payload = scanner.raw()?;
            if rest[scanner.position()..].trim() == "}" {
                return Ok((schema.clone(), payload));
            }
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
            return Ok((None, text)); // a row with columns of these names
        }
        let schema = Schema::parse(schema)?.map(Arc::new);
        if self.met.len() == Self::CAPACITY {
            self.met.remove(0);
        }
        self.met.push((text[..start].into(), schema.clone()));
        Ok((schema, payload))
    }
}
