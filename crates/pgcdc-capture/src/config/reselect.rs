//! `post.processors`. Of Debezium's processors pgcdc has one: it reads columns again whose values
//! the stream does not have.

use pgcdc_config::Reader;
use pgcdc_event::TableName;

use super::filter::{Choice, Patterns};

/// The list of processors; each name in it has its class in `<name>.type`.
const LIST: &str = "post.processors";
/// The one class that is known.
const CLASS: &str = "io.debezium.processors.reselect.ReselectColumnsPostProcessor";

/// The options of one `io.debezium.processors.reselect.ReselectColumnsPostProcessor`. It runs in
/// `stream/reselect.rs`.
#[derive(Clone, Debug)]
pub struct Reselect {
    /// `reselect.columns.include.list` and `reselect.columns.exclude.list`, over
    /// `schema.table:column`.
    columns: Choice,
    /// `reselect.unavailable.values`: whether TOAST values that did not change are read again.
    pub unavailable: bool,
    /// `reselect.null.values`: whether nulls are read again.
    pub null: bool,
    /// `reselect.use.event.key`: whether rows are found by the record's key rather than by the
    /// table's own.
    pub by_event_key: bool,
    /// `reselect.error.handling.mode=fail`: whether a query that fails stops the connector.
    pub fail: bool,
}

impl Reselect {
    /// Whether a column may be read again.
    #[must_use]
    pub fn allows(&self, table: &TableName, column: &str) -> bool {
        self.columns.allows(&format!("{table}:{column}"))
    }
}

/// The names in `post.processors`. A processor's own properties begin with its name.
pub(super) fn names(list: Option<&str>) -> Vec<&str> {
    list.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
}

/// Reads the processors. A class that is not known is a mistake.
pub(super) fn resolve(reader: &mut Reader<'_>) -> Vec<Reselect> {
    let mut all = Vec::new();
    for name in names(reader.raw(LIST)) {
        let key = |rest: &str| format!("{name}.{rest}");
        match reader.text(&key("type")) {
            Some(CLASS | "ReselectColumnsPostProcessor") => all.push(one(reader, &key)),
            Some(class) => {
                let message = format!(
                    "The '{LIST}' value is invalid: {name} is a Java class, {class}, which pgcdc cannot run"
                );
                reader.mistake(LIST, message, format!("of the post processors {CLASS} is known"));
            }
            None => {
                let message = format!("The '{LIST}' value is invalid: {name} has no class");
                reader.mistake(LIST, message, format!("add {name}.type={CLASS}"));
            }
        }
    }
    all
}

/// Reads the options of one processor; `key` gives the full name of an option.
fn one(reader: &mut Reader<'_>, key: &dyn Fn(&str) -> String) -> Reselect {
    let mut patterns = |rest: &str| {
        let key = key(rest);
        let list = reader.text(&key)?;
        match Patterns::compile(list) {
            Ok(patterns) => Some(patterns),
            Err(error) => {
                reader.mistake(
                    &key,
                    format!("The '{key}' value is invalid: {error}"),
                    "write public.orders:note,public.items:.*",
                );
                None
            }
        }
    };
    let (include, exclude) =
        (patterns("reselect.columns.include.list"), patterns("reselect.columns.exclude.list"));
    let word = |rest: &str| reader.text(&key(rest)).unwrap_or_default();
    Reselect {
        columns: match (include, exclude) {
            (Some(only), _) => Choice::Only(only),
            (None, Some(except)) => Choice::Except(except),
            (None, None) => Choice::All,
        },
        unavailable: !word("reselect.unavailable.values").eq_ignore_ascii_case("false"),
        null: !word("reselect.null.values").eq_ignore_ascii_case("false"),
        by_event_key: word("reselect.use.event.key").eq_ignore_ascii_case("true"),
        fail: word("reselect.error.handling.mode").eq_ignore_ascii_case("fail"),
    }
}
