//! Kafka's config providers, under the names that its documentation gives them: `env`, `file` and `dir`.
//!
//! References have the form of Kafka's `ConfigTransformer`: `${provider:[path:]key}`. The path ends at the first colon. A
//! value that replaced a reference is not searched for references. A reference to another provider stays as it is, as in
//! Kafka. Kafka also leaves a reference whose key does not exist; here a missing variable, file or key is an error, since
//! nobody means the text `${env:PASSWORD}` for a password. `${file:/path}` without a key, the whole file, is pgcdc's own.

use std::fs;
use std::path::Path;

use crate::properties;
use crate::text::decode;

/// Looks an environment variable up by its name.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// A reference that cannot be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// The reference and what it lacks. The text around the reference is left out, since it may be secret.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl std::fmt::Display for Unresolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (hint: {})", self.message, self.remedy)
    }
}

impl std::error::Error for Unresolved {}

/// Replaces the references in a text by their values. `None` when there is none to replace.
///
/// ```
/// let env = |name: &str| (name == "PW").then(|| "open sesame".to_owned());
/// assert_eq!(pgcdc_config::substitute("user:${env:PW}", &env)?.as_deref(), Some("user:open sesame"));
/// # Ok::<(), pgcdc_config::Unresolved>(())
/// ```
///
/// # Errors
/// The first reference that cannot be resolved.
pub fn substitute(text: &str, env: Environment<'_>) -> Result<Option<String>, Unresolved> {
    replace(text, env, |_, value| value)
}

/// Replaces the references in a URL. The value of a user, a password or a parameter is percent-encoded, so that it may have
/// any characters. The value of any other part of the URL, or of the whole, stays as it is.
///
/// ```
/// let env = |_: &str| Some("p@ss/word".to_owned());
/// let url = pgcdc_config::substitute_url("postgres://me:${env:PW}@db/shop", &env)?;
/// assert_eq!(url.as_deref(), Some("postgres://me:p%40ss%2Fword@db/shop"));
/// # Ok::<(), pgcdc_config::Unresolved>(())
/// ```
///
/// # Errors
/// The first reference that cannot be resolved.
pub fn substitute_url(text: &str, env: Environment<'_>) -> Result<Option<String>, Unresolved> {
    replace(text, env, |around, value| if around.is_escaped() { escape(&value) } else { value })
}

/// The text around a reference, which says whether its value is to be percent-encoded.
struct Around<'t> {
    /// The text before it, with `x` in place of each resolved reference.
    before: &'t str,
    /// The text after it, as written.
    after: &'t str,
}

impl Around<'_> {
    fn is_escaped(&self) -> bool {
        let Some((_, url)) = self.before.split_once("://") else { return false };
        if url.contains(['?', '#']) {
            return url.ends_with('=');
        }
        !url.contains('/') && is_before_at(self.after)
    }
}

/// Whether an `@` follows before the URL's path begins: only then is the reference a user or a password.
fn is_before_at(after: &str) -> bool {
    let mut rest = after;
    while let Some(at) = rest.find(['@', '/', '?', '#', '$']) {
        let (_, found) = rest.split_at(at);
        match found.strip_prefix("${").and_then(|inner| inner.split_once('}')) {
            // Characters within another reference say nothing about the URL.
            Some((_, behind)) => rest = behind,
            None if found.starts_with('$') => rest = &found[1..],
            None => return found.starts_with('@'),
        }
    }
    false
}

