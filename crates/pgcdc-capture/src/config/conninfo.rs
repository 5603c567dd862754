//! libpq's connection strings, taken apart: the URI and the keyword form. Source: PostgreSQL
//! documentation, "Connection Strings".
//!
//! `${…}` is one piece, whatever is in it: config providers put a value there later. What the
//! parameters mean is decided in `source_url/`.

/// The parameters in libpq's names, in their order; of two with one name the later counts. Empty
/// values are left out.
pub(super) type Parameters = Vec<(String, String)>;

/// What is wrong with a connection string, as the rest of a sentence. It never quotes the string,
/// which may hold a password.
pub(super) type Wrong = String;

/// Reads either form.
///
/// # Errors
/// When the text is neither a URI nor a list of keywords and values.
pub(super) fn parse(text: &str) -> Result<Parameters, Wrong> {
    let schemes = ["postgres://", "postgresql://"];
    match schemes.iter().find_map(|scheme| text.strip_prefix(scheme)) {
        Some(rest) => uri(rest),
        None if text.contains("://") || !text.contains('=') => {
            Err("does not begin with postgres://".to_owned())
        }
        None => keywords(text),
    }
}

/// Reads `user:password@host:port,host:port/database?name=value&…`, each part optional.
fn uri(rest: &str) -> Result<Parameters, Wrong> {
    let mut found = Vec::new();
    let mut put = |name: &str, text: &str| -> Result<(), Wrong> {
        let value = decode(text).ok_or_else(|| format!("has a malformed % escape in its {name}"))?;
        if !value.is_empty() {
            found.push((name.to_owned(), value));
        }
        Ok(())
    };
    let (rest, query) = split(rest, '?').unwrap_or((rest, ""));
    let (authority, database) = split(rest, '/').unwrap_or((rest, ""));
    let (user, hosts) = split_last(authority, '@').unwrap_or(("", authority));
    let (user, password) = split(user, ':').unwrap_or((user, ""));
    put("user", user)?;
    put("password", password)?;
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for one in hosts.split(',') {
        let (name, port) = host(one)?;
        names.push(name);
        ports.push(port);
    }
    put("host", &names.join(","))?;
    if ports.iter().any(|port| !port.is_empty()) {
        put("port", &ports.join(","))?;
    }
    put("dbname", database)?;
    for pair in pieces(query, '&').into_iter().filter(|pair| !pair.is_empty()) {
        let (name, value) = split(pair, '=')
            .ok_or_else(|| format!("has a parameter {pair} without a value: write {pair}=…"))?;
        let name = decode(name).ok_or("has a malformed % escape in the name of a parameter")?;
        // libpq understands JDBC's `ssl=true`, too.
        if (name.as_str(), value) == ("ssl", "true") {
            put("sslmode", "require")?;
        } else {
            put(&name, value)?;
        }
    }
    Ok(found)
}

/// A host and its port, each empty when it is missing.
fn host(text: &str) -> Result<(&str, &str), Wrong> {
    let Some(rest) = text.strip_prefix('[') else {
        return Ok(split(text, ':').unwrap_or((text, "")));
    };
    let (address, after) = rest.split_once(']').ok_or("has a [ without a ] around an address")?;
    match after.strip_prefix(':') {
        Some(port) => Ok((address, port)),
        None if after.is_empty() => Ok((address, "")),
        None => Err("has something behind the ] of an address: write [address]:port".to_owned()),
    }
}

/// Reads `name = 'value' …`, where a backslash takes the next character as it is.
fn keywords(text: &str) -> Result<Parameters, Wrong> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or("has a word without = behind it")?;
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err("has a word without = behind it".to_owned());
        }
        let (value, after) = value(after.trim_start(), name)?;
        if !value.is_empty() {
            found.push((name.to_owned(), value));
        }
        rest = after.trim_start();
    }
    Ok(found)
}

/// The value at the beginning of `text`, and the text behind it. `name` is for the error.
fn value<'t>(text: &'t str, name: &str) -> Result<(String, &'t str), Wrong> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            c if !quoted && c.is_whitespace() => return Ok((value, &text[at..])),
            c => value.push(c),
        }
    }
    if quoted { Err(format!("has no closing quote behind {name}")) } else { Ok((value, "")) }
}

