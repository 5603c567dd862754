//! `transforms.*`: of single message transforms, `ExtractNewRecordState` is built in.

use pgcdc_format::envelope::{AddField, DeleteHandling, FieldSection, Unwrap};

use super::mistake::Warning;
use super::reader::Reader;

const UNWRAP: &str = "io.debezium.transforms.ExtractNewRecordState";

/// Reads the chain of transforms; warnings are about settings of transforms that are not in it.
pub(super) fn resolve(reader: &mut Reader<'_>) -> (Option<Unwrap>, Vec<Warning>) {
    let list = reader.string("transforms");
    let names: Vec<&str> = list.split(',').map(str::trim).filter(|n| !n.is_empty()).collect();
    let mut unwrap = None;
    for name in &names {
        let type_key = format!("transforms.{name}.type");
        match reader.text(&type_key) {
            None => {
                let message =
                    format!("Missing required configuration \"{type_key}\" which has no default value.");
                reader.mistake(
                    "transforms",
                    message,
                    format!("add {type_key}={UNWRAP}, or take {name} out of transforms"),
                );
            }
            Some(UNWRAP) if unwrap.is_none() => unwrap = Some(unwrap_options(reader, name)),
            Some(UNWRAP) => {
                reader.mistake(&type_key, "ExtractNewRecordState stands twice in transforms", "name it once");
            }
            Some(class) => {
                let message =
                    format!("the transform {class} is not built in; without it the records would differ");
                reader.mistake(
                    &type_key,
                    message,
                    format!("pgcdc has {UNWRAP}; take {name} out of transforms or keep Kafka Connect for it"),
                );
            }
        }
    }
    let unused = reader.below("transforms.").filter(|(rest, _)| {
        let of = |name: &&str| rest.strip_prefix(*name).is_some_and(|r| r.starts_with('.'));
        !names.iter().any(of)
    });
    let warnings = unused
        .map(|(_, entry)| Warning {
            place: entry.place.to_string(),
            key: entry.key.clone(),
            reason: "its transform is not named in transforms".into(),
        })
        .collect();
    (unwrap, warnings)
}

/// What may stand below `transforms.<name>.` of an `ExtractNewRecordState`.
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

/// Options that are not built yet, with the value that changes nothing.
const REFUSED: &[(&str, &str)] = &[
    ("route.by.field", ""),
    ("drop.fields.header.name", ""),
    ("drop.fields.from.key", "false"),
    ("replace.null.with.default", "true"),
    ("predicate", ""),
    ("negate", "false"),
];

fn unwrap_options(reader: &mut Reader<'_>, name: &str) -> Unwrap {
    let prefix = format!("transforms.{name}.");
    let given: Vec<_> = reader.below(&prefix).map(|(rest, e)| (rest, e.key.clone())).collect();
    for (option, key) in given {
        let value = reader.raw(&key).unwrap_or_default().trim();
        if option == "drop.tombstones" || option == "delete.handling.mode" {
            let remedy = format!(
                "{prefix}delete.tombstone.handling.mode takes their place: drop, tombstone, rewrite, rewrite-with-tombstone or delete-to-tombstone"
            );
            reader.mistake(&key, format!("Debezium 3 has no {option} any more"), remedy);
        } else if !OPTIONS.contains(&option) {
            let near = super::validate::nearest(option, OPTIONS.iter().copied());
            let remedy = near.map_or_else(
                || format!("its options are {}", OPTIONS[1..].join(", ")),
                |n| format!("did you mean {prefix}{n}?"),
            );
            reader.mistake(&key, format!("unknown option of {UNWRAP}"), remedy);
        } else if REFUSED.iter().any(|&(o, idle)| o == option && !value.eq_ignore_ascii_case(idle)) {
            let message = format!("{option} is not built in yet; without it the records would differ");
            reader.mistake(&key, message, format!("take {key} out, or keep Kafka Connect for it"));
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

/// `op,source.ts_ms:TS`: a dot names the block, a colon the new name. Without a new one the name is
/// the prefix, then block and field joined by `_`.
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
                let name = format!("{prefix}{}", new_name.map_or(&*default_name, str::trim));
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