/// Replaces each reference by what `shape` makes of its value.
fn replace(
    text: &str,
    env: Environment<'_>,
    shape: impl Fn(&Around<'_>, String) -> String,
) -> Result<Option<String>, Unresolved> {
    let (mut out, mut before) = (String::new(), String::new());
    let mut rest = text;
    let mut changed = false;
    while let Some(start) = rest.find("${") {
        let (plain, reference) = rest.split_at(start);
        let Some(end) = reference.find('}') else { break };
        out.push_str(plain);
        before.push_str(plain);
        rest = &reference[end + 1..];
        match lookup(&reference[2..end], env)? {
            Some(value) => {
                out.push_str(&shape(&Around { before: &before, after: rest }, value));
                before.push('x');
                changed = true;
            }
            None => {
                out.push_str(&reference[..=end]);
                before.push_str(&reference[..=end]);
            }
        }
    }
    out.push_str(rest);
    Ok(changed.then_some(out))
}

/// The value of a reference; `None` when it names a provider that is not known here.
fn lookup(inner: &str, env: Environment<'_>) -> Result<Option<String>, Unresolved> {
    let Some((provider, rest)) = inner.split_once(':') else { return Ok(None) };
    let value = match provider {
        "env" => variable(rest.trim_start_matches(':'), env),
        "file" => match rest.split_once(':') {
            Some((path, key)) => property(path, key),
            None => whole_file(rest),
        },
        "dir" => match rest.split_once(':') {
            Some((path, file)) => file_of(path, file),
            None => Err(("names no file".to_owned(), "write ${dir:/path:file}".to_owned())),
        },
        _ => return Ok(None),
    };
    let of_reference = |(what, remedy)| Unresolved { message: format!("${{{inner}}}: {what}"), remedy };
    value.map(Some).map_err(of_reference)
}

/// The error's message and its remedy.
type Wrong = (String, String);

fn variable(name: &str, env: Environment<'_>) -> Result<String, Wrong> {
    env(name).ok_or_else(|| (format!("the environment has no {name}"), format!("export {name}=…")))
}

fn read(path: &Path) -> Result<String, Wrong> {
    let name = path.display();
    let unreadable = |e| (format!("cannot be resolved: {name}: {e}"), format!("make {name} readable"));
    fs::read(path).map(decode).map_err(unreadable)
}

/// The value of a property in a `.properties` file.
fn property(path: &str, key: &str) -> Result<String, Wrong> {
    let text = read(Path::new(path))?;
    let properties = properties::parse(&text)
        .map_err(|e| (format!("{path}:{}: {}", e.line, e.message), "mend the escape".to_owned()))?;
    let found = properties.into_iter().rev().find(|(name, _, _)| name == key);
    found
        .map(|(_, value, _)| value)
        .ok_or_else(|| (format!("{path} has no key {key}"), format!("add {key}=… to {path}")))
}

/// The whole file without the end of its last line, which editors add.
fn whole_file(path: &str) -> Result<String, Wrong> {
    let mut text = read(Path::new(path))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

/// The whole file, unchanged. As in Kafka, only files in the directory itself can be named.
fn file_of(directory: &str, file: &str) -> Result<String, Wrong> {
    if Path::new(file).file_name().is_none_or(|name| name != file) {
        let what = format!("{file:?} is not the name of a file in {directory}");
        return Err((what, "write ${dir:/path:file}".to_owned()));
    }
    read(&Path::new(directory).join(file))
}

/// Percent-encodes all but the characters that a URL may have everywhere.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENV: &[(&str, &str)] = &[
        ("USER", "me"),
        ("PW", "p@s/s:w?o#r%d é"),
        ("URL", "postgres://u:p%40ss@h/d"),
        ("HOST", "h:1"),
        ("NESTED", "${env:USER}"),
    ];

    fn env(name: &str) -> Option<String> {
        ENV.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(substitute(text, &env).expect(text).as_deref().unwrap_or(text), expect);
    }

    #[track_caller]
    fn check_url(text: &str, expect: &str) {
        assert_eq!(substitute_url(text, &env).expect(text).as_deref().unwrap_or(text), expect);
    }

    #[test]
    fn variables() {
        check("a${env:USER}b${env::USER}", "amebme");
        check("${env:NESTED}", "${env:USER}");
        for untouched in ["$1.x", "${routedByValue}", "${vault:a:b}", "${env:PW", "$$", "${}", "${:}"] {
            check(untouched, untouched);
        }
        assert_eq!(substitute("nothing", &env), Ok(None));
    }

    #[test]
    fn files() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("secrets.properties");
        std::fs::write(&path, "db.password = open sesame\na\\:b=colon\nx=1\nx=2\n").expect("a file");
        let (dir, path) = (dir.path().display(), path.display());
        check(&format!("${{file:{path}:db.password}}"), "open sesame");
        check(&format!("${{file:{path}:a:b}}"), "colon");
        check(&format!("${{file:{path}:x}}"), "2");
        let all = "db.password = open sesame\na\\:b=colon\nx=1\nx=2\n";
        check(&format!("${{dir:{dir}:secrets.properties}}"), all);
        check(&format!("${{file:{path}}}"), all.trim_end());
    }

    #[test]
    fn urls_may_have_any_password() {
        let escaped = "p%40s%2Fs%3Aw%3Fo%23r%25d%20%C3%A9";
        check_url("postgres://${env:USER}:${env:PW}@h/d", &format!("postgres://me:{escaped}@h/d"));
        check_url("redis://:${env:PW}@${env:HOST}/0", &format!("redis://:{escaped}@h:1/0"));
        check_url("http://h/x?token=${env:PW}", &format!("http://h/x?token={escaped}"));
        check_url("${env:URL}", "postgres://u:p%40ss@h/d");
        check_url("http://${env:HOST}/${env:USER}", "http://h:1/me");
    }

    #[test]
    fn what_leads_nowhere_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.properties");
        std::fs::write(&path, "a=1").expect("a file");
        let (dir, path) = (dir.path().display(), path.display());
        let check = |text: &str, expect: &str| {
            let error = substitute(&format!("s3cret{text}"), &env).expect_err(text).to_string();
            assert!(error.contains(expect) && !error.contains("s3cret"), "{error}");
        };
        check("${env:NOPE}", "${env:NOPE}: the environment has no NOPE (hint: export NOPE=…)");
        check("${env:}", "the environment has no ");
        check("${file:/no/such:k}", "/no/such: No such file");
        check("${file:/no/such}", "/no/such: No such file");
        check("${file:}", "cannot be resolved");
        check(&format!("${{file:{path}:nope}}"), "has no key nope");
        check(&format!("${{dir:{dir}:nope}}"), "No such file");
        check(&format!("${{dir:{dir}:../x}}"), "is not the name of a file");
        check("${dir:x}", "names no file");
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in r"(\PC|[${}:@/?#]|env|file|dir){0,40}") {
            let _ = substitute(&text, &env);
            let _ = substitute_url(&format!("a://{text}"), &env);
        }
    }
}
