//! Java's property names, translated to librdkafka's.
//!
//! Users arrive with files of Kafka Connect workers, and with `producer.override.*`: their names are Java's. Each name that differs
//! has a row here; every other name is passed on as it is.
//!
//! A name is in one of four groups: it has another name in librdkafka; it changes nothing that anybody could see; it has no
//! counterpart, and a warning says so; or it would change what the client does, and is refused with the remedy. Names that
//! librdkafka alone has are passed on, so a file may mix both. A property that neither knows is an error with the nearest name
//! (a warning where Java would ignore it).

/// How a Java property is translated.
pub(crate) enum Translation {
    /// The same meaning under another name.
    Rename(&'static str),
    /// Another name, and bytes become KiB (rounded up).
    RenameBytesToKib(&'static str),
    /// Leave it out: it changes nothing that anybody could see.
    Ignore,
    /// Leave it out with a warning, which has this reason: librdkafka has no such property.
    Warn(&'static str),
    /// Refuse it with an error, which has this remedy: without it the client would do something else than the user wants.
    Refuse(&'static str),
    /// A list of Java class names, translated to librdkafka's names of strategies.
    AssignmentStrategy,
    /// A JAAS configuration of one login module: user and password are taken from it.
    Jaas,
    /// The class name of Java's partitioner.
    Partitioner,
    /// The class name of Java's handler that gets tokens for OAUTHBEARER.
    LoginHandler,
    /// A property of a Java key store or trust store: all of them are translated together.
    Store,
}

/// How a property is translated; `None` for a name that both know alike, or that nobody knows.
pub(crate) fn translation(name: &str) -> Option<&'static Translation> {
    TABLE.iter().find(|(names, _)| names.contains(&name)).map(|(_, translation)| translation)
}

/// Java's names, and how they are translated.
const TABLE: &[(&[&str], Translation)] = {
    use Translation::{
        AssignmentStrategy, Ignore, Jaas, LoginHandler, Partitioner, Refuse, Rename, RenameBytesToKib, Store,
        Warn,
    };
    &[
        (&["max.request.size"], Rename("message.max.bytes")),
        (&["buffer.memory"], RenameBytesToKib("queue.buffering.max.kbytes")),
        (&["metadata.max.age.ms"], Rename("topic.metadata.refresh.interval.ms")),
        (&["send.buffer.bytes"], Rename("socket.send.buffer.bytes")),
        (&["receive.buffer.bytes"], Rename("socket.receive.buffer.bytes")),
        (&["fetch.max.wait.ms"], Rename("fetch.wait.max.ms")),
        (&["client.dns.lookup"], Rename("client.dns.lookup")),
        (&["partition.assignment.strategy"], AssignmentStrategy),
        (&["partitioner.class"], Partitioner),
        (&["sasl.jaas.config"], Jaas),
        (&["sasl.login.callback.handler.class"], LoginHandler),
        (&["ssl.truststore.certificates"], Rename("ssl.ca.pem")),
        (&["ssl.keystore.certificate.chain"], Rename("ssl.certificate.pem")),
        (&["ssl.keystore.key"], Rename("ssl.key.pem")),
        (&["ssl.cipher.suites"], Rename("ssl.cipher.suites")),
        (
            &[
                "ssl.truststore.location",
                "ssl.truststore.password",
                "ssl.truststore.type",
                "ssl.keystore.type",
            ],
            Store,
        ),
        (&["sasl.oauthbearer.client.credentials.client.id"], Rename("sasl.oauthbearer.client.id")),
        (&["sasl.oauthbearer.client.credentials.client.secret"], Rename("sasl.oauthbearer.client.secret")),
        (
            &[
                "key.serializer",
                "value.serializer",
                "key.deserializer",
                "value.deserializer",
                "max.poll.records",
                "metric.reporters",
                "metrics.num.samples",
                "metrics.recording.level",
                "metrics.sample.window.ms",
                "auto.include.jmx.reporter",
                "enable.metrics.push",
                "exclude.internal.topics",
                "ssl.protocol",
                "ssl.enabled.protocols",
                "ssl.provider",
                "ssl.keymanager.algorithm",
                "ssl.trustmanager.algorithm",
                "ssl.secure.random.implementation",
            ],
            Ignore,
        ),
        (
            &["max.block.ms"],
            Warn(
                "librdkafka never blocks when sending; delivery.timeout.ms bounds how long a record may wait",
            ),
        ),
        (&["default.api.timeout.ms"], Warn("each call of pgcdc carries its own time limit")),
        (
            &[
                "partitioner.availability.timeout.ms",
                "partitioner.ignore.keys",
                "partitioner.adaptive.partitioning.enable",
            ],
            Warn("librdkafka has no counterpart"),
        ),
        (
            &[
                "metadata.max.idle.ms",
                "metadata.recovery.strategy",
                "metadata.recovery.rebootstrap.trigger.ms",
            ],
            Warn("librdkafka refreshes and re-bootstraps by itself"),
        ),
        (&["interceptor.classes"], Warn("Java interceptors cannot run here")),
        (
            &["config.providers"],
            Warn("configuration providers are resolved before properties reach the client"),
        ),
        (
            &[
                "sasl.client.callback.handler.class",
                "sasl.login.class",
                "ssl.engine.factory.class",
                "security.providers",
            ],
            Refuse("Java classes cannot run here: use librdkafka's own sasl.* and ssl.* properties"),
        ),
    ]
};

/// Translates Java's assignor classes to librdkafka's names of strategies.
pub(crate) fn assignment_strategy(value: &str) -> Result<String, String> {
    let mut names = Vec::new();
    for class in value.split(',').map(str::trim).filter(|class| !class.is_empty()) {
        names.push(match class.rsplit('.').next().unwrap_or(class) {
            "CooperativeStickyAssignor" | "cooperative-sticky" => "cooperative-sticky",
            "RangeAssignor" | "range" => "range",
            "RoundRobinAssignor" | "roundrobin" => "roundrobin",
            _ => return Err(format!("property \"partition.assignment.strategy\": {class:?} is not known here; use cooperative-sticky, range or roundrobin")),
        });
    }
    // librdkafka cannot mix eager and cooperative strategies; Java's default list does.
    if names.contains(&"cooperative-sticky") {
        return Ok("cooperative-sticky".to_owned());
    }
    Ok(names.join(","))
}
