//! Registrations of Debezium 1.x and 2.x, and of Debezium Server.

use pgcdc_event::{Operation, TableName};
use pgcdc_format::envelope::DeleteHandling;
use pgcdc_format::names::NameAdjustment;

use super::*;

/// A document without a topic prefix.
fn unnamed(pairs: &[(&str, &str)]) -> Document {
    let mut document = document(pairs);
    document.entries.retain(|entry| entry.key != "topic.prefix");
    document
}

fn notes(settings: &Settings) -> Vec<String> {
    let plugin = "request: plugin.name: is not set";
    settings.notes.iter().map(ToString::to_string).filter(|note| !note.starts_with(plugin)).collect()
}

#[test]
fn the_server_s_name_is_the_topic_prefix_unless_that_is_set() {
    let name = ("database.server.name", "engagement_project");
    let alone = Settings::from_document(&unnamed(&[name])).unwrap();
    assert_eq!((&*alone.topic.prefix, &*alone.name), ("engagement_project", "engagement_project"));
    assert_eq!(
        notes(&alone),
        [
            "c.json:7: database.server.name: this is what topic.prefix was called up to Debezium 1.9; it is read as topic.prefix, while Debezium 3.7 ignores it (hint: rename it to topic.prefix)"
        ]
    );
    let beside = settings(&[name]);
    assert_eq!(beside.topic.prefix, "shop");
    assert_eq!(
        notes(&beside),
        [
            "c.json:7: database.server.name: this is what topic.prefix was called up to Debezium 1.9; it has no effect beside topic.prefix (hint: remove it)"
        ]
    );
    let mut empty = document(&[name]);
    empty.set("topic.prefix", " ", Place { source: "c.json".into(), line: Some(9) });
    assert_eq!(Settings::from_document(&empty).unwrap().topic.prefix, "engagement_project");
    // Old names are no mistakes when strict: they are understood.
    assert!(beside.strict().is_ok());
}

#[test]
fn what_was_captured_stays_so() {
    let old = settings(&[("table.whitelist", "public.a"), ("column.blacklist", "public.a.secret")]);
    let allows = |s: &Settings, table: &str| s.tables.allows(&TableName::new("public", table));
    assert!(allows(&old, "a") && !allows(&old, "b"), "ignored, every table would be captured");
    assert!(!old.columns.allows(&TableName::new("public", "a"), "secret"));
    assert_eq!(notes(&old).len(), 2);
    let both = settings(&[("table.whitelist", "public.a"), ("table.include.list", "public.b")]);
    assert!(allows(&both, "b") && !allows(&both, "a"));
    let schemas = settings(&[("schema.blacklist", "private"), ("schema.whitelist", "")]);
    assert!(!schemas.tables.allows(&TableName::new("private", "a")) && allows(&schemas, "a"));
    let crossed = error(&[("table.whitelist", "a"), ("table.exclude.list", "b")]);
    assert!(crossed.to_string().contains("\"table.include.list\" is already specified"), "{crossed}");
}

#[test]
fn options_with_other_values_today() {
    let old = settings(&[
        ("truncate.handling.mode", "include"),
        ("sanitize.field.names", "true"),
        ("toasted.value.placeholder", "gone"),
        ("slot.drop_on_stop", "true"),
        ("snapshot.mode", "Never"),
    ]);
    assert!(!old.skipped.contains(Operation::Truncate) && old.slot.drop_on_stop);
    assert_eq!(old.field_names, NameAdjustment::Avro);
    assert_eq!(
        (&*old.types.unavailable_placeholder, old.snapshot.mode),
        (&b"gone"[..], SnapshotMode::NoData)
    );
    assert_eq!(notes(&old).len(), 5, "{:?}", notes(&old));
    assert!(
        notes(&old)[0].contains("(hint: write skipped.operations=none in its place)"),
        "{:?}",
        notes(&old)
    );
    assert_eq!(settings(&[("snapshot.mode", "exported")]).snapshot.mode, SnapshotMode::Initial);
    assert_eq!(settings(&[("snapshot.mode", "schema_only")]).snapshot.mode, SnapshotMode::NoData);
    let quiet = settings(&[("source.struct.version", "v2"), ("database.history.kafka.topic", "x")]);
    let keys: Vec<_> = quiet.warnings.iter().map(|warning| &*warning.key).collect();
    assert_eq!(keys, ["source.struct.version", "database.history.kafka.topic"]);
    let wrong = error(&[("snapshot.mode", "recovery")]).to_string();
    assert!(wrong.contains("Value must be one of always, initial_only"), "{wrong}");
}

#[test]
fn any_plug_in_is_pgoutput_with_a_note() {
    for (value, said) in [
        ("decoderbufs", "decoderbufs is not read; pgcdc always reads pgoutput"),
        ("wal2json", "wal2json is not read"),
        ("wal2json_rds", "wal2json_rds is not read"),
        (" WAL2JSON_STREAMING ", "wal2json_streaming is not read"),
    ] {
        let settings = settings(&[("plugin.name", value)]);
        let shown = settings.notes[0].to_string();
        assert!(shown.starts_with("c.json:7: plugin.name: ") && shown.contains(said), "{shown}");
    }
    assert!(
        settings(&[]).notes[0]
            .to_string()
            .starts_with("request: plugin.name: is not set, and Debezium's default")
    );
    assert!(settings(&[("plugin.name", "PGOUTPUT")]).notes.is_empty());
    assert!(error(&[("plugin.name", "pgouput")]).to_string().contains("did you mean pgoutput?"));
}

