//! libpq's password file, for connections that came from a URL without a password. Source:
//! PostgreSQL documentation, "The Password File".

use std::path::PathBuf;

use pgcdc_event::Secret;

use super::connection::Host;

/// Sets the password of each server that the file has a line for. `file` is the configured one;
/// without it `~/.pgpass` is read. A file that does not exist is no mistake.
pub(super) fn fill(hosts: &mut [Host], file: Option<PathBuf>, database: &str, user: &str) {
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".pgpass"));
    let Some(path) = file.or_else(home) else { return };
    let Ok(text) = std::fs::read_to_string(&path) else { return };
    if is_open_to_others(&path) {
        // libpq does not use a file that others can read, either.
        tracing::warn!(file = %path.display(), "the password file can be read by others, and is not used: chmod 0600 it");
        return;
    }
    for host in hosts {
        let name = if host.is_unix() { "localhost" } else { &host.name };
        host.password = find(&text, [name, &host.port.to_string(), database, user]).map(Secret::new);
    }
}

/// Whether the group or others have any right to the file.
#[cfg(unix)]
fn is_open_to_others(path: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &std::path::Path) -> bool {
    false
}

/// The password of the first line whose fields match `wanted`: host, port, database, user. `*`
/// matches anything.
fn find(text: &str, wanted: [&str; 4]) -> Option<String> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut fields = fields(line).into_iter();
        let fits = wanted.iter().all(|wanted| {
            fields.next().is_some_and(|(field, escaped)| (field == "*" && !escaped) || field == *wanted)
        });
        let password = fields.next()?.0;
        (fits && !password.is_empty()).then_some(password)
    })
}

/// The fields of a line with its backslash escapes resolved, each with whether it had any. A colon
/// within a field, also within the password, is escaped by a backslash.
fn fields(line: &str) -> Vec<(String, bool)> {
    let mut fields = vec![(String::new(), false)];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        let Some((field, escaped)) = fields.last_mut() else { break };
        match c {
            '\\' => {
                field.extend(chars.next());
                *escaped = true;
            }
            ':' => fields.push((String::new(), false)),
            c => field.push(c),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        let text = "# h:5432:d:u:comment\nh:5433:d:u:other port\nh:*:d:u:first\nh:5432:d:u:second\n\\:\\:1:*:*:*:a\\:b\\\\c\n*:*:*:x:no:more";
        let check =
            |wanted, expect: Option<&str>| assert_eq!(find(text, wanted).as_deref(), expect, "{wanted:?}");
        check(["h", "5432", "d", "u"], Some("first"));
        check(["h", "5433", "d", "u"], Some("other port"));
        check(["::1", "5432", "d", "u"], Some(r"a:b\c"));
        check(["any", "1", "d", "x"], Some("no"));
        check(["any", "1", "d", "u"], None);
    }
}
