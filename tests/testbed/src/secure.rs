//! Brokers that ask who a client is: TLS, SASL and access control lists.
//!
//! | listener | encryption | who the client is |
//! |---|---|---|
//! | `PLAINTEXT` | none | nobody (`User:ANONYMOUS`), who may do everything: brokers and tests use it |
//! | `SSL` | TLS | the common name of its certificate, if it has one; else nobody |
//! | `SASL_SSL` | TLS | the user of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER |
//! | `SASL_PLAINTEXT` | none | as `SASL_SSL` |
//!
//! Tokens of OAUTHBEARER are not signed: `{"alg":"none"}` as the header, `sub` as the user. Kafka's own validator for
//! development accepts them.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::certificates::{Authority, Pair};
use crate::kafka::{self, Kafka, KafkaOptions};
use crate::ports;

/// Users that can log in with a password, `<name>-secret`. `admin` may do everything; the others may do what
/// [`Security::allow`] grants them.
pub const USERS: &[&str] = &["admin", "alice", "mallory"];

/// A way to reach a secure broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// Neither encryption nor login.
    Plaintext,
    /// TLS; a client certificate is asked for and not required.
    Ssl,
    /// TLS and a login.
    SaslSsl,
    /// A login without encryption.
    SaslPlaintext,
}

impl Listener {
    /// Kafka's name, as `security.protocol` takes it.
    pub fn protocol(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslSsl => "SASL_SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
        }
    }
}

/// The ports of one broker's listeners beside `PLAINTEXT`.
#[derive(Debug, Clone, Copy)]
pub struct SecurePorts {
    ssl: u16,
    sasl_ssl: u16,
    sasl_plaintext: u16,
}

impl SecurePorts {
    /// Three free ports.
    ///
    /// # Errors
    /// When there are none.
    pub fn free() -> Result<Self> {
        Ok(Self { ssl: ports::free()?, sasl_ssl: ports::free()?, sasl_plaintext: ports::free()? })
    }

    /// The port of a listener; `plaintext` is the broker's first port.
    pub fn of(&self, listener: Listener, plaintext: u16) -> u16 {
        match listener {
            Listener::Plaintext => plaintext,
            Listener::Ssl => self.ssl,
            Listener::SaslSsl => self.sasl_ssl,
            Listener::SaslPlaintext => self.sasl_plaintext,
        }
    }
}

/// The certificates of a secure cluster, and its users.
#[derive(Debug, Clone)]
pub struct Security {
    authority: Authority,
    server: Pair,
    server_store: PathBuf,
    trusted: PathBuf,
}

impl Security {
    /// Makes an authority, and a certificate for brokers on 127.0.0.1, in `dir`.
    ///
    /// # Errors
    /// When `openssl` cannot be had or fails.
    pub fn create(dir: impl AsRef<Path>) -> Result<Self> {
        let authority = Authority::create(dir, "authority")?;
        let server = authority.sign("broker", "IP:127.0.0.1,DNS:localhost")?;
        let server_store = authority.key_store("broker")?;
        let trusted = authority.trust_store()?;
        Ok(Self { authority, server, server_store, trusted })
    }

    /// The authority that signed the brokers' certificate; it signs clients' certificates too.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The brokers' certificate.
    pub fn server(&self) -> &Pair {
        &self.server
    }

    /// The properties by which a client reaches a broker at this listener as `user`, with SCRAM-SHA-256 where it logs in.
    /// librdkafka's and Java's names are the same for these properties, except for the trusted authority, which is PEM here
    /// (`ssl.ca.location`).
    pub fn client(&self, listener: Listener, user: &str) -> Vec<(String, String)> {
        let mut properties = vec![("security.protocol".to_owned(), listener.protocol().to_owned())];
        let mut set = |name: &str, value: String| properties.push((name.to_owned(), value));
        if matches!(listener, Listener::Ssl | Listener::SaslSsl) {
            set("ssl.ca.location", self.authority.certificate().display().to_string());
        }
        if matches!(listener, Listener::SaslSsl | Listener::SaslPlaintext) {
            set("sasl.mechanism", "SCRAM-SHA-256".to_owned());
            set("sasl.username", user.to_owned());
            set("sasl.password", format!("{user}-secret"));
        }
        properties
    }

    /// Starts a broker alone, on free ports, with these listeners.
    ///
    /// # Errors
    /// As [`Kafka::start`].
    pub fn start_broker(&self, dir: impl AsRef<Path>, options: KafkaOptions) -> Result<(Kafka, SecurePorts)> {
        let (plaintext, controller, secure) = (ports::free()?, ports::free()?, SecurePorts::free()?);
        let options = self
            .apply(options, plaintext, controller, secure, None)
            .setting("controller.quorum.voters", &format!("1@127.0.0.1:{controller}"));
        Ok((Kafka::start(dir, plaintext, options)?, secure))
    }

