//! `sasl.jaas.config`: the login module's options, as properties.
//!
//! Java's form is `module control name="value" … ;`, for instance `org.apache.kafka.common.security.scram.ScramLoginModule
//! required username="u" password="p";`. The module's class says which mechanism it is for, and is checked against
//! `sasl.mechanism` by the broker only. Values are quoted or bare; in quotes `\"` is a quote and `\\` a backslash. One module
//! is taken: Kafka's clients refuse several, too (KIP-85).
//!
//! The text holds a password, so no error shows any of it.

/// Reads a JAAS configuration of one login module. Gives properties under librdkafka's names, or this crate's own.
///
/// # Errors
/// Says what is not supported, without any value.
pub(crate) fn properties(value: &str) -> Result<Vec<(&'static str, String)>, String> {
    /// What errors call the property.
    const NAME: &str = "property \"sasl.jaas.config\"";
    let (class, options) = parse(value).ok_or_else(|| {
        format!("{NAME} is not of the form: <module class> required username=\"…\" password=\"…\";")
    })?;
    let bearer = class.ends_with("OAuthBearerLoginModule");
    if !bearer && !class.ends_with("PlainLoginModule") && !class.ends_with("ScramLoginModule") {
        return Err(format!(
            "{NAME}: login module {class:?} is not supported; PlainLoginModule, ScramLoginModule and OAuthBearerLoginModule are"
        ));
    }
    let mut found = Vec::new();
    let mut extensions = Vec::new();
    for (option, value) in options {
        match option.as_str() {
            "username" if !bearer => found.push(("sasl.username", value)),
            "password" if !bearer => found.push(("sasl.password", value)),
            "tokenauth" if !bearer && value == "false" => {}
            "clientId" if bearer => found.push(("sasl.oauthbearer.client.id", value)),
            "clientSecret" if bearer => found.push(("sasl.oauthbearer.client.secret", value)),
            "scope" if bearer => found.push(("sasl.oauthbearer.scope", value)),
            "unsecuredLoginStringClaim_sub" if bearer => {
                found.push(("enable.sasl.oauthbearer.unsecure.jwt", "true".to_owned()));
                found.push(("sasl.oauthbearer.config", format!("principal={value}")));
            }
            other => match other.strip_prefix("extension_").filter(|_| bearer) {
                Some(name) => extensions.push(format!("{name}={value}")),
                None => return Err(format!("{NAME}: option {other:?} is not supported")),
            },
        }
    }
    if !extensions.is_empty() {
        found.push(("sasl.oauthbearer.extensions", extensions.join(",")));
    }
    Ok(found)
}

/// Reads a JAAS configuration: the login module's class, and its `name="value"` options.
fn parse(value: &str) -> Option<(&str, Vec<(String, String)>)> {
    let value = value.trim().trim_end_matches(';').trim();
    let (class, rest) = value.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (_flag, mut rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let mut options = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some((class, options));
        }
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (option, next) = if let Some(quoted) = after.strip_prefix('"') {
            let mut text = String::new();
            let mut characters = quoted.char_indices();
            let end = loop {
                let (at, character) = characters.next()?;
                match character {
                    '\\' => text.push(characters.next()?.1),
                    '"' => break at + 1,
                    other => text.push(other),
                }
            };
            (text, &quoted[end..])
        } else {
            let end = after.find(char::is_whitespace).unwrap_or(after.len());
            (after[..end].to_owned(), &after[end..])
        };
        options.push((name.trim().to_owned(), option));
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_unquoted() {
        let text = r#"org.apache.kafka.common.security.scram.ScramLoginModule required username="al\"ice" password=p;"#;
        assert_eq!(
            properties(text).expect("well formed"),
            [("sasl.username", "al\"ice".to_owned()), ("sasl.password", "p".to_owned())]
        );
        assert!(properties(r#"X required username="open"#).is_err());
        assert!(properties("a.Krb5LoginModule required;").unwrap_err().contains("Krb5LoginModule"));
    }

    #[test]
    fn options_of_oauthbearer_become_properties() {
        let text = r#"o.OAuthBearerLoginModule required clientId="me" clientSecret="s" scope="a b" extension_cluster="x";"#;
        let found = properties(text).expect("well formed");
        assert_eq!(found.last(), Some(&("sasl.oauthbearer.extensions", "cluster=x".to_owned())));
        assert_eq!(found.len(), 4);
        assert!(properties("o.OAuthBearerLoginModule required username=\"u\";").is_err());
    }
}
