//! Connect's config providers: `${env:NAME}`, `${file:PATH:KEY}` and `${dir:PATH:FILE}`.

use std::fs;
use std::path::Path;

use pgcdc_event::Secret;

use super::document::Document;
use super::{ConfigError, Mistake, java_properties, parse};

impl Document {
    /// Puts in what config providers hold; `env` answers for environment variables.
    ///
    /// # Errors
    /// Names every reference that cannot be resolved.
    pub fn resolve_providers(&mut self, env: &dyn Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
        let mut mistakes = Vec::new();
        for entry in &mut self.entries {
            match substitute(entry.value.expose(), env) {
                Ok(None) => {}
                Ok(Some(value)) => {
                    entry.value = Secret::new(value);
                    entry.provided = true;
                }
                Err((message, remedy)) => mistakes.push(Mistake {
                    place: entry.place.to_string(),
                    key: entry.key.clone(),
                    message,
                    remedy: Some(remedy),
                }),
            }
        }
        if mistakes.is_empty() { Ok(()) } else { Err(ConfigError::new(mistakes)) }
    }
}

/// `None` when there is nothing to substitute. References to other providers stay as they are, as
/// in Connect.
fn substitute(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>, (String, String)> {
    let mut out = String::new();
    let mut rest = text;
    let mut changed = false;
    while let Some(start) = rest.find("${") {
        let (before, reference) = rest.split_at(start);
        let Some(end) = reference.find('}') else { break };
        let inner = &reference[2..end];
        out.push_str(before);
        match lookup(inner, env)? {
            Some(value) => {
                out.push_str(&value);
                changed = true;
            }
            None => out.push_str(&reference[..=end]),
        }
        rest = &reference[end + 1..];
    }
    out.push_str(rest);
    Ok(changed.then_some(out))
}

fn lookup(inner: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>, (String, String)> {
    let Some((provider, rest)) = inner.split_once(':') else { return Ok(None) };
    let split = || {
        rest.rsplit_once(':').ok_or_else(|| {
            let form = format!("write ${{{provider}:/path:key}}");
            (format!("${{{inner}}} names no key"), form)
        })
    };
    let unreadable = |path: &str, e: std::io::Error| {
        (format!("${{{inner}}} cannot be resolved: {path}: {e}"), format!("make {path} readable"))
    };
    match provider {
        "env" => {
            let name = rest.trim_start_matches(':');
            let missing = || {
                let what = format!("${{{inner}}}: the environment has no {name}");
                (what, format!("export {name}=…"))
            };
            env(name).map(Some).ok_or_else(missing)
        }
        "file" => {
            let (path, key) = split()?;
            let bytes = fs::read(path).map_err(|e| unreadable(path, e))?;
            let properties = java_properties::parse(&parse::decode(bytes))
                .map_err(|e| (format!("{path}:{}: {}", e.line, e.message), "mend the escape".into()))?;
            let value = properties.into_iter().rev().find(|(k, _, _)| k == key);
            let missing =
                || (format!("${{{inner}}}: {path} has no key {key}"), format!("add {key}=… to {path}"));
            value.map(|(_, value, _)| Some(value)).ok_or_else(missing)
        }
        "dir" => {
            let (path, key) = split()?;
            let file = Path::new(path).join(key);
            let bytes = fs::read(&file).map_err(|e| unreadable(&file.display().to_string(), e))?;
            Ok(Some(parse::decode(bytes)))
        }
        _ => Ok(None),
    }
}
