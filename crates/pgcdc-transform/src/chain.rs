//! Makes a chain of the `transforms` and `predicates` of a connector's configuration.

use crate::Fault;
use crate::data::Record;
use crate::options::{Options, Problem};
use crate::predicates::Predicate;
use crate::transforms::{self, Transform};

/// Transforms in their order.
///
/// A chain remembers schemas and has no other state that outlives a record, except the headers of the last delete
/// ([`with_shared_headers`](Self::with_shared_headers)). Records must come in the order of the log.
///
/// ```
/// use pgcdc_transform::Chain;
///
/// let property = |key: &str, value: &str| (key.to_owned(), value.to_owned());
/// let configured = Chain::configure(&[
///     property("transforms", "keep,route"),
///     property("transforms.keep.type", "org.apache.kafka.connect.transforms.Filter"),
///     property("transforms.keep.predicate", "isLog"),
///     property("transforms.route.type", "TimestampRouter"),
///     property("transforms.route.topic.fromat", "${topic}"),
///     property("predicates", "isLog"),
///     property("predicates.isLog.type", "org.apache.kafka.connect.transforms.predicates.TopicNameMatches"),
///     property("predicates.isLog.pattern", r".*\.log"),
/// ])
/// .expect("no mistakes");
/// let classes: Vec<&str> = configured.chain.classes().collect();
/// assert_eq!(classes[1], "org.apache.kafka.connect.transforms.TimestampRouter");
/// assert_eq!(configured.unused, ["transforms.route.topic.fromat"]);
/// ```
#[derive(Debug, Default)]
pub struct Chain {
    stages: Vec<Stage>,
    /// Whether a delete's headers are added to its tombstone.
    shared_headers: bool,
}

/// One transform with its place in the configuration.
#[derive(Debug)]
struct Stage {
    /// The alias: `mask` of `transforms.mask.type`.
    name: String,
    /// The Java class, in full.
    class: String,
    /// The predicate that a record must meet for the transform to see it, and whether it is negated.
    when: Option<(Predicate, bool)>,
    transform: Box<dyn Transform>,
}

/// The failure of a transform at a record. The text names the transform, so that a user finds it in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transform {name} ({class}) failed: {fault}")]
pub struct Failed {
    /// The transform's name in the configuration.
    pub name: String,
    /// The transform's class.
    pub class: String,
    /// Why it failed.
    pub fault: Fault,
}

/// A chain, and the properties below `transforms.` and `predicates.` that no transform reads.
#[derive(Debug)]
pub struct Configured {
    /// The chain.
    pub chain: Chain,
    /// Names of properties without an effect. Kafka Connect ignores them in silence; most are mistyped.
    pub unused: Vec<String>,
}

impl Chain {
    /// Makes a chain of a connector's properties: `transforms`, `predicates` and what is below them. Other properties are
    /// ignored, and so are properties below a name that is not in the two lists.
    ///
    /// Predicates are checked even where no transform refers to them, as in Connect.
    ///
    /// # Errors
    /// All mistakes, in Connect's and Debezium's words.
    ///
    /// ```
    /// use pgcdc_transform::Chain;
    ///
    /// let properties = [("transforms".to_owned(), "mask".to_owned())];
    /// let problems = Chain::configure(&properties).expect_err("the class is missing");
    /// assert_eq!(problems[0].key, "transforms.mask.type");
    /// ```
    pub fn configure(properties: &[(String, String)]) -> Result<Configured, Vec<Problem>> {
        let mut problems = Vec::new();
        let names = aliases("transforms", properties, &mut problems);
        let predicate_names = aliases("predicates", properties, &mut problems);
        let mut unused = Vec::new();
        let mut predicates = Vec::new();
        for name in &predicate_names {
            let mut options = Options::new(format!("predicates.{name}."), properties);
            options.raw("plugin.version");
            let built = options.required("type").and_then(|class| {
                let built = Predicate::build(class, &mut options);
                if built.is_none() {
                    unknown_class(&mut options, class);
                }
                built.flatten()
            });
            let (found, rest) = options.finish();
            problems.extend(found);
            unused.extend(rest);
            predicates.extend(built.map(|predicate| (name.clone(), predicate)));
        }
        let mut stages = Vec::new();
        for name in names {
            let mut options = Options::new(format!("transforms.{name}."), properties);
            let stage = stage(name, &mut options, &predicates, &predicate_names);
            let (found, rest) = options.finish();
            problems.extend(found);
            unused.extend(rest);
            stages.extend(stage);
        }
        if problems.is_empty() {
            Ok(Configured { chain: Self { stages, shared_headers: false }, unused })
        } else {
            Err(problems)
        }
    }

