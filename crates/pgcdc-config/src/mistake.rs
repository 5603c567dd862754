use std::fmt;

/// One mistake in a configuration: where it is, which key has it, what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// File and line, `--set`, or the name of whatever handed the configuration in.
    pub place: String,
    /// The property; empty for a mistake about the file as a whole. Of a TOML file it is the key within its table, which the
    /// message names.
    pub key: String,
    /// What is wrong, in Debezium's words where it has some.
    pub message: String,
    /// What to write instead.
    pub remedy: Option<String>,
}

/// `place: key: message (hint: remedy)`; without the key where the message quotes it.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        let quoted = [format!("'{}'", self.key), format!("\"{}\"", self.key)];
        if !self.key.is_empty() && !quoted.iter().any(|key| self.message.contains(key)) {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)?;
        self.remedy.as_ref().map_or(Ok(()), |remedy| write!(f, " (hint: {remedy})"))
    }
}

/// A property that is understood but has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where it is set.
    pub place: String,
    /// The property.
    pub key: String,
    /// Why it has no effect.
    pub reason: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} has no effect: {}", self.place, self.key, self.reason)
    }
}

/// All the mistakes of a configuration, at least one.
///
/// ```
/// use pgcdc_config::ConfigError;
///
/// let error = ConfigError::one("shop.json:3", "slot.nmae", "unknown property", Some("did you mean slot.name?".into()));
/// assert_eq!(error.to_string(), "shop.json:3: slot.nmae: unknown property (hint: did you mean slot.name?)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    mistakes: Vec<Mistake>,
}

impl ConfigError {
    /// An error of these mistakes.
    #[must_use]
    pub fn new(mistakes: Vec<Mistake>) -> Self {
        Self { mistakes }
    }

    /// An error of a single mistake; the arguments are the fields of [`Mistake`].
    pub fn one(
        place: impl Into<String>,
        key: impl Into<String>,
        message: impl Into<String>,
        remedy: Option<String>,
    ) -> Self {
        Self::new(vec![Mistake { place: place.into(), key: key.into(), message: message.into(), remedy }])
    }

    /// The mistakes, in the order of the configuration.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

/// One line for each mistake.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.mistakes.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}