#[test]
fn deletes_and_tombstones_as_before_debezium_3() {
    use DeleteHandling::{DeleteToTombstone, Drop, Rewrite, RewriteWithTombstone, Tombstone};
    let handling = |options: &[(&'static str, &'static str)]| {
        let class = ("transforms.u.type", "io.debezium.transforms.ExtractNewRecordState");
        settings(&[&[("transforms", "u"), class], options].concat())
    };
    for (drop, deletes, expect) in [
        (Some("false"), None, Tombstone),
        (Some("true"), None, Drop),
        (None, Some("drop"), Drop),
        (None, Some("rewrite"), Rewrite),
        (Some("true"), Some("rewrite"), Rewrite),
        (Some("false"), Some("Rewrite"), RewriteWithTombstone),
        (Some("true"), Some("none"), DeleteToTombstone),
        (Some("false"), Some("none"), Tombstone),
    ] {
        let mut options = Vec::new();
        options.extend(drop.map(|word| ("transforms.u.drop.tombstones", word)));
        options.extend(deletes.map(|word| ("transforms.u.delete.handling.mode", word)));
        let settings = handling(&options);
        assert_eq!(settings.unwrap.as_ref().unwrap().delete, expect, "{options:?}");
        assert_eq!(notes(&settings).len(), options.len());
    }
    let beside = handling(&[
        ("transforms.u.delete.handling.mode", "rewrite"),
        ("transforms.u.delete.tombstone.handling.mode", "drop"),
    ]);
    assert_eq!(beside.unwrap.as_ref().unwrap().delete, Drop);
    assert!(notes(&beside)[0].contains("it has no effect beside that"), "{:?}", notes(&beside));
    let old = handling(&[
        ("transforms.u.operation.header", "true"),
        ("transforms.u.add.source.fields", "lsn, table"),
    ]);
    let unwrap = old.unwrap.as_ref().unwrap();
    let names: Vec<_> =
        unwrap.add_fields.iter().chain(&unwrap.add_headers).map(|field| &*field.name).collect();
    assert_eq!(names, ["__lsn", "__table", "__op"]);
    let class =
        settings(&[("transforms", "u"), ("transforms.u.type", "io.debezium.transforms.UnwrapFromEnvelope")]);
    assert!(class.unwrap.is_some() && notes(&class).len() == 1);
}

#[test]
fn a_transform_that_only_looks_is_left_out() {
    let lineage = ("transforms.l.type", "io.debezium.transforms.openlineage.OpenLineage");
    let unwrap = ("transforms.u.type", "io.debezium.transforms.ExtractNewRecordState");
    let settings = settings(&[("transforms", "l, u"), lineage, unwrap]);
    assert!(settings.unwrap.is_some() && settings.transforms.is_none());
    assert!(notes(&settings)[0].contains("lineage events are not sent"));
    let alone = super::settings(&[("transforms", "l"), lineage]);
    assert!(alone.transforms.is_none() && alone.unknown.is_empty());
}

#[test]
fn what_kafka_s_transforms_left_out_stays_out() {
    let class = ("transforms.r.type", "org.apache.kafka.connect.transforms.ReplaceField$Value");
    let settings = settings(&[("transforms", "r"), class, ("transforms.r.blacklist", "secret")]);
    let chain = settings.transforms.as_ref().expect("a chain");
    assert_eq!(chain.properties.get("transforms.r.exclude").map(String::as_str), Some("secret"));
    assert!(notes(&settings)[0].contains("rename it to transforms.r.exclude"));
}

#[test]
fn a_file_of_debezium_server_is_read() {
    let text = "debezium.sink.type=kafka\ndebezium.sink.kafka.producer.bootstrap.servers=k:9092\n\
        debezium.source.connector.class=io.debezium.connector.postgresql.PostgresConnector\n\
        debezium.source.database.hostname=db\ndebezium.source.database.user=u\ndebezium.source.database.dbname=d\n\
        debezium.source.topic.prefix=t\ndebezium.source.plugin.name=pgoutput\n\
        debezium.source.offset.storage.file.filename=data/offsets.dat\nquarkus.log.console.json=false\n\
        debezium.format.value=json\ndebezium.format.value.schemas.enable=false\n\
        debezium.transforms=u\ndebezium.transforms.u.type=io.debezium.transforms.ExtractNewRecordState\n";
    let document = Document::parse_properties("application.properties", text).unwrap();
    let settings = Settings::from_document(&document).unwrap();
    assert_eq!((&*settings.connection.hosts[0].name, &*settings.topic.prefix), ("db", "t"));
    assert!(settings.unwrap.is_some() && !settings.value_converter.schemas_enable);
    assert_eq!(settings.producer.get("bootstrap.servers").map(String::as_str), Some("k:9092"));
    assert!(
        notes(&settings)[0].starts_with("application.properties: this is a configuration of Debezium Server")
    );
    let keys: Vec<_> = settings.warnings.iter().map(|warning| &*warning.key).collect();
    assert_eq!(keys, ["debezium.sink.type", "debezium.format.value"]);
    assert!(settings.unknown.is_empty(), "{:?}", settings.unknown);
}
