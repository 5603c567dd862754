//! A TOML file, with the line of each of its keys.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use crate::mistake::ConfigError;

/// A TOML file that was read, for a [`Section`](crate::Section) to take its values from.
///
/// `toml`'s own [`Table`] does not know where a key stands, and a mistake should say it. So the lines are kept beside the
/// values.
///
/// ```
/// use pgcdc_config::TomlFile;
///
/// let file = TomlFile::parse("s.toml", "[kafka]\n\"group.id\" = \"shop\"")?;
/// assert_eq!(file.root().get("kafka").map(|kafka| kafka.is_table()), Some(true));
/// assert_eq!(file.root().place_of("kafka"), "s.toml:1");
///
/// let error = TomlFile::parse("s.toml", "a = 1\nb = = 2").expect_err("no TOML");
/// assert_eq!(error.mistakes()[0].place, "s.toml:2");
/// # Ok::<(), pgcdc_config::ConfigError>(())
/// ```
#[derive(Debug, Default)]
pub struct TomlFile {
    pub(crate) name: String,
    pub(crate) table: Table,
    pub(crate) lines: Lines,
}

impl TomlFile {
    /// Reads a text; `name` is what mistakes call it.
    ///
    /// # Errors
    /// When the text is no TOML. The message does not quote the line, which may hold a password.
    pub fn parse(name: &str, text: &str) -> Result<Self, ConfigError> {
        let starts = Starts::of(text);
        let table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| starts.line(span.start));
            let message = format!("not TOML: {}", error.message().replace('\n', ", "));
            ConfigError::one(format!("{name}:{line}"), "", message, None)
        })?;
        // What was parsed once is parsed again; a text without its lines would still be read.
        let lines = DeTable::parse(text).map(|table| Lines::of_table(table.get_ref(), 1, &starts));
        Ok(Self { name: name.to_owned(), table, lines: lines.unwrap_or_default() })
    }

    /// The file's outermost table.
    #[must_use]
    pub fn root(&self) -> TomlTable<'_> {
        TomlTable { file: &self.name, table: &self.table, lines: Some(&self.lines) }
    }
}

/// A table of a [`TomlFile`].
#[derive(Clone, Copy, Debug)]
pub struct TomlTable<'t> {
    file: &'t str,
    table: &'t Table,
    lines: Option<&'t Lines>,
}

impl<'t> TomlTable<'t> {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'t Value> {
        self.table.get(key)
    }

    /// The keys with their values.
    pub fn entries(&self) -> impl Iterator<Item = (&'t String, &'t Value)> + use<'t> {
        self.table.iter()
    }

    /// The table within this one; `None` when the key is missing, or its value is of another type.
    #[must_use]
    pub fn inner(&self, key: &str) -> Option<Self> {
        let Value::Table(table) = self.get(key)? else { return None };
        Some(Self { file: self.file, table, lines: self.lines.and_then(|lines| lines.keys.get(key)) })
    }

    /// The tables of a list; `None` when the key is missing, or an element is not a table.
    pub(crate) fn list(&self, key: &str) -> Option<Vec<Self>> {
        let lines = self.lines.and_then(|lines| lines.keys.get(key));
        let elements = self.get(key)?.as_array()?.iter().enumerate();
        let table = |(at, element): (usize, &'t Value)| {
            let lines = lines.and_then(|lines| lines.items.get(at));
            element.as_table().map(|table| Self { file: self.file, table, lines })
        };
        elements.map(table).collect()
    }

    /// `file:line` of the table, or only the file where the line is not known.
    #[must_use]
    pub fn place(&self) -> String {
        place(self.file, self.lines)
    }

    /// `file:line` of a key; the table's place when it does not have the key. A name with dots, such as `retry.max`, may be a
    /// key of a table within this one.
    #[must_use]
    pub fn place_of(&self, key: &str) -> String {
        let lines = self.lines.map(|lines| lines.find(key).unwrap_or(lines));
        place(self.file, lines)
    }
}

/// `file:line`.
pub(crate) fn place(file: &str, lines: Option<&Lines>) -> String {
    match lines {
        Some(Lines { line: line @ 1.., .. }) => format!("{file}:{line}"),
        _ => file.to_owned(),
    }
}

/// Where a value stands, and where the values within it do.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The line of its key, from 1; 0 when it is not known.
    line: usize,
    /// Of a table.
    pub(crate) keys: BTreeMap<String, Lines>,
    /// Of a list.
    pub(crate) items: Vec<Lines>,
}

impl Lines {
    /// A key of this table, or by a name with dots, of a table within it.
    fn find(&self, key: &str) -> Option<&Self> {
        self.keys.get(key).or_else(|| {
            let (table, key) = key.split_once('.')?;
            self.keys.get(table)?.find(key)
        })
    }

    fn of_table(table: &DeTable<'_>, line: usize, starts: &Starts) -> Self {
        let key = |(name, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
            let name: &toml::Spanned<std::borrow::Cow<'_, str>> = name;
            let line = starts.line(name.span().start);
            (name.get_ref().to_string(), Self::of(value.get_ref(), line, starts))
        };
        Self { line, keys: table.iter().map(key).collect(), items: Vec::new() }
    }

    fn of(value: &DeValue<'_>, line: usize, starts: &Starts) -> Self {
        match value {
            DeValue::Table(table) => Self::of_table(table, line, starts),
            DeValue::Array(items) => {
                let item = |item: &toml::Spanned<DeValue<'_>>| {
                    Self::of(item.get_ref(), starts.line(item.span().start), starts)
                };
                Self { line, items: items.iter().map(item).collect(), ..Self::default() }
            }
            _ => Self { line, ..Self::default() },
        }
    }
}

/// The position of each line break of a text.
struct Starts(Vec<usize>);

impl Starts {
    fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    /// The line, from 1, of a position in bytes.
    fn line(&self, at: usize) -> usize {
        1 + self.0.partition_point(|line_break| *line_break < at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_line() {
        let text = "# a file\n[kafka]\n'group.id' = 'g'\n\n[[sink]]\nname = 'a'\nboard = {\n key = 'k' }\n\n[[sink]]\nretry.max = '1s'\n";
        let file = TomlFile::parse("s.toml", text).expect("TOML");
        let root = file.root();
        let kafka = root.inner("kafka").expect("a table");
        assert_eq!((kafka.place(), kafka.place_of("group.id")), ("s.toml:2".into(), "s.toml:3".into()));
        assert_eq!(kafka.place_of("missing"), "s.toml:2");
        let sinks = root.list("sink").expect("two tables");
        assert_eq!(sinks.iter().map(TomlTable::place).collect::<Vec<_>>(), ["s.toml:5", "s.toml:10"]);
        assert_eq!(sinks[0].inner("board").expect("a table").place_of("key"), "s.toml:8");
        assert_eq!(sinks[1].inner("retry").expect("a table").place_of("max"), "s.toml:11");
        assert_eq!(
            (sinks[1].place_of("retry.max"), sinks[1].place_of("retry.min")),
            ("s.toml:11".into(), "s.toml:10".into())
        );
        assert!(root.list("kafka").is_none() && root.inner("sink").is_none());
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line_and_without_its_text() {
        let error = TomlFile::parse("s.toml", "a = 1\npassword = = 'hunter2'").expect_err("no TOML");
        let text = error.to_string();
        assert!(text.starts_with("s.toml:2: not TOML: ") && !text.contains("hunter2"), "{text}");
    }
}
