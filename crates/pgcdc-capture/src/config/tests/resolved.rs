//! Typed settings.

use std::time::Duration;

use pgcdc_event::{Operation, TableName};
use pgcdc_format::types::{BinaryMode, DecimalFormat, DecimalMode, TimePrecision, TypeOptions};

use super::*;

#[test]
fn defaults_are_debezium_s() {
    let s = settings(&[]);
    assert_eq!((&*s.name, s.connection.hosts[0].port, &*s.slot.name), ("shop", 5432, "debezium"));
    assert_eq!(
        (&*s.publication.name, s.publication.autocreate),
        ("dbz_publication", PublicationMode::AllTables)
    );
    assert_eq!(s.types, TypeOptions::default());
    assert_eq!((s.snapshot.mode, s.snapshot.max_threads), (SnapshotMode::Initial, 1));
    assert!(s.key_converter.schemas_enable && s.value_converter.schemas_enable);
    assert!(s.tombstones_on_delete && s.extended_headers && s.topic.creation.is_none());
    assert!(s.skipped.contains(Operation::Truncate) && !s.skipped.contains(Operation::Delete));
    assert_eq!((s.heartbeat.interval, s.status_interval), (None, Duration::from_secs(10)));
    assert_eq!(s.heartbeat.topic(&s.topic), "__debezium-heartbeat.shop");
    assert_eq!(s.topic.of(&TableName::new("public", "My Täble")), "shop.public.My_T_ble");
    assert_eq!((s.retry.max_retries, s.retry.wait), (None, Duration::from_secs(10)));
    assert_eq!(s.connection.ssl.mode, SslMode::Prefer);
    assert_eq!(s.connection.query_timeout, Some(Duration::from_secs(600)));
    assert_eq!(s.warnings, []);
}

#[test]
fn what_is_set_is_read() {
    let s = settings(&[
        ("name", "c"),
        ("database.port", " 6543 "),
        ("database.sslmode", "Verify-Full"),
        ("database.query.timeout.ms", "0"),
        ("database.initial.statements", "SET a = 1; SELECT ';;' ;"),
        ("decimal.handling.mode", "string"),
        ("value.converter.decimal.format", "numeric"),
        ("time.precision.mode", "isostring"),
        ("binary.handling.mode", "base64-url-safe"),
        ("unavailable.value.placeholder", "hex:00ff"),
        ("money.fraction.digits", "3"),
        ("skipped.operations", "d, T"),
        ("heartbeat.interval.ms", "500"),
        ("topic.heartbeat.prefix", "hb"),
        ("topic.delimiter", "_"),
        ("topic.naming.strategy", "io.debezium.schema.DefaultTopicNamingStrategy"),
        ("topic.creation.default.partitions", "4"),
        ("topic.creation.default.replication.factor", "-1"),
        ("topic.creation.default.cleanup.policy", "compact"),
        ("bootstrap.servers", "k:9092"),
        ("producer.linger.ms", "1"),
        ("producer.acks", "all"),
        ("producer.override.linger.ms", "2"),
        ("producer.sasl.jaas.config", "hunter4"),
        ("offset.storage.topic", "worker"),
        ("offsets.storage.topic", "mine"),
        ("offset.storage.file.filename", "/tmp/o"),
        ("snapshot.mode", "never"),
        ("snapshot.max.threads", "3"),
        ("snapshot.select.statement.overrides", "public.t"),
        ("snapshot.select.statement.overrides.public.t", "SELECT 1"),
        ("errors.max.retries", "0"),
        ("publication.autocreate.mode", "filtered"),
    ]);
    assert_eq!((&*s.name, s.connection.hosts[0].port), ("c", 6543));
    assert_eq!((s.connection.ssl.mode, s.connection.query_timeout), (SslMode::VerifyFull, None));
    assert_eq!(s.connection.initial_statements, ["SET a = 1", "SELECT ';'"]);
    assert_eq!((s.types.decimal, s.types.decimal_format), (DecimalMode::String, DecimalFormat::Numeric));
    assert_eq!(s.key_types(), TypeOptions { decimal_format: DecimalFormat::Base64, ..s.types.clone() });
    assert_eq!((s.types.time, s.types.binary), (TimePrecision::IsoString, BinaryMode::Base64UrlSafe));
    assert_eq!((&*s.types.unavailable_placeholder, s.types.money_fraction_digits), (&[0u8, 255][..], 3));
    assert!(s.skipped.delete && s.skipped.truncate && !s.skipped.create && !s.skipped.update);
    assert_eq!(
        (s.heartbeat.interval, &*s.heartbeat.topic(&s.topic)),
        (Some(Duration::from_millis(500)), "hb_shop")
    );
    let named = settings(&[("topic.heartbeat.name", "beats"), ("heartbeat.topics.prefix", "old")]);
    assert_eq!((&*named.heartbeat.topic(&named.topic), named.warnings.len()), ("beats", 1));
    assert_eq!(s.topic.of(&TableName::new("public", "t")), "shop_t");
    let creation = &s.topic.creation.as_ref().unwrap().default;
    assert_eq!((creation.partitions, creation.replication_factor), (4, -1));
    assert_eq!(creation.config["cleanup.policy"], "compact");
    assert_eq!((&*s.producer["linger.ms"], &*s.producer["bootstrap.servers"]), ("2", "k:9092"));
    assert_eq!(s.producer.len(), 4);
    assert_eq!(s.offsets.topic.as_deref(), Some("mine"));
    assert_eq!((s.snapshot.mode, s.snapshot.max_threads), (SnapshotMode::NoData, 3));
    assert_eq!(s.snapshot.select_overrides["public.t"], "SELECT 1");
    assert_eq!(s.retry.max_retries, Some(0));
    assert_eq!(s.publication.autocreate, PublicationMode::Filtered);
    let shown = format!("{s:?} {s:#?}");
    assert!(!shown.contains("hunter") && shown.contains("sasl.jaas.config"), "{shown}");
    assert_eq!(s.connection.password.unwrap().expose(), "hunter2");
}

