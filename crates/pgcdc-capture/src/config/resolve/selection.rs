//! The properties about what is captured: lists of tables, columns, messages, and the columns of
//! keys.

use pgcdc_config::Reader;

use crate::config::filter::{Choice, ColumnFilter, KeyColumns, MessageFilter, Patterns, TableFilter};

/// Reads the lists of schemas and tables.
pub(super) fn tables(reader: &Reader<'_>) -> TableFilter {
    TableFilter {
        schemas: choice(reader, "schema.include.list", "schema.exclude.list"),
        tables: choice(reader, "table.include.list", "table.exclude.list"),
        signals: patterns(reader, "signal.data.collection").unwrap_or_default(),
    }
}

/// Reads the lists of columns.
pub(super) fn columns(reader: &Reader<'_>) -> ColumnFilter {
    ColumnFilter(choice(reader, "column.include.list", "column.exclude.list"))
}

/// Reads the lists of logical messages' prefixes.
pub(super) fn messages(reader: &Reader<'_>) -> MessageFilter {
    MessageFilter(choice(reader, "message.prefix.include.list", "message.prefix.exclude.list"))
}

/// Reads `guardrail.collections.max`, and whether more tables are an error; `None` for no limit.
pub(super) fn most_tables(reader: &Reader<'_>) -> Option<(usize, bool)> {
    let most = usize::try_from(reader.number("guardrail.collections.max")).ok().filter(|&most| most > 0)?;
    Some((most, reader.string("guardrail.collections.limit.action").eq_ignore_ascii_case("fail")))
}

/// A list of patterns; `None` when it is not set, and when it does not compile, which validation
/// has reported.
pub(super) fn patterns(reader: &Reader<'_>, key: &str) -> Option<Patterns> {
    reader.text(key).and_then(|list| Patterns::compile(list).ok())
}

/// A pair of lists that exclude each other.
fn choice(reader: &Reader<'_>, include: &str, exclude: &str) -> Choice {
    match (patterns(reader, include), patterns(reader, exclude)) {
        (Some(only), _) => Choice::Only(only),
        (None, Some(except)) => Choice::Except(except),
        (None, None) => Choice::All,
    }
}

/// Reads `message.key.columns`.
pub(super) fn key_columns(reader: &mut Reader<'_>) -> KeyColumns {
    const KEY: &str = "message.key.columns";
    KeyColumns::compile(&reader.string(KEY)).unwrap_or_else(|e| {
        let remedy = "write public.orders:id,region;public.items:sku";
        reader.mistake(KEY, format!("The '{KEY}' value is invalid: {e}"), remedy);
        KeyColumns::default()
    })
}