    /// The same chain, for records of Debezium's connector. There a delete and its tombstone share one list of headers, so
    /// that headers which some transforms add to the delete are in the tombstone, too.
    #[must_use]
    pub const fn with_shared_headers(mut self) -> Self {
        self.shared_headers = true;
        self
    }

    /// Whether the chain has no transforms.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// The transforms' classes in order, with their packages even where the configuration leaves them out.
    pub fn classes(&self) -> impl Iterator<Item = &str> {
        self.stages.iter().map(|stage| stage.class.as_str())
    }

    /// Runs a record through the chain. `now` is in milliseconds since 1970-01-01 UTC. `None` when a transform drops the
    /// record; later transforms do not see it then.
    ///
    /// # Errors
    /// When a transform fails. The record is gone, but the chain can go on with the next one.
    pub fn apply(&mut self, mut record: Record, now: i64) -> Result<Option<Record>, Failed> {
        let mut original = self.shared_headers;
        for stage in &mut self.stages {
            let applies = stage.when.as_ref().is_none_or(|(predicate, not)| predicate.test(&record) != *not);
            if !applies {
                continue;
            }
            if original {
                stage.transform.arrive(&mut record);
                original = stage.transform.keeps_headers();
            }
            match stage.transform.apply(record, now) {
                Ok(Some(next)) => record = next,
                Ok(None) => return Ok(None),
                Err(fault) => {
                    let (name, class) = (stage.name.clone(), stage.class.clone());
                    return Err(Failed { name, class, fault });
                }
            }
        }
        Ok(Some(record))
    }
}

/// The names of a list, `transforms` or `predicates`; none after a mistake in it.
fn aliases(list: &str, properties: &[(String, String)], problems: &mut Vec<Problem>) -> Vec<String> {
    let Some((_, text)) = properties.iter().find(|(key, _)| key == list) else { return Vec::new() };
    let names: Vec<String> = match text.trim() {
        "" => Vec::new(),
        text => text.split(',').map(|name| name.trim().to_owned()).collect(),
    };
    let twice = names.iter().enumerate().any(|(at, name)| names[..at].contains(name));
    if twice {
        let shown = crate::java::show_list(&names);
        let message = format!("Invalid value {shown} for configuration {list}: Duplicate alias provided.");
        problems.push(Problem { key: list.to_owned(), message });
    } else if names.iter().any(String::is_empty) {
        let message = format!("Configuration '{list}' values must not be empty.");
        problems.push(Problem { key: list.to_owned(), message });
    } else {
        return names;
    }
    Vec::new()
}

/// Connect's mistake for a class that is not there.
fn unknown_class(options: &mut Options<'_>, class: &str) {
    options.unparsed("type", class, &format!("Class {class} could not be found."));
}

/// Builds one transform with its predicate; `None` after a mistake, which is in the options then.
fn stage(
    name: String,
    options: &mut Options<'_>,
    predicates: &[(String, Predicate)],
    predicate_names: &[String],
) -> Option<Stage> {
    options.raw("plugin.version");
    let alias = options.text("predicate");
    let negated = options.raw("negate").is_some();
    let negate = options.boolean("negate", false);
    if negated && alias.is_none() {
        let message = format!(
            "Config '{}' was provided but there is no config '{}' defining a predicate to be negated.",
            options.key("negate"),
            options.key("predicate")
        );
        options.problem("type", message);
    }
    let mut when = None;
    if let Some(alias) = alias {
        if !predicate_names.iter().any(|known| known == alias) {
            options.problem("predicate", format!("Unknown predicate {alias}: it is not named in predicates"));
        }
        let predicate = predicates.iter().find(|(known, _)| known == alias);
        when = predicate.map(|(_, predicate)| (predicate.clone(), negate));
    }
    let class = transforms::full_name(options.required("type")?);
    let Some(built) = transforms::build(class, options) else {
        unknown_class(options, class);
        return None;
    };
    Some(Stage { name, class: class.to_owned(), when, transform: built? })
}