#[test]
fn values_that_do_not_fit() {
    let cases = [
        ("database.port", "0"),
        ("database.port", "70000"),
        ("unavailable.value.placeholder", "hex:0"),
        ("unavailable.value.placeholder", "hex:zz"),
        ("database.port", "-1"),
        ("skipped.operations", "x"),
        ("skipped.operations", "none,d"),
        ("slot.stream.params", "streaming=on"),
        ("topic.creation.default.partitions", "0"),
        ("money.fraction.digits", "1000"),
        ("snapshot.max.threads", "0"),
        ("heartbeat.interval.ms", "99999999999"),
        ("tasks.max", ""),
    ];
    for (key, value) in cases {
        let error = error(&[(key, value)]);
        let [mistake] = error.mistakes() else { panic!("{key}={value}: {error}") };
        assert!(mistake.key == key && mistake.remedy.is_some() && mistake.place == "c.json:7", "{mistake}");
    }
}

/// As Debezium 3.7 sends them, which was seen in the server's log; only spaces are not its own.
#[test]
fn stream_params() {
    let check = |text, expect: &[(&str, &str)]| {
        let found = settings(&[("slot.stream.params", text)]).slot.stream_params;
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, expect, "{text}");
    };
    check("origin=none", &[("origin", "none")]);
    check("origin=none; binary = false ;", &[("origin", "none"), ("binary", "false")]);
    check("foo", &[]);
    check("messages=false;proto_version=2;publication_names=other", &[]);
    check("a=1;a=2=3", &[("a", "2=3")]);
}

#[test]
fn unwrap_options() {
    let unwrap = ("transforms.u.type", "io.debezium.transforms.ExtractNewRecordState");
    let plain = settings(&[("transforms", "u"), unwrap]).unwrap.unwrap();
    assert_eq!((plain.delete, plain.add_fields.len()), (DeleteHandling::Tombstone, 0));
    let options = settings(&[
        ("transforms", " u "),
        unwrap,
        ("transforms.u.delete.tombstone.handling.mode", "rewrite-with-tombstone"),
        ("transforms.u.add.fields", "op,source.ts_ms:TS, before.v"),
        ("transforms.u.add.headers", "db,source.lsn"),
        ("transforms.u.add.headers.prefix", "h_"),
    ])
    .unwrap
    .unwrap();
    assert_eq!(options.delete, DeleteHandling::RewriteWithTombstone);
    let field =
        |section, field: &str, name: &str| AddField { section, field: field.into(), name: name.into() };
    let fields = [
        field(None, "op", "__op"),
        field(Some(FieldSection::Source), "ts_ms", "__TS"),
        field(Some(FieldSection::Before), "v", "__before_v"),
    ];
    assert_eq!(options.add_fields, fields);
    let headers = [field(None, "db", "h_db"), field(Some(FieldSection::Source), "lsn", "h_source_lsn")];
    assert_eq!(options.add_headers, headers);
    let bare = settings(&[
        ("transforms", "u"),
        unwrap,
        ("transforms.u.add.fields", "op:OPERATION"),
        ("transforms.u.add.fields.prefix", ""),
    ]);
    assert_eq!(bare.unwrap.unwrap().add_fields, [field(None, "op", "OPERATION")]);
    assert!(settings(&[]).unwrap.is_none());
}

