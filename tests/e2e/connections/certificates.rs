//! Certificates of all kinds, made by `openssl`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory with an authority, whose certificate is `ca.crt`.
#[derive(Debug)]
pub(super) struct Certificates {
    pub(super) dir: PathBuf,
}

impl Certificates {
    pub(super) fn new(dir: PathBuf) -> Self {
        let made = Self { dir };
        made.authority("ca");
        made
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.dir.join(name).to_string_lossy().into_owned()
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// `NAME.crt` and `NAME.key`, which is its own authority, made as PostgreSQL's manual says.
    pub(super) fn authority(&self, name: &str) {
        self.run(&format!(
            "req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN={name} -keyout {name}.key -out {name}.crt"
        ));
    }

    /// `NAME.crt` by `issuer`, with extensions as `openssl` has them in its configuration. None at all makes a
    /// certificate of X.509 version 1.
    pub(super) fn issue(&self, name: &str, subject: &str, issuer: &str, extensions: &str) {
        self.issue_with(name, subject, issuer, extensions, "rsa:2048", "-days 30");
    }

    /// As [`issue`](Self::issue), with a key of another kind and other words for `openssl x509`.
    pub(super) fn issue_with(
        &self,
        name: &str,
        subject: &str,
        issuer: &str,
        extensions: &str,
        key: &str,
        words: &str,
    ) {
        self.run(&format!(
            "req -new -newkey {key} -nodes -subj /CN={subject} -keyout {name}.key -out {name}.csr"
        ));
        std::fs::write(self.dir.join("extensions"), extensions).expect("a file");
        let with = if extensions.is_empty() { "" } else { "-extfile extensions" };
        self.run(&format!(
            "x509 -req -in {name}.csr -CA {issuer}.crt -CAkey {issuer}.key -CAcreateserial -out {name}.crt {words} {with}"
        ));
    }

    pub(super) fn run(&self, words: &str) {
        openssl(&self.dir, words);
    }
}

fn openssl(dir: &Path, words: &str) {
    let output = Command::new("openssl")
        .args(words.split_whitespace())
        .current_dir(dir)
        .output()
        .expect("openssl is installed");
    assert!(output.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&output.stderr));
}
