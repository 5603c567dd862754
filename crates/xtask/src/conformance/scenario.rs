//! The files of a scenario: one database, one sequence of changes, several variants of the connector's properties.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// The properties that every connector has unless a scenario says otherwise. `{{…}}` is filled in by [`Variant::config`].
const BASE: [(&str, &str); 16] = [
    ("connector.class", "io.debezium.connector.postgresql.PostgresConnector"),
    ("plugin.name", "pgoutput"),
    ("database.hostname", "127.0.0.1"),
    ("database.port", "{{port}}"),
    ("database.user", "postgres"),
    ("database.password", "x"),
    ("database.dbname", "{{database}}"),
    ("topic.prefix", "{{prefix}}"),
    ("slot.name", "{{slot}}"),
    ("publication.name", "pub"),
    ("publication.autocreate.mode", "disabled"),
    ("snapshot.mode", "no_data"),
    ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
    ("key.converter.schemas.enable", "true"),
    ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
    ("value.converter.schemas.enable", "true"),
];

/// The two variants of a scenario that names none.
const PLAIN: &str = r#"{"schemas": {},
    "plain": {"key.converter.schemas.enable": "false", "value.converter.schemas.enable": "false"}}"#;

/// The table whose rows mark the end of each step, so that one sees when everything before has arrived.
pub(super) const MARKER: &str = "zz_end";

/// A scenario.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) name: String,
    dir: PathBuf,
    pub(super) variants: Vec<Variant>,
    /// `volatile.json`: columns whose values the database makes anew each time.
    pub(super) made_anew: Vec<String>,
    /// Extensions that `setup.sql` creates.
    pub(super) extensions: Vec<String>,
    /// The newest PostgreSQL that takes its SQL (`-- newest: 17` in `setup.sql`).
    pub(super) newest: Option<u32>,
}

/// One variant.
#[derive(Debug)]
pub(super) struct Variant {
    pub(super) name: String,
    properties: Map<String, Value>,
    /// `_setup`: in place of `setup.sql`.
    setup: Option<String>,
    /// `_nowait`: the steps of `changes.sql` follow each other without a pause.
    nowait: bool,
    /// `_slot`: the slot is there before the connector starts.
    slot: Option<bool>,
}

impl Scenario {
    /// The scenarios whose names contain one of `names`, or all.
    pub(super) fn chosen(root: &Path, names: &[String]) -> Result<Vec<Self>> {
        let entries = std::fs::read_dir(root).with_context(|| format!("cannot read {}", root.display()))?;
        let mut dirs: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        dirs.retain(|dir| dir.join("setup.sql").is_file());
        dirs.sort();
        let all = dirs.into_iter().map(Self::read).collect::<Result<Vec<_>>>()?;
        let wanted = |one: &Self| names.is_empty() || names.iter().any(|name| one.name.contains(name));
        let chosen: Vec<Self> = all.into_iter().filter(wanted).collect();
        if chosen.is_empty() {
            bail!("no scenario in {} has {} in its name", root.display(), names.join(" or "));
        }
        Ok(chosen)
    }

    fn read(dir: PathBuf) -> Result<Self> {
        let name = dir.file_name().context("a scenario has a name")?.to_string_lossy().into_owned();
        let mut shared: Map<String, Value> =
            BASE.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
        put(&mut shared, object(&dir.join("connector.json"), "{}")?);
        let variants = object(&dir.join("variants.json"), PLAIN)?
            .into_iter()
            .map(|(variant, over)| Variant::new(&variant, over, &shared))
            .collect::<Result<_>>()
            .with_context(|| format!("in {}/variants.json", dir.display()))?;
        let made_anew = match std::fs::read_to_string(dir.join("volatile.json")) {
            Ok(text) => serde_json::from_str(&text).context("volatile.json is not a list of names")?,
            Err(_) => Vec::new(),
        };
        let setup = read(&dir.join("setup.sql"))?;
        let (extensions, newest) = (extensions(&setup), newest(&setup));
        Ok(Self { name, dir, variants, made_anew, extensions, newest })
    }

    /// The database's name, which is in every record.
    pub(super) fn database(&self) -> String {
        format!("c_{}", self.name)
    }