#[test]
fn a_url_is_enough() {
    let tables = ["public.a,odd.x+y".to_owned(), "b".to_owned()];
    let url = "postgres://u%40x:p%3aw@[::1]:6000/my%20db?sslmode=require&sslrootcert=/ca";
    let s = Settings::from_source_url(url, &tables).unwrap();
    let c = &s.connection;
    assert_eq!((&*c.hosts[0].name, c.hosts[0].port, &*c.user, &*c.dbname), ("::1", 6000, "u@x", "my db"));
    assert_eq!(c.password.as_ref().unwrap().expose(), "p:w");
    assert_eq!(c.ssl.mode, SslMode::Require);
    assert_eq!((&*s.topic.prefix, &*s.slot.name, &*s.publication.name), ("my_db", "pgcdc", "pgcdc_pub"));
    assert_eq!(s.publication.autocreate, PublicationMode::Filtered);
    assert!(!s.value_converter.schemas_enable);
    for (schema, table, expect) in [
        ("public", "a", true),
        ("odd", "x+y", true),
        ("odd", "xxy", false),
        ("public", "b", true),
        ("x", "b", false),
    ] {
        assert_eq!(s.tables.allows(&TableName::new(schema, table)), expect, "{schema}.{table}");
    }
    let short = Settings::from_source_url("postgresql://localhost/d", &[]).unwrap();
    assert_eq!((&*short.connection.user, short.connection.hosts[0].port), ("postgres", 5432));
    assert!(short.tables.allows_all() && short.connection.password.is_none());
}

#[test]
fn a_url_s_mistakes_do_not_show_it() {
    for url in [
        "mysql://u:hunter2@h/d",
        "postgres://u:hunter2%zz@h/d",
        "postgres://u:hunter2@h/d?x=1",
        "postgres://u:hunter2@h:port/d",
        "postgres://u:hunter2@h/d?sslmode=never",
    ] {
        let error = Settings::from_source_url(url, &[]).unwrap_err().to_string();
        assert!(error.starts_with("--source: ") && error.contains("(hint: "), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_chain_reads_what_loses_nothing_and_writes_what_is_configured() {
    let settings = settings(&[
        ("transforms", "u,r"),
        ("transforms.u.type", "io.debezium.transforms.ExtractNewRecordState"),
        ("transforms.r.type", "org.apache.kafka.connect.transforms.RegexRouter"),
        ("transforms.r.regex", "(.*)"),
        ("transforms.r.replacement", "x.$1"),
        ("transforms.r.predicate", "p"),
        ("transforms.r.colour", "red"),
        ("predicates", "p"),
        ("predicates.p.type", "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone"),
        ("key.converter.schemas.enable", "false"),
        ("value.converter.schemas.enable", "false"),
        ("value.converter.decimal.format", "numeric"),
    ]);
    assert!(settings.unwrap.is_none() && settings.transforms.is_some());
    let (Format::Json(key), Format::Json(value)) = (&settings.key_format, &settings.value_format) else {
        panic!("{:?}", settings.key_format)
    };
    assert!(!key.schemas_enable && !value.schemas_enable);
    assert!(settings.key_converter.schemas_enable && settings.value_converter.schemas_enable);
    assert!(!settings.types.replace_null_with_default && !settings.value_converter.replace_null_with_default);
    assert_ne!(value.decimal_format, settings.types.decimal_format);
    assert_eq!(settings.unknown.iter().map(|w| &*w.key).collect::<Vec<_>>(), ["transforms.r.colour"]);
}

#[test]
fn unwrap_alone_stays_with_the_encoder_unless_an_option_needs_the_chain() {
    let unwrap = [("transforms", "u"), ("transforms.u.type", "io.debezium.transforms.ExtractNewRecordState")];
    let alone = settings(&unwrap);
    assert!(alone.unwrap.is_some() && alone.transforms.is_none());
    let routed = settings(&[unwrap[0], unwrap[1], ("transforms.u.route.by.field", "region")]);
    assert!(routed.unwrap.is_none() && routed.transforms.is_some());
}

#[test]
fn the_newer_name_says_who_moves_the_slot() {
    let manual = |overrides: &[(&str, &str)]| settings(overrides).slot.manual;
    assert!(!manual(&[]) && !manual(&[("flush.lsn.source", "true")]));
    assert!(manual(&[("flush.lsn.source", "false")]) && manual(&[("lsn.flush.mode", "Manual")]));
    assert!(!manual(&[("lsn.flush.mode", "connector"), ("flush.lsn.source", "false")]));
}
