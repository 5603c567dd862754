//! What is wrong, where, and what to do: the texts.

use super::*;

fn check(pairs: &[(&str, &str)], expect: &[&str]) {
    let shown = error(pairs).to_string();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines, expect, "{pairs:#?}");
}

#[test]
fn debezium_s_own_words_with_place_and_remedy() {
    check(
        &[
            ("database.port", "abc"),
            ("slot.name", "Bad-Slot"),
            ("snapshot.mode", "initail"),
            ("decimal.handling.mode", "x"),
            ("table.include.list", "a"),
            ("table.exclude.list", "b"),
            ("max.batch.size", "0"),
            ("poll.interval.ms", "-1"),
        ],
        &[
            "c.json:7: The 'database.port' value is invalid: An integer is expected (hint: the default is 5432)",
            "c.json:7: The 'slot.name' value is invalid: Valid replication slot name must contain only digits, lowercase characters and underscores with length <= 63 (hint: for example bad_slot)",
            "c.json:7: The 'snapshot.mode' value is invalid: Value must be one of always, initial_only, configuration_based, when_needed, initial, custom, no_data (hint: did you mean initial?)",
            "c.json:7: The 'decimal.handling.mode' value is invalid: Value must be one of string, double, precise (hint: the default is precise)",
            "c.json:7: The 'table.exclude.list' value is invalid: \"table.include.list\" is already specified (hint: keep one of table.include.list and table.exclude.list)",
            "c.json:7: The 'max.batch.size' value is invalid: A positive, non-zero integer value is expected (hint: the default is 2048)",
            "c.json:7: The 'poll.interval.ms' value is invalid: A positive, non-zero integer value is expected (hint: the default is 500)",
        ],
    );
    check(
        &[("topic.prefix", "a b"), ("tombstones.on.delete", "yes")],
        &[
            "c.json:7: The 'topic.prefix' value is invalid: a b has invalid format (only the underscore, hyphen, dot and alphanumeric characters are allowed) (hint: for example a_b)",
            "c.json:7: The 'tombstones.on.delete' value is invalid: Either 'true' or 'false' is expected (hint: the default is true)",
        ],
    );
}

#[test]
fn what_is_missing() {
    let document = Document::from_pairs("empty.json", [("name", "x"), ("database.user", " ")]);
    let error = Settings::from_document(&document).unwrap_err();
    let messages: Vec<_> = error.mistakes().iter().map(|m| &*m.message).collect();
    let expect = [
        "The 'database.user' value is invalid: A value is required",
        "The 'database.hostname' value is invalid: A value is required",
        "The 'database.dbname' value is invalid: A value is required",
        "The 'topic.prefix' value is invalid: A value is required",
    ];
    assert_eq!(messages, expect);
    assert!(error.mistakes().iter().all(|m| m.place == "empty.json" && m.remedy.is_some()));
}

/// Connect ignores what nobody knows, so that it is a mistake only where somebody asks for that.
#[test]
fn unknown_properties_name_the_nearest_and_are_mistakes_when_strict() {
    let expect = [
        "c.json:7: table.inclued.list: unknown property (hint: did you mean table.include.list?)",
        "c.json:7: database.hostnam: unknown property (hint: did you mean database.hostname?)",
        "c.json:7: slot_name: unknown property (hint: did you mean slot.name?)",
        "c.json:7: include.tables.list: unknown property (hint: did you mean table.include.list?)",
        "c.json:7: schema.include: unknown property (hint: did you mean schema.include.list?)",
        "c.json:7: tabel.whitelist: unknown property (hint: did you mean table.include.list?)",
        "c.json:7: nonsense.entirely: unknown property (hint: remove it; nothing reads it)",
        "c.json:7: producer.override.linger.msx: unknown property of a Kafka producer (hint: did you mean linger.ms?)",
        "c.json:7: transforms.u.add.field: unknown option of io.debezium.transforms.ExtractNewRecordState (hint: did you mean transforms.u.add.fields?)",
    ];
    let pairs = [
        ("table.inclued.list", "a"),
        ("database.hostnam", "x"),
        ("slot_name", "x"),
        ("include.tables.list", "x"),
        ("schema.include", "x"),
        ("tabel.whitelist", "x"),
        ("nonsense.entirely", "x"),
        ("producer.override.linger.msx", "x"),
        ("transforms", "u"),
        ("transforms.u.type", "io.debezium.transforms.ExtractNewRecordState"),
        ("transforms.u.add.field", "op"),
    ];
    let lenient = settings(&pairs);
    let shown: Vec<_> = lenient.unknown.iter().map(ToString::to_string).collect();
    assert_eq!(shown, expect);
    assert_eq!(lenient.strict().unwrap_err().to_string().lines().collect::<Vec<_>>(), expect);
    // Beside another mistake they are always told: they may be its cause.
    check(
        &[("topic.prefix", ""), ("topic.prefx", "x")],
        &[
            "c.json:7: The 'topic.prefix' value is invalid: A value is required (hint: write first part of every topic's name, and the logical name of the server)",
            "c.json:7: topic.prefx: unknown property (hint: did you mean topic.prefix?)",
        ],
    );
    assert!(settings(&[]).strict().is_ok());
}

