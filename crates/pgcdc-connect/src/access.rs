//! Who may ask: anybody, or those with a user's password or a token.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{Digest, SHA256, digest};

/// Who may ask. Secrets are kept as digests, and compared in a time that says nothing about them.
#[derive(Clone, Default)]
pub struct Access {
    /// Digests of `user:password`.
    users: Vec<Digest>,
    /// Digests of bearer tokens.
    tokens: Vec<Digest>,
}

impl Access {
    /// Anybody.
    #[must_use]
    pub fn open() -> Self {
        Self::default()
    }

    /// Adds users from a file: a line `user:password` for each. Empty lines and lines that begin with `#` are left out.
    ///
    /// # Errors
    /// Names the first line without a colon.
    pub fn users(mut self, file: &str) -> Result<Self, String> {
        for (line, text) in lines(file) {
            if !text.contains(':') {
                return Err(format!("line {line} is not of the form user:password"));
            }
            self.users.push(digest(&SHA256, text.as_bytes()));
        }
        Ok(self)
    }

    /// Adds bearer tokens from a file, one a line.
    #[must_use]
    pub fn tokens(mut self, file: &str) -> Self {
        self.tokens.extend(lines(file).map(|(_, text)| digest(&SHA256, text.as_bytes())));
        self
    }

    /// Whether anybody may ask.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.users.is_empty() && self.tokens.is_empty()
    }

    /// Whether a request with these headers may be answered.
    pub(crate) fn allows(&self, headers: &HeaderMap) -> bool {
        if self.is_open() {
            return true;
        }
        let Some((scheme, given)) = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.split_once(' '))
        else {
            return false;
        };
        if scheme.eq_ignore_ascii_case("basic") {
            STANDARD.decode(given.trim()).is_ok_and(|pair| knows(&self.users, &pair))
        } else {
            scheme.eq_ignore_ascii_case("bearer") && knows(&self.tokens, given.trim().as_bytes())
        }
    }

    /// What the client is asked for.
    pub(crate) fn challenge(&self) -> &'static str {
        if self.users.is_empty() { "Bearer" } else { "Basic realm=\"pgcdc\"" }
    }
}

/// Shows how many secrets there are.
impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("users", &self.users.len())
            .field("tokens", &self.tokens.len())
            .finish()
    }
}

/// Whether one of the secrets is the given one. Compares digests, whose order tells nothing of the secrets.
fn knows(secrets: &[Digest], given: &[u8]) -> bool {
    let given = digest(&SHA256, given);
    secrets.iter().any(|secret| secret.as_ref() == given.as_ref())
}

fn lines(file: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = file.lines().enumerate().map(|(at, text)| (at + 1, text.trim()));
    numbered.filter(|(_, text)| !text.is_empty() && !text.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_or_a_token_is_asked_for() {
        let access = Access::open().users("# who\nme:open:sesame\n").expect("a user").tokens("t0ken\n");
        let allows = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, text.parse().expect("a header"));
            access.allows(&headers)
        };
        assert!(allows(&format!("Basic {}", STANDARD.encode("me:open:sesame"))) && allows("bearer t0ken"));
        for wrong in ["Basic x", "Bearer", "Bearer t0ke", "Bearer me:open:sesame", "Digest t0ken"] {
            assert!(!allows(wrong), "{wrong}");
        }
        assert!(!access.allows(&HeaderMap::new()) && Access::open().allows(&HeaderMap::new()));
        assert!(Access::open().users("me").is_err() && !format!("{access:?}").contains("sesame"));
    }
}
