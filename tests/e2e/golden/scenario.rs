//! The files of a recording.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// A scenario: one database and one story of changes, recorded once for each variant of the connector's properties.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) name: String,
    dir: PathBuf,
    /// `connector.json`: what all variants share.
    connector: Map<String, Value>,
    pub(super) variants: Vec<Variant>,
    /// `volatile.json`: columns whose values the database makes anew each time.
    pub(super) made_anew: Vec<String>,
}

/// One variant.
#[derive(Debug)]
pub(super) struct Variant {
    pub(super) name: String,
    /// The connector's properties.
    pub(super) properties: Map<String, Value>,
    /// Its own `setup.sql`.
    setup: Option<String>,
    /// Whether the steps of `changes.sql` follow each other without a pause.
    nowait: bool,
}

impl Scenario {
    /// All recordings, by name.
    pub(super) fn all() -> Vec<Self> {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
        let entries = std::fs::read_dir(&golden).expect("tests/golden is there");
        let mut dirs: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        dirs.retain(|dir| dir.is_dir());
        dirs.sort();
        dirs.into_iter().map(Self::read).collect()
    }

    fn read(dir: PathBuf) -> Self {
        let connector = object(&dir.join("connector.json"));
        let variants = object(&dir.join("variants.json"));
        let variants = variants.iter().map(|(name, over)| Variant::new(name, over, &connector)).collect();
        let name = dir.file_name().expect("a directory's name").to_string_lossy().into_owned();
        let made_anew = match std::fs::read_to_string(dir.join("volatile.json")) {
            Ok(text) => serde_json::from_str(&text).expect("volatile.json is a list of names"),
            Err(_) => Vec::new(),
        };
        Self { name, dir, connector, variants, made_anew }
    }

    /// The database's name, which is in every record.
    pub(super) fn database(&self) -> &str {
        self.connector["database.dbname"].as_str().expect("database.dbname is text")
    }

    /// Variants that can watch the same changes of the same database at the same time.
    pub(super) fn together(&self) -> Vec<Vec<&Variant>> {
        let mut groups: BTreeMap<_, Vec<&Variant>> = BTreeMap::new();
        for variant in &self.variants {
            // What writes to the database itself is alone.
            let writes = variant.property("publication.autocreate.mode") != "disabled"
                || variant.properties.contains_key("heartbeat.action.query")
                || variant.properties.contains_key("signal.data.collection");
            let alone = writes.then_some(&variant.name);
            groups.entry((alone, &variant.setup, variant.nowait)).or_default().push(variant);
        }
        groups.into_values().collect()
    }

    /// What is run before the connector starts.
    pub(super) fn setup(&self, variant: &Variant) -> String {
        variant.setup.clone().unwrap_or_else(|| text(&self.dir.join("setup.sql")))
    }

    /// What is run while it streams; everything of a step arrives before the next.
    pub(super) fn steps(&self, variant: &Variant) -> Vec<String> {
        let changes = text(&self.dir.join("changes.sql"));
        let steps: Vec<&str> =
            if variant.nowait { vec![&changes] } else { changes.split("-- wait\n").collect() };
        steps.into_iter().filter(|step| !step.trim().is_empty()).map(str::to_owned).collect()
    }

    /// What Debezium wrote, a line a record.
    pub(super) fn recording(&self, variant: &Variant) -> String {
        text(&self.dir.join(format!("out.{}.jsonl", variant.name)))
    }
}

impl Variant {
    fn new(name: &str, over: &Value, connector: &Map<String, Value>) -> Self {
        let mut properties = connector.clone();
        let (mut setup, mut nowait) = (None, false);
        for (key, value) in over.as_object().expect("a variant is an object") {
            match key.as_str() {
                "_setup" => setup = value.as_str().map(str::to_owned),
                "_nowait" => nowait = true,
                "_marker" => {} // for the recorder
                _ if value.is_null() => drop(properties.remove(key)),
                _ => drop(properties.insert(key.clone(), value.clone())),
            }
        }
        Self { name: name.to_owned(), properties, setup, nowait }
    }

    /// A property's value; empty when it is not set.
    pub(super) fn property(&self, key: &str) -> &str {
        self.properties.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

fn text(file: &Path) -> String {
    match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => panic!("{}: {error}", file.display()),
    }
}

fn object(file: &Path) -> Map<String, Value> {
    match serde_json::from_str(&text(file)) {
        Ok(Value::Object(object)) => object,
        other => panic!("{}: {other:?}", file.display()),
    }
}
