use super::{evaluate, parse};
use crate::data::{Kind, Record, Schema, SchemaBuilder, Struct, Value};

fn record() -> Record {
    let text = || Schema::plain(Kind::String, true);
    let row = SchemaBuilder::new(Kind::Struct).optional();
    let row = row.field("id", Schema::plain(Kind::Int16, false)).unwrap();
    let row = row.field("name", text()).unwrap();
    let row = row.field("tags", SchemaBuilder::array(text()).optional().build()).unwrap();
    let row = row.field("ratio", Schema::plain(Kind::Float64, true)).unwrap().build();
    let event = SchemaBuilder::new(Kind::Struct).named("s.t.Envelope").field("before", row.clone()).unwrap();
    let event = event.field("after", row.clone()).unwrap().field("op", text()).unwrap().build();
    let mut after = Struct::new(row).unwrap();
    after.put("id", Value::Int16(7)).unwrap();
    after.put("name", Value::text("Öl")).unwrap();
    after.put("tags", Value::Array(vec![Value::text("a"), Value::Null].into())).unwrap();
    after.put("ratio", Value::Float64(0.5)).unwrap();
    let mut value = Struct::new(event.clone()).unwrap();
    value.put("op", Value::text("c")).unwrap();
    value.put("after", Value::Struct(after.into())).unwrap();
    let mut record = Record {
        topic: "s.t".into(),
        partition: None,
        key_schema: None,
        key: Value::Null,
        value_schema: Some(event),
        value: Value::Struct(value.into()),
        timestamp: None,
        headers: Vec::new(),
    };
    record.add_header(&"tenant".into(), None, Value::text("acme"));
    record
}

fn value(expression: &str) -> Result<Value, String> {
    evaluate(&parse(expression)?, &record()).map_err(|fault| fault.message)
}

#[test]
fn expressions_give_what_they_say() {
    for (expression, expect) in [
        ("value.op == 'c' && value.after.id == 7", Value::Boolean(true)),
        ("value.op != \"c\" || value.after.id > 7.5", Value::Boolean(false)),
        ("value.before.id == null", Value::Boolean(true)),
        ("value?.before?.name", Value::Null),
        ("value.before.id > 1", Value::Boolean(false)),
        ("!(value.op in ['u', 'd'])", Value::Boolean(true)),
        ("value.after.tags[0] + '-' + value.after.id", Value::text("a-7")),
        ("value.after['name'].size()", Value::Int64(2)),
        ("value.after.tags.contains(null)", Value::Boolean(true)),
        ("value.after.tags[9]", Value::Null),
        ("topic.matches('s\\\\..')", Value::Boolean(true)),
        ("topic.startsWith('s.') ? topic.toUpperCase() : null", Value::text("S.T")),
        ("header.tenant.value == 'acme' && header.missing.value == null", Value::Boolean(true)),
        ("valueSchema.name.endsWith('.Envelope')", Value::Boolean(true)),
        ("keySchema.name == null", Value::Boolean(true)),
        ("2 + 3 * 4 - -1", Value::Int64(15)),
        ("7 / 2", Value::Float64(3.5)),
        ("value.after.ratio <= 1 / 2", Value::Boolean(true)),
        ("'7' == 7", Value::Boolean(false)),
        ("false && value.nothing", Value::Boolean(false)),
    ] {
        assert_eq!(value(expression), Ok(expect), "{expression}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (expression, expect) in [
        ("value.op ==", "it ends where a value is expected"),
        ("value.op = 'c'", "'=' is not understood"),
        ("record.op", "there is no record; there are topic, key, value"),
        ("value.op.reverse()", "there is no method reverse"),
        ("value.op 'c'", "'c' is not expected here"),
        ("(value", "')' is expected where the end stands"),
        ("'open", "a text has no closing '"),
        ("value.missing", "missing is not a valid field name"),
        ("value.op < 7", "java.lang.String and java.lang.Long have no order"),
        ("1 % 0", "division by zero"),
        ("header.tenant == 'acme'", "write header.<name>.value"),
    ] {
        let message = value(expression).expect_err(expression);
        assert!(message.contains(expect), "{expression}: {message}");
    }
    assert!(parse(&"(".repeat(10_000)).is_err());
}

#[test]
fn groovy_is_told_what_to_write() {
    let filter = |language: &str, condition: &str| {
        let properties = [
            ("transforms", "f"),
            ("transforms.f.type", "io.debezium.transforms.Filter"),
            ("transforms.f.language", language),
            ("transforms.f.condition", condition),
        ];
        crate::Chain::configure(&properties.map(|(key, value)| (key.to_owned(), value.to_owned())))
    };
    let message =
        |language: &str, condition: &str| filter(language, condition).unwrap_err()[0].message.clone();
    let simple = message("jsr223.groovy", "value.op == 'u'");
    assert!(simple.contains("transforms.f.language=pgcdc"), "{simple}");
    assert!(simple.contains("transforms.f.condition can stay as it is"), "{simple}");
    let closure = message("jsr223.groovy", "value.after.tags.any { it == 'a' }");
    assert!(closure.contains("transforms.f.condition is to be written in it"), "{closure}");
    let mut chain = filter("pgcdc", "value.op == 'u'").unwrap().chain;
    assert!(chain.apply(record(), 0).unwrap().is_none());
}
