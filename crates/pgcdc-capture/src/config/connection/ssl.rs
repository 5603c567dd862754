//! TLS to the database: `database.ssl*`, with the words of libpq and pgjdbc. Source: PostgreSQL
//! documentation, "libpq", section "SSL Support".

use std::path::{Path, PathBuf};

use pgcdc_config::Reader;
use pgcdc_event::Secret;

/// How TLS begins and what it checks. Read by `postgres/tls.rs` at each connection.
#[derive(Clone, Debug, Default)]
pub struct Ssl {
    /// `database.sslmode`.
    pub mode: SslMode,
    /// Which checks the server's certificate must pass; it follows from the mode, and for a URL
    /// from the files that exist.
    pub verify: Verify,
    /// How TLS begins.
    pub negotiation: SslNegotiation,
    /// `database.sslrootcert`, else `~/.postgresql/root.crt` if that exists.
    pub root_cert: Option<PathBuf>,
    /// `sslrootcert=system`: the roots that this machine trusts are used.
    pub system_roots: bool,
    /// `database.sslcert`, else `~/.postgresql/postgresql.crt` if that exists.
    pub cert: Option<PathBuf>,
    /// `database.sslkey`, else the key file beside the default certificate.
    pub key: Option<PathBuf>,
    /// `database.sslpassword`: the private key's.
    pub key_password: Option<Secret>,
    /// The oldest version of TLS.
    pub min_version: TlsVersion,
    /// The newest version of TLS; `None` for the newest that both sides know.
    pub max_version: Option<TlsVersion>,
    /// Whether the handshake leaves the host's name out (SNI).
    pub no_sni: bool,
}

/// `database.sslmode`, with libpq's meanings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted only when the server insists.
    Allow,
    /// Encrypted when the server can.
    #[default]
    Prefer,
    /// Encrypted; the certificate is not checked.
    Require,
    /// Encrypted; the certificate's authority is checked.
    VerifyCa,
    /// Encrypted; authority and host name are checked.
    VerifyFull,
}

/// Which checks the server's certificate must pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// None.
    #[default]
    Nothing,
    /// A root certificate vouches for it.
    Authority,
    /// That, and it names the host.
    AuthorityAndName,
}

/// libpq's `sslnegotiation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslNegotiation {
    /// The server is asked first whether it has TLS.
    #[default]
    Postgres,
    /// TLS begins at once (PostgreSQL 17 and later).
    Direct,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    V12,
    /// TLS 1.3.
    V13,
}

/// Reads `database.ssl*`. `libpq` says that the words come from a URL, and mean what they mean to
/// libpq.
pub(super) fn resolve(reader: &mut Reader<'_>, libpq: bool) -> Ssl {
    let root = reader.text("database.sslrootcert").map(str::to_owned);
    let system_roots = root.as_deref() == Some("system");
    let mode = mode(reader, system_roots);
    let root_cert = match &root {
        Some(_) if system_roots => None,
        Some(path) => Some(PathBuf::from(path)),
        None => default_file("root.crt"),
    };
    let negotiation = negotiation(reader, mode);
    let versions = &[("TLSv1.2", Some(TlsVersion::V12)), ("TLSv1.3", Some(TlsVersion::V13))];
    let (cert, key) = client_files(reader, libpq);
    Ssl {
        mode,
        verify: verify(mode, libpq, root_cert.as_deref()),
        negotiation,
        root_cert,
        system_roots,
        cert,
        key,
        key_password: reader.secret("database.sslpassword"),
        min_version: reader.choice("database.ssl_min_protocol_version", versions).unwrap_or_default(),
        max_version: reader.choice("database.ssl_max_protocol_version", versions),
        no_sni: reader.text("database.sslsni") == Some("0"),
    }
}

/// Reads `database.sslmode`. The system's root certificates vouch for many servers, so with them
/// the name must be checked, too.
fn mode(reader: &mut Reader<'_>, system_roots: bool) -> SslMode {
    let mode_set = reader.raw("database.sslmode").is_some_and(|mode| !mode.trim().is_empty());
    let mut mode = reader.choice(
        "database.sslmode",
        &[
            ("disable", SslMode::Disable),
            ("allow", SslMode::Allow),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::VerifyCa),
            ("verify-full", SslMode::VerifyFull),
        ],
    );
    // pgjdbc's older property `ssl=true` means the strictest mode.
    if !mode_set && (system_roots || reader.boolean("database.ssl")) {
        mode = SslMode::VerifyFull;
    } else if system_roots && mode != SslMode::VerifyFull {
        let message = "sslrootcert=system vouches for many who are not your server, so that sslmode must be verify-full";
        reader.mistake(
            "database.sslmode",
            message,
            "set sslmode=verify-full, or name a file of root certificates",
        );
    }
    mode
}

/// Reads `database.sslNegotiation`.
fn negotiation(reader: &mut Reader<'_>, mode: SslMode) -> SslNegotiation {
    let negotiation = reader.choice(
        "database.sslNegotiation",
        &[("postgres", SslNegotiation::Postgres), ("direct", SslNegotiation::Direct)],
    );
    if negotiation == SslNegotiation::Direct
        && matches!(mode, SslMode::Disable | SslMode::Allow | SslMode::Prefer)
    {
        let message = "direct begins with TLS, so that sslmode must be require, verify-ca or verify-full";
        reader.mistake(
            "database.sslNegotiation",
            message,
            "set sslmode=require, or leave sslnegotiation out",
        );
    }
    negotiation
}

/// The checks that a mode asks for. libpq also checks the certificate in every other mode when a
/// file of root certificates exists.
fn verify(mode: SslMode, libpq: bool, root: Option<&Path>) -> Verify {
    match mode {
        SslMode::VerifyFull => Verify::AuthorityAndName,
        SslMode::VerifyCa => Verify::Authority,
        _ if libpq && root.is_some_and(Path::exists) => Verify::Authority,
        _ => Verify::Nothing,
    }
}

/// The client's certificate and key: the files that are named, else the files where libpq and pgjdbc look.
fn client_files(reader: &Reader<'_>, libpq: bool) -> (Option<PathBuf>, Option<PathBuf>) {
    let (cert, key) = (reader.path("database.sslcert"), reader.path("database.sslkey"));
    let cert = cert.or_else(|| if key.is_none() { default_file("postgresql.crt") } else { None });
    let key = key.or_else(|| {
        let own =
            if libpq { ["postgresql.key", "postgresql.pk8"] } else { ["postgresql.pk8", "postgresql.key"] };
        cert.as_ref().and_then(|_| own.into_iter().find_map(default_file))
    });
    (cert, key)
}

/// A file of `~/.postgresql`, if it is there.
fn default_file(name: &str) -> Option<PathBuf> {
    let path = Path::new(&std::env::var_os("HOME")?).join(".postgresql").join(name);
    path.exists().then_some(path)
}
