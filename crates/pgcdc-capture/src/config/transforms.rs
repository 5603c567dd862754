//! `transforms.*` and `predicates.*`. The encoder does `ExtractNewRecordState` when it is the only
//! transform; any other chain is left to `pgcdc-transform`.

use pgcdc_config::{Reader, Warning};
use pgcdc_format::envelope::{AddField, DeleteHandling, FieldSection, Unwrap};
use pgcdc_transform::Chain;

/// The transform that the encoder can do.
const UNWRAP: &str = "io.debezium.transforms.ExtractNewRecordState";

/// The same without its package, as Connect allows.
const UNWRAP_SHORT: &str = "ExtractNewRecordState";

/// Who transforms records.
pub(super) enum Chosen {
    /// Nobody: there is no transform.
    None,
    /// The encoder, which writes flattened records at once.
    Unwrap(Unwrap),
    /// A chain with these properties.
    Chain(Vec<(String, String)>),
}

/// Reads the chain of transforms. The warnings are about settings that belong to no transform and
/// no predicate.
///
/// `staged` says that records go through Connect's data model in any case, so that nothing is left
/// to the encoder.
pub(super) fn resolve(reader: &mut Reader<'_>, staged: bool) -> (Chosen, Vec<Warning>) {
    let names = names(reader, "transforms");
    if names.is_empty() && self::names(reader, "predicates").is_empty() {
        return (Chosen::None, unnamed(reader, "transforms", &names));
    }
    let mut warnings = unnamed(reader, "transforms", &names);
    if let [name] = &names[..]
        && !staged
        && is_compiled(reader, name)
    {
        return (Chosen::Unwrap(unwrap_options(reader, name)), warnings);
    }
    warnings.extend(unnamed(reader, "predicates", &self::names(reader, "predicates")));
    let mut properties = Vec::new();
    for list in ["transforms", "predicates"] {
        properties.extend(reader.raw(list).map(|value| (list.to_owned(), value.to_owned())));
        let below = format!("{list}.");
        let entries = reader.below(&below);
        properties.extend(entries.map(|(_, entry)| (entry.key.clone(), entry.value.expose().to_owned())));
    }
    match Chain::configure(&properties) {
        Ok(configured) => {
            for key in configured.unused {
                reader.unknown(&key, "its transform or predicate has no such option", "remove it");
            }
        }
        Err(problems) => {
            for problem in problems {
                let class = reader.text(&problem.key).and_then(super::java_classes::in_place_of);
                let remedy = match class.filter(|_| problem.key.ends_with(".type")) {
                    Some(instead) => instead.to_owned(),
                    None if problem.message.ends_with("could not be found.") => {
                        "pgcdc has the transforms and predicates of Kafka and of Debezium; no jar of others can be loaded".to_owned()
                    }
                    None => format!("{} is checked as Kafka Connect checks it", problem.key),
                };
                reader.mistake(&problem.key, problem.message, remedy);
            }
        }
    }
    // Predicates are checked even when no transform refers to them.
    (if names.is_empty() { Chosen::None } else { Chosen::Chain(properties) }, warnings)
}