    /// The properties by which a client in Java reaches a broker at this listener as `user`, with SCRAM-SHA-256 where it logs in.
    pub fn java_client(&self, listener: Listener, user: &str) -> Vec<(String, String)> {
        let mut properties = vec![("security.protocol", listener.protocol().to_owned())];
        if matches!(listener, Listener::Ssl | Listener::SaslSsl) {
            properties.push(("ssl.truststore.type", "PKCS12".to_owned()));
            properties.push(("ssl.truststore.location", self.trusted.display().to_string()));
            properties.push(("ssl.truststore.password", crate::certificates::STORE_PASSWORD.to_owned()));
        }
        if matches!(listener, Listener::SaslSsl | Listener::SaslPlaintext) {
            let module = "org.apache.kafka.common.security.scram.ScramLoginModule";
            properties.push(("sasl.mechanism", "SCRAM-SHA-256".to_owned()));
            properties.push((
                "sasl.jaas.config",
                format!("{module} required username=\"{user}\" password=\"{user}-secret\";"),
            ));
        }
        properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Adds the secure listeners to a broker whose plaintext and controller ports are these. Clients of `SASL_SSL` are sent to
    /// `proxy`, when there is one.
    pub(crate) fn apply(
        &self,
        options: KafkaOptions,
        plaintext: u16,
        controller: u16,
        ports: SecurePorts,
        proxy: Option<u16>,
    ) -> KafkaOptions {
        let all = [Listener::Plaintext, Listener::Ssl, Listener::SaslSsl, Listener::SaslPlaintext];
        let of = |listener: Listener| {
            format!("{}://127.0.0.1:{}", listener.protocol(), ports.of(listener, plaintext))
        };
        let listeners = all.map(of).join(",");
        let advertised = all.map(|listener| match (listener, proxy) {
            (Listener::SaslSsl, Some(proxy)) => format!("SASL_SSL://127.0.0.1:{proxy}"),
            _ => of(listener),
        });
        let map = all.map(|listener| format!("{0}:{0}", listener.protocol())).join(",");
        let users: String = USERS.iter().map(|user| format!(" user_{user}=\"{user}-secret\"")).collect();
        let module =
            |path: &str, options: &str| format!("org.apache.kafka.common.security.{path} required{options};");
        let mut options = options
            .setting("listeners", &format!("{listeners},CONTROLLER://127.0.0.1:{controller}"))
            .setting("advertised.listeners", &advertised.join(","))
            .setting("listener.security.protocol.map", &format!("CONTROLLER:PLAINTEXT,{map}"))
            .setting("inter.broker.listener.name", "PLAINTEXT")
            .setting("ssl.keystore.location", &self.server_store.display().to_string())
            .setting("ssl.keystore.password", crate::certificates::STORE_PASSWORD)
            .setting("ssl.keystore.type", "PKCS12")
            .setting("ssl.truststore.location", &self.trusted.display().to_string())
            .setting("ssl.truststore.password", crate::certificates::STORE_PASSWORD)
            .setting("ssl.truststore.type", "PKCS12")
            .setting("ssl.client.auth", "requested")
            .setting("ssl.principal.mapping.rules", "RULE:^CN=([^,]*).*$/$1/,DEFAULT")
            .setting("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER")
            .setting("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
            .setting("super.users", "User:ANONYMOUS;User:admin");
        for listener in ["sasl_ssl", "sasl_plaintext"] {
            let name = |mechanism: &str| format!("listener.name.{listener}.{mechanism}.sasl.jaas.config");
            options = options
                .setting(&name("plain"), &module("plain.PlainLoginModule", &users))
                .setting(&name("scram-sha-256"), &module("scram.ScramLoginModule", ""))
                .setting(&name("scram-sha-512"), &module("scram.ScramLoginModule", ""))
                .setting(
                    &name("oauthbearer"),
                    &module("oauthbearer.OAuthBearerLoginModule", " unsecuredLoginStringClaim_sub=\"admin\""),
                );
        }
        options.scram = USERS.iter().map(|user| ((*user).to_owned(), format!("{user}-secret"))).collect();
        options
    }

    /// Gives `user` another password for SCRAM-SHA-256, or takes it away. `bootstrap` is a plaintext address.
    ///
    /// # Errors
    /// When the tool fails.
    pub fn set_password(&self, bootstrap: &str, user: &str, password: Option<&str>) -> Result<()> {
        let fixed =
            ["--bootstrap-server", bootstrap, "--alter", "--entity-type", "users", "--entity-name", user];
        let add = password.map(|password| format!("SCRAM-SHA-256=[password={password}]"));
        let change = match &add {
            Some(add) => ["--add-config", add],
            None => ["--delete-config", "SCRAM-SHA-256"],
        };
        kafka::tool("kafka.admin.ConfigCommand", &[&fixed[..], &change].concat())
    }

    /// Grants `user` the rights that the arguments name, as `kafka-acls --add` takes them, for instance
    /// `["--operation", "Write", "--topic", "shop.public.orders"]`. `bootstrap` is a plaintext address.
    ///
    /// # Errors
    /// When the tool fails.
    pub fn allow(&self, bootstrap: &str, user: &str, arguments: &[&str]) -> Result<()> {
        let principal = format!("User:{user}");
        let fixed = ["--bootstrap-server", bootstrap, "--add", "--allow-principal", &principal];
        kafka::tool("org.apache.kafka.tools.AclCommand", &[&fixed[..], arguments].concat())
    }
}