/// The positions of a character that are not within `${…}`.
fn places(text: &str, wanted: char) -> impl DoubleEndedIterator<Item = usize> {
    let mut within = false;
    let mut before = ' ';
    let mut found = Vec::new();
    for (at, c) in text.char_indices() {
        within = (within && c != '}') || (c == '{' && before == '$');
        if c == wanted && !within {
            found.push(at);
        }
        before = c;
    }
    found.into_iter()
}

/// The text before and behind the first `at`.
fn split(text: &str, at: char) -> Option<(&str, &str)> {
    let place = places(text, at).next()?;
    Some((&text[..place], &text[place + at.len_utf8()..]))
}

/// The text before and behind the last `at`.
fn split_last(text: &str, at: char) -> Option<(&str, &str)> {
    let place = places(text, at).next_back()?;
    Some((&text[..place], &text[place + at.len_utf8()..]))
}

/// The pieces between all `at`.
fn pieces(text: &str, at: char) -> Vec<&str> {
    let mut start = 0;
    let mut found = Vec::new();
    for place in places(text, at) {
        found.push(&text[start..place]);
        start = place + at.len_utf8();
    }
    found.push(&text[start..]);
    found
}

/// Text with its `%` escapes resolved; `None` when one is malformed, or stands for a NUL.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            let valid = digits.bytes().all(|b| b.is_ascii_hexdigit());
            bytes.push(u8::from_str_radix(digits, 16).ok().filter(|&byte| valid && byte != 0)?);
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[(&str, &str)]) {
        let found = parse(text).unwrap();
        let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn connection_strings_are_read_as_libpq_does() {
        check("postgresql://", &[]);
        check("postgresql://localhost/mydb", &[("host", "localhost"), ("dbname", "mydb")]);
        check(
            "postgresql://other@localhost/otherdb?connect_timeout=10&application_name=myapp",
            &[
                ("user", "other"),
                ("host", "localhost"),
                ("dbname", "otherdb"),
                ("connect_timeout", "10"),
                ("application_name", "myapp"),
            ],
        );
        check(
            "postgresql://host1:123,host2:456/somedb?target_session_attrs=any",
            &[
                ("host", "host1,host2"),
                ("port", "123,456"),
                ("dbname", "somedb"),
                ("target_session_attrs", "any"),
            ],
        );
        check(
            "postgresql:///mydb?host=localhost&port=5433",
            &[("dbname", "mydb"), ("host", "localhost"), ("port", "5433")],
        );
        check(
            "postgresql://[2001:db8::1234]/database",
            &[("host", "2001:db8::1234"), ("dbname", "database")],
        );
        check(
            "postgresql:///dbname?host=/var/lib/postgresql",
            &[("dbname", "dbname"), ("host", "/var/lib/postgresql")],
        );
        check(
            "postgresql://%2Fvar%2Flib%2Fpostgresql/dbname",
            &[("host", "/var/lib/postgresql"), ("dbname", "dbname")],
        );
        check(
            "postgresql://user@localhost:5433/mydb?options=-c%20synchronous_commit%3Doff&ssl=true",
            &[
                ("user", "user"),
                ("host", "localhost"),
                ("port", "5433"),
                ("dbname", "mydb"),
                ("options", "-c synchronous_commit=off"),
                ("sslmode", "require"),
            ],
        );
        check("postgres://u:p%40%3a@h", &[("user", "u"), ("password", "p@:"), ("host", "h")]);
        check(
            "postgres://u:${file:/run/a@b:key}@h/d",
            &[("user", "u"), ("password", "${file:/run/a@b:key}"), ("host", "h"), ("dbname", "d")],
        );
        check(
            r"host=localhost port = 5432 password='it\'s \\' dbname=a\ b",
            &[("host", "localhost"), ("port", "5432"), ("password", r"it's \"), ("dbname", "a b")],
        );
    }

    #[test]
    fn what_libpq_does_not_read_is_said() {
        for text in [
            "mysql://h/d",
            "h",
            "postgres://h/d?x",
            "postgres://h/%zz",
            "postgres://h/%00",
            "postgres://[::1/d",
            "postgres://[::1]x/d",
            "host=h dbname",
            "host=h password='x",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