/// The names in a list.
fn names(reader: &Reader<'_>, list: &str) -> Vec<String> {
    let list = reader.string(list);
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Warns of settings below a name that the list does not have.
fn unnamed(reader: &Reader<'_>, list: &str, names: &[String]) -> Vec<Warning> {
    let below = format!("{list}.");
    let unused = reader.below(&below).filter(|(rest, _)| {
        let of = |name: &String| rest.strip_prefix(name.as_str()).is_some_and(|r| r.starts_with('.'));
        !names.iter().any(of)
    });
    let one = list.trim_end_matches('s');
    unused
        .map(|(_, entry)| Warning {
            place: entry.place.to_string(),
            key: entry.key.clone(),
            reason: format!("its {one} is not named in {list}"),
        })
        .collect()
}

/// Whether the encoder can do the only transform.
fn is_compiled(reader: &Reader<'_>, name: &str) -> bool {
    let option = |option: &str| reader.raw(&format!("transforms.{name}.{option}")).map(str::trim);
    matches!(option("type"), Some(UNWRAP | UNWRAP_SHORT))
        && option("add.fields").is_none_or(|list| !in_general(list, false))
        && option("add.headers").is_none_or(|list| !in_general(list, true))
        && GENERIC
            .iter()
            .all(|&(name, idle)| option(name).is_none_or(|value| value.eq_ignore_ascii_case(idle)))
}

/// Whether a list of added fields or headers has one that the encoder cannot add: a whole block, or
/// in headers a column.
fn in_general(list: &str, headers: bool) -> bool {
    list.split(',').any(|item| {
        let path = item.split(':').next().unwrap_or_default().trim();
        let block = path.split('.').next().unwrap_or_default();
        let column = matches!(block, "before" | "after");
        let whole = path == block && (column || matches!(block, "source" | "transaction"));
        whole || (headers && column)
    })
}

/// The options that an `ExtractNewRecordState` may have below `transforms.<name>.`.
const OPTIONS: &[&str] = &[
    "type",
    "delete.tombstone.handling.mode",
    "add.fields",
    "add.fields.prefix",
    "add.headers",
    "add.headers.prefix",
    "replace.null.with.default",
    "route.by.field",
    "drop.fields.header.name",
    "drop.fields.from.key",
    "drop.fields.keep.schema.compatible",
    "predicate",
    "negate",
    "plugin.version",
];

/// Options that the encoder does not have, each with the value under which it changes nothing.
const GENERIC: &[(&str, &str)] = &[
    ("route.by.field", ""),
    ("drop.fields.header.name", ""),
    ("drop.fields.from.key", "false"),
    ("replace.null.with.default", "true"),
    ("predicate", ""),
    ("negate", "false"),
];

/// Reads the options of an `ExtractNewRecordState` that the encoder does. Unknown ones are noted
/// with the nearest name.
fn unwrap_options(reader: &mut Reader<'_>, name: &str) -> Unwrap {
    let prefix = format!("transforms.{name}.");
    let given: Vec<_> = reader.below(&prefix).map(|(rest, e)| (rest, e.key.clone())).collect();
    for (option, key) in given {
        if !OPTIONS.contains(&option) {
            let near = super::validate::nearest(option, OPTIONS.iter().copied());
            let remedy = near.map_or_else(
                || format!("its options are {}", OPTIONS[1..].join(", ")),
                |n| format!("did you mean {prefix}{n}?"),
            );
            reader.unknown(&key, format!("unknown option of {UNWRAP}"), remedy);
        }
    }
    let of = |option: &str| format!("{prefix}{option}");
    let deletes = delete_handling(reader, &of("delete.tombstone.handling.mode"));
    let text = |reader: &Reader<'_>, option: &str, default: &str| {
        reader.raw(&of(option)).map_or_else(|| default.to_owned(), |v| v.trim().to_owned())
    };
    let fields_prefix = text(reader, "add.fields.prefix", "__");
    let headers_prefix = text(reader, "add.headers.prefix", "__");
    Unwrap {
        delete: deletes,
        add_fields: add_fields(reader, &of("add.fields"), &fields_prefix),
        add_headers: add_fields(reader, &of("add.headers"), &headers_prefix),
    }
}

/// Reads `delete.tombstone.handling.mode`.
fn delete_handling(reader: &mut Reader<'_>, key: &str) -> DeleteHandling {
    const MODES: &[(&str, DeleteHandling)] = &[
        ("drop", DeleteHandling::Drop),
        ("tombstone", DeleteHandling::Tombstone),
        ("rewrite", DeleteHandling::Rewrite),
        ("rewrite-with-tombstone", DeleteHandling::RewriteWithTombstone),
        ("delete-to-tombstone", DeleteHandling::DeleteToTombstone),
    ];
    let Some(word) = reader.raw(key).map(str::trim).filter(|w| !w.is_empty()) else {
        return DeleteHandling::default();
    };
    if let Some(&(_, mode)) = MODES.iter().find(|(w, _)| w.eq_ignore_ascii_case(word)) {
        return mode;
    }
    let words: Vec<_> = MODES.iter().map(|&(w, _)| w).collect();
    let message = format!("The '{key}' value is invalid: Value must be one of {}", words.join(", "));
    reader.mistake(key, message, "the default is tombstone");
    DeleteHandling::default()
}

/// Reads a list such as `op,source.ts_ms:TS`: a dot names the block, a colon the new name. Without
/// a new name it is the prefix, then block and field joined by `_`.
fn add_fields(reader: &mut Reader<'_>, key: &str, prefix: &str) -> Vec<AddField> {
    let list = reader.raw(key).unwrap_or_default();
    let mut fields = Vec::new();
    for item in list.split(',').map(str::trim).filter(|i| !i.is_empty()) {
        let (path, new_name) = item.split_once(':').map_or((item, None), |(p, n)| (p, Some(n)));
        let (section, field) = match path.split_once('.') {
            None => (None, path),
            Some((block, field)) => (Some(block), field),
        };
        let known = match section {
            None => Some(None),
            Some("source") => Some(Some(FieldSection::Source)),
            Some("before") => Some(Some(FieldSection::Before)),
            Some("after") => Some(Some(FieldSection::After)),
            Some("transaction") => Some(Some(FieldSection::Transaction)),
            Some(_) => None,
        };
        let named = new_name.is_none_or(|n| !n.trim().is_empty() && !n.contains(':'));
        match known {
            Some(known) if named && !field.is_empty() && !field.contains('.') => {
                let default_name = path.replace('.', "_");
                let name = format!("{prefix}{}", new_name.unwrap_or(&default_name));
                fields.push(AddField { section: known, field: field.to_owned(), name });
            }
            _ => {
                let message =
                    format!("The '{key}' value is invalid: \"{item}\" is not a field of the envelope");
                reader.mistake(
                    key,
                    message,
                    "write op, source.lsn, before.column or transaction.id, with :name to rename it",
                );
            }
        }
    }
    fields
}