#[test]
fn what_would_change_the_data_is_refused() {
    let refused = [
        ("snapshot.mode", "custom"),
        ("column.mask.hash.v2.CRC32.with.salt.X", "public.t.a"),
        ("column.mask.with.some.chars", "public.t.a"),
        ("column.truncate.to.-1.chars", "public.t.a"),
        ("converters", "isbn"),
        ("post.processors", "x"),
        ("value.converter", "io.confluent.connect.protobuf.ProtobufConverter"),
        ("key.converter", "io.debezium.converters.NoSuchConverter"),
        ("header.converter", "org.apache.kafka.connect.converters.LongConverter"),
        ("topic.naming.strategy", "com.example.Mine"),
        ("connector.class", "io.debezium.connector.mysql.MySqlConnector"),
        ("slot.stream.params", "origin=none;binary=true"),
    ];
    for (key, value) in refused {
        let error = error(&[(key, value)]);
        let [mistake] = error.mistakes() else { panic!("{key}: {error}") };
        assert_eq!((&*mistake.key, &*mistake.place), (key, "c.json:7"));
        assert!(mistake.remedy.as_ref().is_some_and(|r| r.len() > 10), "{mistake}");
    }
}

#[test]
fn defaults_of_refused_properties_are_silent() {
    let quiet = settings(&[
        ("schema.name.adjustment.mode", "none"),
        ("value.converter", "JsonConverter"),
        ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
        ("header.converter", "org.apache.kafka.connect.storage.SimpleHeaderConverter"),
        ("connector.class", "PostgresConnector"),
        ("exactly.once.support", "requested"),
        ("tasks.max", "1"),
        ("max.batch.size", "2048"),
        ("database.include.list", ""),
        ("converters", ""),
        ("flush.lsn.source", "true"),
    ]);
    assert_eq!(quiet.warnings, []);
}

/// As Debezium: it warns, and reads the table as any other.
#[test]
fn overrides_without_their_other_half_are_told() {
    for (key, value, said) in [
        ("snapshot.select.statement.overrides", "public.t", "public.t has no statement"),
        ("snapshot.select.statement.overrides.public.t", "SELECT 1", "public.t is not listed"),
    ] {
        let settings = settings(&[("plugin.name", "pgoutput"), (key, value)]);
        assert!(settings.snapshot.select_overrides.is_empty());
        let shown = settings.notes[0].to_string();
        assert!(shown.starts_with("c.json:7: ") && shown.contains(said), "{shown}");
    }
}

#[test]
fn postgres_s_own_tables_are_refused_where_they_would_be_read() {
    let key = ("table.ignore.builtin", "false");
    assert!(error(&[key]).to_string().contains("Postgres does not publish its own tables"));
    assert_eq!(settings(&[key, ("table.include.list", "public.a")]).warnings[0].key, key.0);
}

