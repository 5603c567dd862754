//! Converters and their options.

use super::*;

const AVRO: (&str, &str) = ("value.converter", "io.confluent.connect.avro.AvroConverter");
const URL: (&str, &str) = ("value.converter.schema.registry.url", "http://a:1/, https://b");

fn avro(more: &[(&str, &str)]) -> AvroFormat {
    let all = [&[AVRO, URL], more].concat();
    match settings(&all).value_format {
        Format::Avro(avro) => *avro,
        other => panic!("{other:?}"),
    }
}

#[test]
fn avro_s_defaults_are_confluent_s() {
    let AvroFormat { options, registry } = avro(&[]);
    assert!(options.meta_data && !options.scrub_names && options.replace_null_with_default);
    assert_eq!(registry.urls, ["http://a:1", "https://b"]);
    assert!(registry.auto_register && !registry.use_latest && !registry.normalize);
    assert_eq!(registry.naming, SubjectNaming::Topic);
    assert!(matches!(registry.auth, Auth::None));
    let settings = settings(&[AVRO, URL]);
    assert!(settings.transforms.is_none() && !settings.value_converter.schemas_enable);
    assert!(settings.key_converter.schemas_enable, "the key's converter is another");
}

#[test]
fn avro_s_options_are_read() {
    let AvroFormat { options, registry } = avro(&[
        ("value.converter.connect.meta.data", "false"),
        ("value.converter.ignore.default.for.nullables", "true"),
        (
            "value.converter.value.subject.name.strategy",
            "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy",
        ),
        ("value.converter.basic.auth.credentials.source", "USER_INFO"),
        ("value.converter.basic.auth.user.info", "me:hunter2:x"),
        ("value.converter.auto.register.schemas", "false"),
        ("value.converter.use.latest.version", "true"),
        ("value.converter.schema.registry.ssl.truststore.location", "/ca.pem"),
    ]);
    assert!(!options.meta_data && !options.replace_null_with_default);
    assert_eq!(registry.naming, SubjectNaming::TopicRecord);
    assert!(!registry.auto_register && registry.use_latest);
    assert!(
        matches!(&registry.auth, Auth::Basic(user, password) if user == "me" && password.expose() == "hunter2:x")
    );
    assert!(matches!(&registry.tls.roots, Some(Pem::File(path)) if path.ends_with("ca.pem")));
    assert!(!format!("{registry:?}").contains("hunter2"));
}

#[test]
fn what_avro_lacks_is_told() {
    for (properties, key) in [
        (&[AVRO][..], "value.converter.schema.registry.url"),
        (&[AVRO, ("value.converter.schema.registry.url", "a:1")], "value.converter.schema.registry.url"),
        (
            &[AVRO, URL, ("value.converter.value.subject.name.strategy", "com.example.Mine")],
            "value.converter.value.subject.name.strategy",
        ),
        (
            &[AVRO, URL, ("value.converter.basic.auth.credentials.source", "USER_INFO")],
            "value.converter.basic.auth.user.info",
        ),
        (
            &[AVRO, URL, ("value.converter.schema.registry.ssl.truststore.type", "JKS")],
            "value.converter.schema.registry.ssl.truststore.type",
        ),
        (
            &[
                ("value.converter", "io.apicurio.registry.utils.converter.AvroConverter"),
                ("value.converter.apicurio.registry.url", "http://a"),
            ],
            "value.converter.apicurio.registry.as-confluent",
        ),
        (
            &[
                ("value.converter", "io.debezium.converters.CloudEventsConverter"),
                ("value.converter.serializer.type", "avro"),
            ],
            "value.converter.serializer.type",
        ),
    ] {
        let error = error(properties);
        assert!(error.mistakes().iter().any(|mistake| mistake.key == key), "{key}: {error}");
    }
}

#[test]
fn apicurio_s_converter_speaks_to_its_confluent_api() {
    let settings = settings(&[
        ("value.converter", "io.apicurio.registry.utils.converter.AvroConverter"),
        ("value.converter.apicurio.registry.url", "http://a:8080/apis/registry/v2"),
        ("value.converter.apicurio.registry.as-confluent", "true"),
        ("value.converter.apicurio.registry.use-id", "contentId"),
        ("value.converter.apicurio.registry.auto-register", "true"),
    ]);
    let Format::Avro(avro) = &settings.value_format else { panic!("{:?}", settings.value_format) };
    assert_eq!(avro.registry.urls, ["http://a:8080/apis/ccompat/v7"]);
    assert!(avro.registry.auto_register);
}

#[test]
fn other_converters_go_through_the_stage() {
    for (key, class) in [
        ("key.converter", "org.apache.kafka.connect.storage.StringConverter"),
        ("value.converter", "io.debezium.converters.CloudEventsConverter"),
        ("header.converter", "org.apache.kafka.connect.json.JsonConverter"),
    ] {
        let settings = settings(&[(key, class)]);
        assert!(settings.transforms.is_some(), "{key}");
        assert!(settings.key_converter.schemas_enable && !settings.types.replace_null_with_default);
    }
}
