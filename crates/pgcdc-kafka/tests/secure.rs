//! Our own producer against a broker with TLS, SASL and access control lists. Needs Java, as the end-to-end tests do:
//!
//! ```text
//! cargo test -p pgcdc-kafka --features tls --test secure -- --ignored
//! ```
//! `cargo xtask test` runs it, too.

#![expect(
    clippy::print_stdout,
    reason = "how long each step takes, and what is said, when one runs it by hand"
)]

use std::time::{Duration, Instant};

use pgcdc_kafka::topics::{self, TopicSpec};
use pgcdc_kafka::{ClientProperties, Error, Producer, Sent, read_compacted};
use pgcdc_testbed::certificates::{Authority, STORE_PASSWORD};
use pgcdc_testbed::clusters::{ClusterOptions, KafkaCluster};
use pgcdc_testbed::scratch::Scratch;
use pgcdc_testbed::secure::{Listener, Security};

/// How soon a mistake must be told.
const SOON: Duration = Duration::from_secs(10);

/// A cluster of one broker.
struct Bed {
    cluster: KafkaCluster,
    scratch: Scratch,
    begin: Instant,
}

type Properties = Vec<(String, String)>;

impl Bed {
    fn start() -> Self {
        let scratch = Scratch::new("kafka-secure").expect("a directory");
        let security = Security::create(scratch.join("certificates")).expect("certificates");
        let options = ClusterOptions {
            nodes: 1,
            security: Some(security),
            settings: vec![("connections.max.reauth.ms".to_owned(), "4000".to_owned())],
            ..ClusterOptions::default()
        };
        Self {
            cluster: KafkaCluster::start_with(&*scratch, &options).expect("a broker"),
            scratch,
            begin: Instant::now(),
        }
    }

    /// Shows how long each step takes, to whoever runs this with `--nocapture`.
    fn tell(&self, step: &str) {
        println!("{:6.1} s: {step}", self.begin.elapsed().as_secs_f64());
    }

    fn security(&self) -> &Security {
        self.cluster.security().expect("it has some")
    }

    /// What a client says to reach the broker by a listener.
    fn client(&self, listener: Listener, user: &str) -> Properties {
        let mut properties = self.security().client(listener, user);
        set(&mut properties, "bootstrap.servers", &self.cluster.bootstrap_of(listener));
        properties
    }

    /// The values of a topic, by key.
    fn read(&self, topic: &str) -> usize {
        let properties = parse(&self.client(Listener::Plaintext, "")).expect("valid");
        run(read_compacted(&properties, topic)).expect("it can be read").len()
    }