/// Custom converters: what does the same here, at the class of each.
#[test]
fn custom_converters_are_refused_with_what_does_the_same() {
    let of = |class| error(&[("converters", "a, b"), ("a.type", class), ("a.format", "x")]);
    let shown = of("com.oryanmoshe.kafka.connect.util.TimestampConverter").to_string();
    assert!(
        shown.contains(
            "c.json:7: a.type: com.oryanmoshe.kafka.connect.util.TimestampConverter is a Java class"
        ),
        "{shown}"
    );
    assert!(shown.contains("time.precision.mode=isostring"), "{shown}");
    assert!(
        shown.contains("c.json:7: converters: the converter b has no class: b.type is missing"),
        "{shown}"
    );
    assert!(!shown.contains("a.format"), "{shown}");
    assert!(settings(&[("converters", " , ")]).unknown.is_empty());
}

#[test]
fn a_header_converter_without_headers_to_write_is_accepted() {
    let class = ("header.converter", "org.apache.kafka.connect.converters.LongConverter");
    assert!(error(&[class]).to_string().contains("every record would fail, in Debezium too"));
    assert!(settings(&[class, ("extended.headers.enabled", "false")]).transforms.is_none());
}

#[test]
fn what_has_no_effect_is_named_in_a_warning() {
    let settings = settings(&[
        ("max.batch.size", "4096"),
        ("signal.data.collection", "public.s"),
        ("database.socketTimeout", "5"),
        ("driver.socketTimeout", "5"),
        ("group.id", "g"),
        ("consumer.max.poll.records", "5"),
        ("transforms.gone.type", "x.Y"),
        ("internal.whatever", "5"),
    ]);
    let keys: Vec<_> = settings.warnings.iter().map(|w| &*w.key).collect();
    let expect = [
        "max.batch.size",
        "signal.data.collection",
        "database.socketTimeout",
        "driver.socketTimeout",
        "group.id",
        "consumer.max.poll.records",
        "internal.whatever",
        "transforms.gone.type",
    ];
    assert_eq!(keys, expect);
    assert_eq!(
        settings.warnings[0].to_string(),
        "c.json:7: max.batch.size has no effect: there is no queue between reader and writer; memory is bounded by what Kafka has not acknowledged"
    );
}

#[test]
fn transforms_are_checked_as_connect_checks_them() {
    let route = ("transforms.r.type", "org.apache.kafka.connect.transforms.RegexRouter");
    let e =
        error(&[("transforms", "r"), route, ("transforms.r.regex", "("), ("transforms.r.predicate", "p")]);
    assert!(e.to_string().contains("Missing required configuration \"transforms.r.replacement\""), "{e}");
    assert!(e.to_string().contains("Invalid value ( for configuration regex: Invalid regex"), "{e}");
    assert!(e.to_string().contains("Unknown predicate p"), "{e}");
    let e = error(&[("transforms", "r"), ("transforms.r.type", "org.example.Nothing")]);
    assert!(e.to_string().contains("Class org.example.Nothing could not be found."), "{e}");
    let e = error(&[("transforms", "t"), ("transforms.t.type", "com.example.RenameField$Value")]);
    assert!(e.to_string().contains("ReplaceField$Value with renames"), "{e}");
    let unwrap = ("transforms.u.type", "io.debezium.transforms.ExtractNewRecordState");
    let with = |key, value| error(&[("transforms", "u"), unwrap, (key, value)]).to_string();
    assert!(with("transforms.u.add.headers", "sourc.lsn").contains("\"sourc.lsn\" is not a field"));
    assert!(
        with("transforms.u.delete.tombstone.handling.mode", "none").contains("Value must be one of drop, ")
    );
    let alone = error(&[("predicates", "p")]).to_string();
    assert!(alone.contains("Missing required configuration \"predicates.p.type\""), "{alone}");
    let missing = error(&[("transforms", "u")]);
    assert!(missing.to_string().contains("Missing required configuration \"transforms.u.type\""));
}

#[test]
fn no_error_shows_a_secret() {
    let mut document =
        document(&[("slot.name", "${env:X}"), ("topic.prefix", "${env:X}"), ("database.port", "${env:X}")]);
    document.resolve_providers(&|_| Some("s3cr et".into())).unwrap();
    let error = Settings::from_document(&document).unwrap_err();
    assert_eq!(error.mistakes().len(), 3);
    assert!(!error.to_string().contains("s3cr") && !format!("{error:?}{document:?}").contains("s3cr"));
}
