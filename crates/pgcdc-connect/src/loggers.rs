//! The levels of the log, which `/admin/loggers` shows and changes while the worker runs.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::level_filters::LevelFilter;

/// The loggers that are always shown, beside `root`.
const KNOWN: &[&str] = &["pgcdc", "pgcdc_capture", "pgcdc_connect", "pgcdc_kafka", "pgcdc_sinks"];

/// Loggers of Connect and Debezium, and the targets that say the same here. The longest name that fits counts.
const OF_JAVA: &[(&str, &str)] = &[
    ("io.debezium", "pgcdc_capture"),
    ("org.apache.kafka", "pgcdc_kafka"),
    ("org.apache.kafka.connect", "pgcdc_connect"),
];

/// A level as Connect names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    name: &'static str,
    filter: LevelFilter,
}

const LEVELS: &[Level] = &[
    Level { name: "OFF", filter: LevelFilter::OFF },
    Level { name: "FATAL", filter: LevelFilter::ERROR },
    Level { name: "ERROR", filter: LevelFilter::ERROR },
    Level { name: "WARN", filter: LevelFilter::WARN },
    Level::INFO,
    Level { name: "DEBUG", filter: LevelFilter::DEBUG },
    Level { name: "TRACE", filter: LevelFilter::TRACE },
    Level { name: "ALL", filter: LevelFilter::TRACE },
];

impl Level {
    /// What is logged unless told otherwise.
    pub const INFO: Self = Self { name: "INFO", filter: LevelFilter::INFO };

    /// The level of this name, in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        LEVELS.iter().find(|level| level.name.eq_ignore_ascii_case(name)).copied()
    }

    /// Its name, in upper case.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }
}

/// A logger's level, and when it was changed in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Logger {
    level: Level,
    modified: Option<i64>,
}

/// Takes the filter's directives, such as `info,pgcdc_capture=debug`.
type Apply = Box<dyn Fn(&str) + Send + Sync>;

/// All loggers, by name. `root` is the level of everything that has none of its own.
pub struct Loggers {
    levels: Mutex<BTreeMap<String, Logger>>,
    apply: Apply,
}

impl Loggers {
    /// Loggers that begin with the level `root`; `apply` gets the filter's directives at each change.
    pub fn new(root: Level, apply: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let levels = BTreeMap::from([("root".to_owned(), Logger { level: root, modified: None })]);
        Self { levels: Mutex::new(levels), apply: Box::new(apply) }
    }

    /// Name, level and time of the last change of all loggers.
    pub(crate) fn all(&self) -> Vec<(String, Level, Option<i64>)> {
        let levels = self.lock();
        let mut names: Vec<&str> = levels.keys().map(String::as_str).collect();
        names.extend(KNOWN.iter().filter(|name| !levels.contains_key(**name)));
        names.sort_unstable();
        names.into_iter().map(|name| of(&levels, name)).collect()
    }

    /// Level and time of the last change of one logger; `None` for one that nobody knows.
    pub(crate) fn get(&self, name: &str) -> Option<(Level, Option<i64>)> {
        let levels = self.lock();
        let known = levels.contains_key(name) || KNOWN.contains(&name);
        known.then(|| of(&levels, name)).map(|(_, level, modified)| (level, modified))
    }

    /// Sets a level. Returns the names of the loggers whose level is another one now.
    pub(crate) fn set(&self, name: &str, level: Level) -> Vec<String> {
        let mut levels = self.lock();
        let before = of(&levels, name).1;
        if before == level {
            return Vec::new();
        }
        let modified =
            SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_millis() as i64);
        levels.insert(name.to_owned(), Logger { level, modified });
        (self.apply)(&directives(&levels));
        vec![name.to_owned()]
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Logger>> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Loggers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loggers").field("levels", &self.levels).finish_non_exhaustive()
    }
}

/// A logger's own level, or that of the nearest one above it.
fn of(levels: &BTreeMap<String, Logger>, name: &str) -> (String, Level, Option<i64>) {
    let mut above = Some(name);
    while let Some(at) = above {
        if let Some(logger) = levels.get(at) {
            return (name.to_owned(), logger.level, logger.modified.filter(|_| at == name));
        }
        above = at.rfind(['.', ':']).map(|end| at[..end].trim_end_matches(':'));
    }
    let root = levels.get("root").map_or(Level::INFO, |logger| logger.level);
    (name.to_owned(), root, None)
}

/// The filter that has all levels.
fn directives(levels: &BTreeMap<String, Logger>) -> String {
    let mut parts = Vec::new();
    for (name, logger) in levels {
        match target(name) {
            Some("root") => parts.insert(0, logger.level.filter.to_string()),
            Some(target) => parts.push(format!("{target}={}", logger.level.filter)),
            None => {}
        }
    }
    parts.join(",")
}

/// The target in our log; `None` for a name that cannot be one.
fn target(name: &str) -> Option<&str> {
    let below =
        |java: &str| name == java || name.strip_prefix(java).is_some_and(|rest| rest.starts_with('.'));
    let java = OF_JAVA.iter().filter(|(java, _)| below(java)).max_by_key(|(java, _)| java.len());
    let target = java.map_or(name, |(_, target)| target);
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    (!target.is_empty() && target.chars().all(allowed)).then_some(target)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn levels_are_inherited_and_make_a_filter() {
        let seen = Arc::new(Mutex::new(String::new()));
        let (info, debug) = (Level::parse("info").expect("a level"), Level::parse("DEBUG").expect("a level"));
        let filter = Arc::clone(&seen);
        let loggers = Loggers::new(info, move |text| *filter.lock().expect("free") = text.to_owned());
        assert_eq!(loggers.set("io.debezium.connector", info), Vec::<String>::new());
        assert_eq!(loggers.set("io.debezium", debug), ["io.debezium"]);
        assert_eq!(loggers.set("io.debezium.connector", debug), Vec::<String>::new());
        assert_eq!(*seen.lock().expect("free"), "info,pgcdc_capture=debug");
        assert!(loggers.get("none.such").is_none() && loggers.get("pgcdc_kafka").is_some());
        loggers.set("a,b=x", debug);
        assert_eq!(*seen.lock().expect("free"), "info,pgcdc_capture=debug");
        assert_eq!(Level::parse("nope"), None);
    }
}