    fn create(&self, name: &str, config: &[(&str, &str)]) {
        let properties = parse(&self.client(Listener::Plaintext, "")).expect("valid");
        let mut spec = TopicSpec::new(name);
        spec.partitions = 2;
        spec.config = config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        run(topics::ensure(&properties, &spec)).expect("it is made");
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn set(properties: &mut Properties, name: &str, value: &str) {
    properties.retain(|(known, _)| known != name);
    properties.push((name.to_owned(), value.to_owned()));
}

fn parse(properties: &Properties) -> Result<ClientProperties, Error> {
    ClientProperties::parse(properties.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// Sends so many records with keys of their own; returns when all are durable.
fn send(properties: &Properties, topic: &str, count: usize, size: usize) -> Result<(), Error> {
    let mut producer = Producer::new(&parse(properties)?, &[])?;
    let end = Instant::now() + Duration::from_secs(30);
    let target = producer.topic(topic)?;
    let mut delivered = Vec::new();
    let value = vec![b'v'; size];
    for number in 0..count {
        let key = format!("{number:06}");
        while producer.send_beside(&target, key.as_bytes(), Some(&value))? == Sent::Full {
            assert!(Instant::now() < end, "no room for a record");
            producer.poll(&mut delivered)?;
            producer.send_now(true)?;
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    while delivered.len() < count {
        assert!(Instant::now() < end, "{} of {count} records are durable", delivered.len());
        producer.poll(&mut delivered)?;
        producer.send_now(false)?;
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Tries to send, and expects an error that says all of `parts`, in its text or its hint.
fn refuse(properties: &Properties, topic: &str, parts: &[&str]) {
    let begin = Instant::now();
    let error = match run(async { begin_and_send(properties, topic).await }) {
        Ok(()) => panic!("the broker takes a record, and should not: {parts:?}"),
        Err(error) => error,
    };
    let text = format!("{error}; {}", error.hint().unwrap_or_default());
    println!("{:.1} s: {text}", begin.elapsed().as_secs_f64());
    assert!(begin.elapsed() < SOON, "{text}");
    assert!(!error.is_transient() && !error.is_fatal(), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
}

async fn begin_and_send(properties: &Properties, topic: &str) -> Result<(), Error> {
    if !properties.iter().any(|(name, _)| name == "transactional.id") {
        return send(properties, topic, 1, 10);
    }
    let mut producer = Producer::new(&parse(properties)?, &[])?;
    producer.begin_transactions(Duration::from_secs(60)).await
}

#[test]
#[ignore = "needs Java, and librdkafka with TLS"]
fn a_secure_broker_is_written_to_and_mistakes_are_told() {
    let bed = Bed::start();
    bed.create("orders", &[]);
    for step in [
        every_listener_takes_records,
        mechanisms_and_stores,
        wrong_protocols,
        wrong_certificates_and_passwords,
        missing_grants,
        batches_that_are_too_large,
        sessions_that_end,
    ] {
        step(&bed);
        bed.tell("next");
    }
}

fn every_listener_takes_records(bed: &Bed) {
    // Not every librdkafka reads zstd; the broker has checked the batches in any case.
    bed.create("zstd", &[]);
    bed.tell("the broker is up");
    for listener in [Listener::Plaintext, Listener::Ssl, Listener::SaslSsl, Listener::SaslPlaintext] {
        let mut properties = bed.client(listener, "admin");
        let topic = listener.protocol();
        bed.create(topic, &[]);
        for (compression, topic) in
            [("lz4", topic), ("none", topic), ("gzip", topic), ("snappy", topic), ("zstd", "zstd")]
        {
            set(&mut properties, "compression.type", compression);
            send(&properties, topic, 3_000, 300)
                .unwrap_or_else(|error| panic!("{topic}, {compression}: {error}"));
            bed.tell(&format!("{topic} {compression}"));
        }
        assert_eq!(bed.read(topic), 3_000, "{topic}");
        bed.tell("read");
    }
}

fn mechanisms_and_stores(bed: &Bed) {
    let java = "org.apache.kafka.common.security";
    let login = |module: &str, options: &str| format!("{java}.{module} required {options};");
    let password = r#"username="alice" password="alice-secret""#;
    let cases = [
        ("PLAIN", login("plain.PlainLoginModule", password)),
        ("SCRAM-SHA-512", login("scram.ScramLoginModule", password)),
        (
            "OAUTHBEARER",
            login("oauthbearer.OAuthBearerLoginModule", r#"unsecuredLoginStringClaim_sub="admin""#),
        ),
    ];
    bed.security()
        .allow(&bed.cluster.bootstrap(), "alice", &["--operation", "Write", "--topic", "orders"])
        .unwrap();
    let store = bed.security().authority().trust_store().expect("a trust store");
    for (mechanism, jaas) in cases {
        let mut properties: Properties = vec![("sasl.jaas.config".to_owned(), jaas)];
        set(&mut properties, "security.protocol", "SASL_SSL");
        set(&mut properties, "sasl.mechanism", mechanism);
        set(&mut properties, "bootstrap.servers", &bed.cluster.bootstrap_of(Listener::SaslSsl));
        set(&mut properties, "ssl.truststore.location", &store.display().to_string());
        set(&mut properties, "ssl.truststore.password", STORE_PASSWORD);
        set(&mut properties, "ssl.truststore.type", "PKCS12");
        send(&properties, "orders", 100, 100).unwrap_or_else(|error| panic!("{mechanism}: {error}"));
    }
    // A client certificate says who the user is: alice may write here, and nowhere else.
    let authority = bed.security().authority();
    let pair = authority.sign("alice", "").expect("a certificate");
    let keys = authority.key_store("alice").expect("a key store");
    let mut properties = bed.client(Listener::Ssl, "");
    set(&mut properties, "ssl.keystore.location", &keys.display().to_string());
    set(&mut properties, "ssl.keystore.password", STORE_PASSWORD);
    send(&properties, "orders", 100, 100).expect("a PKCS#12 key store");
    bed.create("others", &[]);
    refuse(&properties, "others", &["kafka-acls", "--topic others"]);
    let mut properties = bed.client(Listener::Ssl, "");
    set(
        &mut properties,
        "ssl.keystore.certificate.chain",
        &std::fs::read_to_string(&pair.certificate).unwrap(),
    );
    set(&mut properties, "ssl.keystore.key", &std::fs::read_to_string(&pair.key).unwrap());
    set(
        &mut properties,
        "ssl.truststore.certificates",
        &std::fs::read_to_string(authority.certificate()).unwrap(),
    );
    properties.retain(|(name, _)| name != "ssl.ca.location");
    send(&properties, "orders", 100, 100).expect("PEM in the properties");
}

fn wrong_protocols(bed: &Bed) {
    let cases = [
        (Listener::Plaintext, Listener::Ssl, &["SSL"][..]),
        (Listener::Plaintext, Listener::SaslSsl, &["SSL"]),
        (Listener::Plaintext, Listener::SaslPlaintext, &["SASL_PLAINTEXT"]),
        (Listener::Ssl, Listener::Plaintext, &["TLS", "PLAINTEXT"]),
        (Listener::Ssl, Listener::SaslSsl, &["SASL_SSL"]),
        (Listener::SaslPlaintext, Listener::Plaintext, &["takes no login"]),
        (Listener::SaslSsl, Listener::SaslPlaintext, &["TLS"]),
        (Listener::SaslSsl, Listener::Ssl, &["takes no login"]),
    ];
    for (said, port, parts) in cases {
        let mut properties = bed.client(said, "admin");
        set(&mut properties, "bootstrap.servers", &bed.cluster.bootstrap_of(port));
        println!("{} at a port of {}", said.protocol(), port.protocol());
        refuse(&properties, "orders", parts);
    }
}

fn wrong_certificates_and_passwords(bed: &Bed) {
    let stranger = Authority::create(bed.scratch.join("stranger"), "stranger").expect("an authority");
    let mut properties = bed.client(Listener::SaslSsl, "admin");
    set(&mut properties, "ssl.ca.location", &stranger.certificate().display().to_string());
    refuse(&properties, "orders", &["vouches", "ssl.ca.location", "ssl.truststore.location"]);
    set(&mut properties, "enable.ssl.certificate.verification", "false");
    send(&properties, "orders", 1, 1).expect("nothing is checked");

    let mut properties = bed.client(Listener::SaslSsl, "admin");
    set(&mut properties, "sasl.password", "wrong");
    refuse(&properties, "orders", &["admin", "SCRAM-SHA-256", "password"]);
    set(&mut properties, "sasl.mechanism", "PLAIN");
    refuse(&properties, "orders", &["admin", "PLAIN", "password"]);
}

fn missing_grants(bed: &Bed) {
    let allow = |arguments: &[&str]| {
        bed.security().allow(&bed.cluster.bootstrap(), "mallory", arguments).expect("it is granted");
    };
    let mut properties = bed.client(Listener::SaslSsl, "mallory");
    let command = "kafka-acls --bootstrap-server 127.0.0.1:";
    refuse(&properties, "orders", &[command, "User:mallory --operation Write", "--topic orders"]);
    allow(&["--operation", "Describe", "--topic", "orders"]);
    refuse(&properties, "orders", &[command]);
    allow(&["--operation", "Write", "--topic", "orders"]);
    send(&properties, "orders", 10, 10).expect("the topic is granted");
    set(&mut properties, "transactional.id", "mine");
    refuse(&properties, "orders", &[command, "User:mallory", "--transactional-id mine"]);
}

fn batches_that_are_too_large(bed: &Bed) {
    bed.create("narrow", &[("max.message.bytes", "3000")]);
    for compression in ["none", "lz4"] {
        let mut properties = bed.client(Listener::Plaintext, "");
        set(&mut properties, "compression.type", compression);
        send(&properties, "narrow", 3_000, 200).expect("batches are split");
        assert_eq!(bed.read("narrow"), 3_000);
    }
}

/// The broker ends sessions after four seconds: a client that does not log in again is cut off.
fn sessions_that_end(bed: &Bed) {
    let properties = bed.client(Listener::SaslSsl, "admin");
    let mut producer = Producer::new(&parse(&properties).expect("valid"), &[]).expect("a producer");
    bed.create("slow", &[]);
    let topic = producer.topic("slow").expect("a topic");
    let (begin, mut sent, mut delivered) = (Instant::now(), 0, Vec::new());
    while begin.elapsed() < Duration::from_secs(10) || delivered.len() < sent {
        assert!(begin.elapsed() < Duration::from_secs(20));
        if begin.elapsed() < Duration::from_secs(10)
            && producer.send_beside(&topic, format!("{sent}").as_bytes(), Some(b"v")).expect("it goes on")
                == Sent::Queued
        {
            sent += 1;
        }
        producer.send_now(false).expect("it goes on");
        producer.poll(&mut delivered).expect("it goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(bed.read("slow"), sent);
}