    /// Variants that can watch the same changes of the same database at the same time.
    pub(super) fn together<'a>(&'a self, only: &[String]) -> Vec<Vec<&'a Variant>> {
        let mut groups: BTreeMap<_, Vec<&Variant>> = BTreeMap::new();
        for variant in self.variants.iter().filter(|one| only.is_empty() || only.contains(&one.name)) {
            // A variant that writes to the database itself runs alone.
            let writes = variant.property("publication.autocreate.mode") != "disabled"
                || !variant.property("replica.identity.autoset.values").is_empty()
                || !variant.property("heartbeat.action.query").is_empty()
                || !variant.property("signal.data.collection").is_empty();
            let alone = writes.then_some(&variant.name);
            groups.entry((alone, &variant.setup, variant.nowait)).or_default().push(variant);
        }
        groups.into_values().collect()
    }

    /// The SQL that is run before the connector starts; the marker's table and the publication are added to it.
    pub(super) fn setup(&self, variant: &Variant) -> Result<String> {
        let own = match &variant.setup {
            Some(setup) => setup.clone(),
            None => read(&self.dir.join("setup.sql"))?,
        };
        let publication = "SELECT 'CREATE PUBLICATION pub FOR ALL TABLES'
            WHERE NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'pub') \\gexec";
        Ok(format!("{own}\nCREATE TABLE IF NOT EXISTS public.{MARKER}(id int PRIMARY KEY);\n{publication}\n"))
    }

    /// The SQL that is run while the connector streams, a text for each step. All records of a step arrive before the next step
    /// begins. Each step ends with a row in the marker's table.
    pub(super) fn steps(&self, variant: &Variant) -> Result<Vec<String>> {
        let changes = read(&self.dir.join("changes.sql")).unwrap_or_default();
        let steps: Vec<&str> =
            if variant.nowait { vec![&changes] } else { changes.split("-- wait\n").collect() };
        let number = |(number, step)| format!("{step}\nINSERT INTO public.{MARKER} VALUES ({number});\n");
        Ok((1..).zip(steps).map(number).collect())
    }

    /// Leaves only the variants that have no recording.
    pub(super) fn keep_missing(&mut self) {
        let dir = self.dir.clone();
        self.variants.retain(|variant| !recording(&dir, variant).exists());
    }

    /// Where Debezium's answer to a variant lies.
    pub(super) fn recording(&self, variant: &Variant) -> PathBuf {
        recording(&self.dir, variant)
    }
}

fn recording(dir: &Path, variant: &Variant) -> PathBuf {
    dir.join(format!("out.{}.jsonl", variant.name))
}

impl Variant {
    fn new(name: &str, over: Value, shared: &Map<String, Value>) -> Result<Self> {
        let Value::Object(mut over) = over else { bail!("variant {name} is not an object") };
        let setup = over.remove("_setup").and_then(|text| text.as_str().map(str::to_owned));
        let nowait = over.remove("_nowait").is_some();
        let slot = over.remove("_slot").and_then(|flag| flag.as_bool());
        let mut properties = shared.clone();
        put(&mut properties, over);
        Ok(Self { name: name.to_owned(), properties, setup, nowait, slot })
    }

    /// A property's value; empty when it is not set.
    pub(super) fn property(&self, key: &str) -> &str {
        self.properties.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether the connector leaves its slot where it is.
    pub(super) fn is_manual(&self) -> bool {
        match self.property("lsn.flush.mode") {
            "" => self.property("flush.lsn.source") == "false",
            mode => mode == "manual",
        }
    }

    /// The prefix of its topics: the scenario's name and its own, so that all variants fit into one broker.
    pub(super) fn prefix(&self, scenario: &Scenario) -> String {
        match self.property("topic.prefix") {
            "{{prefix}}" => plain(&format!("{}_{}", scenario.name, self.name)),
            own => own.to_owned(),
        }
    }

    /// Whether the slot is created before the changes are made.
    pub(super) fn needs_slot(&self) -> bool {
        self.slot.unwrap_or_else(|| self.property("snapshot.mode") == "no_data")
    }

    /// The connector's properties, for a database on `port` and a slot.
    pub(super) fn config(&self, scenario: &Scenario, port: u16, slot: &str) -> Map<String, Value> {
        let fill = |text: &str| {
            text.replace("{{port}}", &port.to_string())
                .replace("{{database}}", &scenario.database())
                .replace("{{prefix}}", &self.prefix(scenario))
                .replace("{{slot}}", slot)
        };
        self.properties
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().map_or(value.clone(), |text| fill(text).into())))
            .collect()
    }
}

/// Lays `over` over `properties`; null takes a property away.
fn put(properties: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        if value.is_null() {
            properties.remove(&key);
        } else {
            properties.insert(key, value);
        }
    }
}

/// A name reduced to the characters that every topic and slot may have.
pub(super) fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

fn newest(sql: &str) -> Option<u32> {
    let said = sql.lines().find_map(|line| line.strip_prefix("-- newest: "))?;
    said.split_whitespace().next()?.parse().ok()
}

/// The extensions that a script creates.
fn extensions(sql: &str) -> Vec<String> {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let created = words.windows(3).filter(|three| three[..2] == ["CREATE", "EXTENSION"]);
    created.map(|three| three[2].trim_matches([';', '"']).to_owned()).collect()
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn object(file: &Path, default: &str) -> Result<Map<String, Value>> {
    let text = if file.exists() { read(file)? } else { default.to_owned() };
    serde_json::from_str(&text).with_context(|| format!("{} is not an object of properties", file.display()))
}

#[test]
fn extensions_are_found() {
    assert_eq!(
        extensions("CREATE EXTENSION hstore;\nCREATE EXTENSION \"uuid-ossp\";"),
        ["hstore", "uuid-ossp"]
    );
}
