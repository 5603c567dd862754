//! The definitions of a connector's properties, as Connect and Debezium describe them.
//!
//! `definitions.tsv` has what clients show: groups, order, types, defaults, widths, labels and words to choose from, read off
//! the validation answer of Connect 4.3.1 with Debezium 3.7.0. The description of a property is our own, from the table of
//! properties in `pgcdc-capture`.

use std::sync::LazyLock;

use pgcdc_capture::config::properties::TABLE;
use serde_json::{Value, json};

/// The rows, and a head line.
const ROWS: &str = include_str!("definitions.tsv");
/// Stands for a default that does not exist, where an empty text is one.
const NONE: &str = "\\N";

/// Whose property it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// Connect's own, for every connector.
    Connect,
    /// The connector's.
    Connector,
    /// The JSON converter's, below `key.converter` or `value.converter`.
    Json,
}

/// One property.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) section: Section,
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) required: bool,
    pub(crate) default: Option<String>,
    importance: &'static str,
    pub(crate) group: Option<&'static str>,
    order: i64,
    width: &'static str,
    label: &'static str,
    dependents: Vec<&'static str>,
    pub(crate) recommended: Vec<&'static str>,
    pub(crate) visible: bool,
    documentation: String,
}

/// All definitions, Connect's first.
pub(crate) fn definitions() -> &'static [Definition] {
    static DEFINITIONS: LazyLock<Vec<Definition>> =
        LazyLock::new(|| ROWS.lines().skip(1).filter_map(Definition::parse).collect());
    &DEFINITIONS
}

impl Definition {
    /// `None` for a line that is not a row.
    fn parse(row: &'static str) -> Option<Self> {
        let cells: Vec<&'static str> = row.split('\t').collect();
        let [
            section,
            name,
            kind,
            required,
            default,
            importance,
            group,
            order,
            width,
            label,
            dependents,
            recommended,
            visible,
        ] = cells[..]
        else {
            return None;
        };
        let list = |text: &'static str| text.split(',').filter(|word| !word.is_empty()).collect();
        let section = match section {
            "connect" => Section::Connect,
            "debezium" => Section::Connector,
            _ => Section::Json,
        };
        Some(Self {
            section,
            name: name.to_owned(),
            kind,
            required: required == "required",
            default: (default != NONE).then(|| default.to_owned()),
            importance,
            group: (group != NONE).then_some(group),
            order: order.parse().ok()?,
            width,
            label,
            dependents: list(dependents),
            recommended: list(recommended),
            visible: visible == "visible",
            documentation: documentation(section, name),
        })
    }

    /// A property that only a connector's own configuration brings, such as one of a transform.
    pub(crate) fn extra(name: &str) -> Self {
        Self {
            section: Section::Connect,
            name: name.to_owned(),
            kind: "STRING",
            required: false,
            default: None,
            importance: "HIGH",
            group: None,
            order: -1,
            width: "NONE",
            label: "",
            dependents: Vec::new(),
            recommended: Vec::new(),
            visible: true,
            documentation: String::new(),
        }
    }

    /// The same below a converter's name.
    pub(crate) fn below(&self, prefix: &str) -> Self {
        Self { name: format!("{prefix}.{}", self.name), ..self.clone() }
    }

    /// The JSON of a definition.
    pub(crate) fn to_json(&self) -> Value {
        let label = if self.label.is_empty() { &self.name } else { self.label };
        json!({
            "name": self.name,
            "type": self.kind,
            "required": self.required,
            "default_value": self.default,
            "importance": self.importance,
            "documentation": self.documentation,
            "group": self.group,
            "order_in_group": self.order,
            "width": self.width,
            "display_name": label,
            "dependents": self.dependents,
        })
    }
}

/// What our table of properties says.
fn documentation(section: Section, name: &str) -> String {
    let full = if section == Section::Json { format!("key.converter.{name}") } else { name.to_owned() };
    TABLE.find(&full).map_or_else(String::new, |property| property.doc.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read_and_described() {
        let found = definitions();
        assert_eq!(found.len(), ROWS.lines().count() - 1);
        for section in [Section::Connect, Section::Connector, Section::Json] {
            assert!(found.iter().any(|definition| definition.section == section), "{section:?}");
        }
        let bare: Vec<_> = found.iter().filter(|it| it.documentation.is_empty()).map(|it| &it.name).collect();
        assert!(bare.len() < 12, "without a description: {bare:?}");
    }
}
