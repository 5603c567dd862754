//! Where config providers are looked up: in a registration, in `--source` and in `--set`.

use pgcdc_config::{Environment, Unresolved, substitute, substitute_url};
use pgcdc_event::Secret;

use super::document::Document;
use super::{ConfigError, Mistake};

impl Document {
    /// Puts in what config providers hold; `env` answers for environment variables.
    ///
    /// # Errors
    /// Names every reference that cannot be resolved.
    pub fn resolve_providers(&mut self, env: Environment<'_>) -> Result<(), ConfigError> {
        let mut mistakes = Vec::new();
        for entry in self.entries.iter_mut().filter(|entry| !entry.provided) {
            match substitute(entry.value.expose(), env) {
                Ok(None) => {}
                Ok(Some(value)) => {
                    entry.value = Secret::new(value);
                    entry.provided = true;
                }
                Err(Unresolved { message, remedy }) => mistakes.push(Mistake {
                    place: entry.place.to_string(),
                    key: entry.key.clone(),
                    message,
                    remedy: Some(remedy),
                }),
            }
        }
        if mistakes.is_empty() { Ok(()) } else { Err(ConfigError::new(mistakes)) }
    }

    /// The document of `--source`, `--tables` and `--set`, with config providers put in. A value that stands for the user
    /// or the password is escaped for the URL, so that it may have any characters.
    ///
    /// # Errors
    /// When the URL cannot be read, or names every reference that cannot be resolved.
    pub fn from_source(
        url: &str,
        tables: &[String],
        overrides: &[(String, String)],
        env: Environment<'_>,
    ) -> Result<Self, ConfigError> {
        let provided = substitute_url(url, env).map_err(|Unresolved { message, remedy }| {
            ConfigError::one("--source", "", message, Some(remedy))
        })?;
        let mut document = Self::from_source_url(provided.as_deref().unwrap_or(url), tables)?;
        for entry in &mut document.entries {
            entry.provided = provided.is_some();
        }
        let mut set = Self::new("--set");
        set.apply(overrides);
        set.resolve_providers(env)?;
        for entry in set.entries {
            document.put(entry);
        }
        Ok(document)
    }
}
