//! Certificates for tests, made by `openssl` and `keytool` when a test needs them. They are valid for two days.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tools;

/// The password of every key store and trust store that is made here.
pub const STORE_PASSWORD: &str = "changeit";

/// A certificate and its private key (PKCS#8), both as PEM files.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A certificate authority. Its files lie in a directory of its own.
#[derive(Debug, Clone)]
pub struct Authority {
    dir: PathBuf,
    name: String,
}

impl Authority {
    /// Makes an authority in `dir`, which is created. `name` becomes the common name.
    ///
    /// # Errors
    /// When `openssl` cannot be had or fails.
    pub fn create(dir: impl AsRef<Path>, name: &str) -> Result<Self> {
        let dir = dir.as_ref();
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        openssl(
            dir,
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"
            ),
        )?;
        Ok(Self { dir: dir.to_owned(), name: name.to_owned() })
    }

    /// The authority's own certificate, as a PEM file.
    pub fn certificate(&self) -> PathBuf {
        self.dir.join(format!("{}.pem", self.name))
    }

    /// Signs a certificate with the common name `name`. `alternative` is its alternative name, for instance
    /// `IP:127.0.0.1,DNS:localhost`; an empty text means none, as for a client.
    ///
    /// # Errors
    /// When `openssl` fails.
    pub fn sign(&self, name: &str, alternative: &str) -> Result<Pair> {
        let key_usage = "extendedKeyUsage=serverAuth,clientAuth\n";
        let alternative =
            if alternative.is_empty() { String::new() } else { format!("subjectAltName={alternative}\n") };
        let extensions = self.dir.join(format!("{name}.ext"));
        fs::write(&extensions, format!("{key_usage}{alternative}")).context("cannot write extensions")?;
        openssl(
            &self.dir,
            &format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
            ),
        )?;
        openssl(
            &self.dir,
            &format!(
                "x509 -req -in {name}.csr -days 2 -CA {0}.pem -CAkey {0}.key -CAcreateserial -extfile {name}.ext -out {name}.pem",
                self.name
            ),
        )?;
        let file = |ending: &str| self.dir.join(format!("{name}.{ending}"));
        Ok(Pair { certificate: file("pem"), key: file("key") })
    }

    /// The authority's certificate in a trust store as Java makes it (PKCS#12), protected by [`STORE_PASSWORD`].
    ///
    /// # Errors
    /// When `keytool` cannot be had or fails.
    pub fn trust_store(&self) -> Result<PathBuf> {
        let file = format!("{}.truststore.p12", self.name);
        let arguments = format!(
            "-importcert -noprompt -alias authority -file {}.pem -keystore {file} -storetype PKCS12 -storepass {STORE_PASSWORD}",
            self.name
        );
        if !self.dir.join(&file).exists() {
            run(&tools::keytool()?, &self.dir, &arguments)?;
        }
        Ok(self.dir.join(file))
    }

    /// The certificate and key of [`Authority::sign`] for `name`, in a PKCS#12 file protected by [`STORE_PASSWORD`].
    ///
    /// # Errors
    /// When `openssl` fails, and when nothing was signed for `name`.
    pub fn key_store(&self, name: &str) -> Result<PathBuf> {
        let file = format!("{name}.keystore.p12");
        openssl(
            &self.dir,
            &format!(
                "pkcs12 -export -inkey {name}.key -in {name}.pem -certfile {}.pem -name {name} -passout pass:{STORE_PASSWORD} -out {file}",
                self.name
            ),
        )?;
        Ok(self.dir.join(file))
    }
}

fn openssl(dir: &Path, arguments: &str) -> Result<()> {
    run(&tools::ensure("openssl", "openssl")?, dir, arguments)
}

fn run(program: &Path, dir: &Path, arguments: &str) -> Result<()> {
    let output = Command::new(program)
        .args(arguments.split(' '))
        .current_dir(dir)
        .output()
        .with_context(|| format!("cannot run {}", program.display()))?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        bail!("{} {arguments} failed: {}", program.display(), String::from_utf8_lossy(&text).trim());
    }
    Ok(())
}
