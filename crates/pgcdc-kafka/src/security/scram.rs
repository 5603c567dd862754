//! SCRAM (RFC 5802) with SHA-256 or SHA-512, as Kafka has it: names and passwords are UTF-8 as they stand, without SASLprep.
//!
//! ```text client: n,,n=user,r=nonce broker: r=nonce+its own, s=salt, i=rounds client: c=biws, r=both, p=proof broker:
//! v=signature ``` The proof and the signature come from the same stretched password, so each side knows that the other has it.
//! A broker that asks for fewer than 4,096 rounds is refused (RFC 7677 asks for that many), and so is a nonce that does not
//! begin with ours.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pgcdc_event::Secret;
use ring::{digest, hmac, pbkdf2};

/// Rounds that a broker may ask for: fewer protect nothing, more keep a client busy.
const ROUNDS: std::ops::RangeInclusive<u32> = 4_096..=10_000_000;

/// The hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    /// `SCRAM-SHA-256`.
    Sha256,
    /// `SCRAM-SHA-512`.
    Sha512,
}

impl Hash {
    /// Its keyed hash.
    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }

    /// The hash itself.
    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        }
    }

    /// How a password is stretched with it.
    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }
}

/// One login: [`first`](Self::first), then [`last`](Self::last), then [`verify`](Self::verify).
#[derive(Debug)]
pub(super) struct Scram {
    /// Which of the two mechanisms it is.
    hash: Hash,
    /// The password, in UTF-8. It is not normalised further (SASLprep), as in Kafka's own clients.
    password: Secret,
    /// The client's random text, which the broker's answer must begin with.
    nonce: String,
    /// The first message without its header.
    bare: String,
    /// The key that a server with the password's verifier signs with, and what it signs.
    expected: Option<(hmac::Key, String)>,
}

impl Scram {
    /// Begins a login. `nonce` is a text of at least 18 random bytes, without commas.
    pub(super) fn new(hash: Hash, user: &str, password: Secret, nonce: String) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let bare = format!("n={user},r={nonce}");
        Self { hash, password, nonce, bare, expected: None }
    }

    /// The client's first message.
    pub(super) fn first(&self) -> Vec<u8> {
        format!("n,,{}", self.bare).into_bytes()
    }

    /// The client's last message, for the server's first one. An error says what is wrong with that.
    pub(super) fn last(&mut self, server: &[u8]) -> Result<Vec<u8>, &'static str> {
        let server = std::str::from_utf8(server).map_err(|_| "it is not text")?;
        let field =
            |name: char| server.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        let nonce = field('r').ok_or("it has no nonce")?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("its nonce does not begin with ours");
        }
        let salt = field('s').and_then(|salt| STANDARD.decode(salt).ok()).ok_or("it has no salt")?;
        let rounds: u32 =
            field('i').and_then(|rounds| rounds.parse().ok()).ok_or("it has no iteration count")?;
        let rounds = NonZeroU32::new(rounds).filter(|rounds| ROUNDS.contains(&rounds.get()));
        let rounds = rounds.ok_or("its iteration count is below 4096 or above 10000000")?;

        let mut salted = vec![0; self.hash.digest().output_len()];
        pbkdf2::derive(self.hash.pbkdf2(), rounds, &salt, self.password.expose().as_bytes(), &mut salted);
        let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(self.hash.hmac(), key), text);
        let client_key = sign(&salted, b"Client Key");
        let stored_key = digest::digest(self.hash.digest(), client_key.as_ref());
        // "biws" is the header "n,,".
        let without_proof = format!("c=biws,r={nonce}");
        let message = format!("{},{server},{without_proof}", self.bare);
        let signature = sign(stored_key.as_ref(), message.as_bytes());
        let proof: Vec<u8> = client_key.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        let server_key = sign(&salted, b"Server Key");
        self.expected = Some((hmac::Key::new(self.hash.hmac(), server_key.as_ref()), message));
        Ok(format!("{without_proof},p={}", STANDARD.encode(proof)).into_bytes())
    }

    /// Checks the server's last message: a server that does not know the password cannot make its signature.
    pub(super) fn verify(&self, server: &[u8]) -> Result<(), &'static str> {
        let text = std::str::from_utf8(server).map_err(|_| "it is not text")?;
        let signature = text.split(',').find_map(|part| part.strip_prefix("v="));
        let signature = signature.and_then(|text| STANDARD.decode(text).ok()).ok_or("it has no signature")?;
        let (key, message) = self.expected.as_ref().ok_or("it comes too early")?;
        hmac::verify(key, message.as_bytes(), &signature)
            .map_err(|_| "its signature is wrong: the broker does not know the password")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677, section 3.
    #[test]
    fn the_example_of_the_rfc() {
        let password = Secret::new("pencil".to_owned());
        let mut scram = Scram::new(Hash::Sha256, "user", password, "rOprNGfwEbeRWgbNEkqO".to_owned());
        assert_eq!(scram.first(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server =
            b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let last = String::from_utf8(scram.last(server).unwrap()).unwrap();
        assert_eq!(
            last,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(scram.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
        assert!(scram.verify(b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").is_err());
        assert!(scram.verify(b"e=invalid-proof").is_err());
    }

    #[test]
    fn a_server_s_message_is_checked() {
        let refuse = |server: &str| {
            let mut scram = Scram::new(Hash::Sha512, "a,b=c", Secret::new("p".to_owned()), "abc".to_owned());
            assert_eq!(scram.first(), b"n,,n=a=2Cb=3Dc,r=abc");
            scram.last(server.as_bytes()).unwrap_err()
        };
        assert!(refuse("r=abc,s=AAAA,i=4096").contains("nonce"), "the server adds nothing to it");
        assert!(refuse("r=xyz1,s=AAAA,i=4096").contains("nonce"));
        assert!(refuse("r=abc1,i=4096").contains("salt"));
        assert!(refuse("r=abc1,s=AAAA,i=1").contains("iteration"));
        assert!(refuse("r=abc1,s=AAAA,i=99999999").contains("iteration"));
        assert!(refuse("").contains("nonce"));
    }
}
