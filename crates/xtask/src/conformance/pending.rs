//! `pending.toml`: the variants that pgcdc does not pass yet, each with its reason. The list must be true: a variant that
//! passes has to leave it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};

const HEAD: &str = "\
# Where pgcdc differs from Debezium: scenario/variant = reason. `cargo xtask conformance` fails when one of these passes;
# `cargo xtask conformance --forget-passed` takes those out.
";

/// The list.
#[derive(Debug, Default)]
pub(super) struct Pending(BTreeMap<String, String>);

impl Pending {
    /// Reads the file; none means an empty list.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let Ok(text) = std::fs::read_to_string(file) else { return Ok(Self::default()) };
        let mut list = BTreeMap::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            if line.trim().is_empty() {
                continue;
            }
            // A line of TOML between two basic strings, which JSON's strings are.
            let pair = line.split_once(" = ").and_then(|(name, reason)| {
                Some((serde_json::from_str(name).ok()?, serde_json::from_str(reason).ok()?))
            });
            let Some((name, reason)) = pair else {
                bail!("{}:{}: not `\"scenario/variant\" = \"reason\"`", file.display(), number + 1);
            };
            list.insert(name, reason);
        }
        Ok(Self(list))
    }

    /// Why a variant is known not to pass.
    pub(super) fn reason(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Adds a variant, or takes it away.
    pub(super) fn set(&mut self, name: &str, reason: Option<&str>) {
        match reason {
            Some(reason) => drop(self.0.insert(name.to_owned(), reason.to_owned())),
            None => drop(self.0.remove(name)),
        }
    }

    /// The names in the list.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Writes the file.
    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let lines = self.0.iter().map(|(name, reason)| format!("{} = {}\n", quoted(name), quoted(reason)));
        let text = HEAD.to_owned() + &lines.collect::<String>();
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }
}
