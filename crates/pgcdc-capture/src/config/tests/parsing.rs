//! Files to documents.

use std::io::Write;

use super::*;

fn pairs(document: &Document) -> Vec<(&str, &str, Option<usize>)> {
    document.entries.iter().map(|e| (&*e.key, e.value.expose(), e.place.line)).collect()
}

#[test]
fn json_nested_or_flat_with_the_line_of_each_key() {
    let nested = "{\n \"name\": \"n\",\n \"config\": {\n  \"a.b\": 1, \"c\": true,\n  \"d\": null, \"e\": \"x\"\n }\n}";
    let document = Document::parse_json("f.json", nested).unwrap();
    let expect = [("name", "n", Some(2)), ("a.b", "1", Some(4)), ("c", "true", Some(4)), ("e", "x", Some(5))];
    assert_eq!(pairs(&document), expect);
    let flat = Document::parse_json("f.json", "{\"a\": \"b\"}").unwrap();
    assert_eq!(pairs(&flat), [("a", "b", Some(1))]);
    assert_eq!(flat.entries[0].place.to_string(), "f.json:1");
}

#[test]
fn names_keep_their_order_and_the_last_of_two_counts() {
    let text = "\u{feff}{\"name\": \"n\",\n\"config\": {\"z\": 1.5,\n\"a\": \" b \",\n\"z\": \"2\", \"name\": \"n\"}}";
    let document = Document::parse_json("f.json", text).unwrap();
    assert_eq!(pairs(&document), [("name", "n", Some(4)), ("z", "2", Some(4)), ("a", " b ", Some(3))]);
    let notes: Vec<_> = document.notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        ["f.json:4: z: stands twice; the last one counts (hint: remove the one that is not meant)"]
    );
}

#[test]
fn what_is_no_registration() {
    let check = |text: &str, expect: &str| {
        let error = Document::parse_json("f.json", text).unwrap_err().to_string();
        assert!(error.starts_with(expect), "{text}: {error}");
        assert!(error.contains("(hint: "), "{error}");
    };
    check("{\n \"a\": \"b\",,\n}", "f.json:2:11: is not JSON: key must be a string");
    check("{\"a\": \"b\"", "f.json:1:9: is not JSON: EOF");
    check("[]", "f.json: is not a JSON object");
    check("{\"config\": \"x\"}", "f.json:1: config: is not an object");
    check("{\"a\":\n[1]}", "f.json:1: a: is a list or an object");
}

#[test]
fn overrides_win_and_say_where_they_are() {
    let mut document = Document::parse_properties("f.properties", "a = 1\nb = 2").unwrap();
    document.apply(&[parse_override("b=x=y").unwrap(), parse_override("c=").unwrap()]);
    assert_eq!(pairs(&document), [("a", "1", Some(1)), ("b", "x=y", None), ("c", "", None)]);
    assert_eq!(document.entries[1].place.to_string(), "--set");
    for wrong in ["a", "=b", ""] {
        let error = parse_override(wrong).unwrap_err().to_string();
        assert!(error.contains("is not of the form key=value (hint: write --set "), "{error}");
    }
}

#[test]
fn files_by_name_and_by_content() {
    let check = |suffix: &str, bytes: &[u8], expect: &str| {
        let mut file = tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let document = Document::read(file.path()).unwrap();
        assert_eq!(document.entry("a").unwrap().value.expose(), expect);
    };
    check(".json", b"\xef\xbb\xbf{\"a\": \"b\"}", "b");
    check(".conf", b"\n {\"a\": \"b\"}", "b");
    check(".properties", b"a=\xe9", "é");
    check(".properties", "a=é".as_bytes(), "é");
    let error = Document::read(std::path::Path::new("/no/such")).unwrap_err().to_string();
    assert!(error.starts_with("/no/such: cannot be read: "), "{error}");
}

#[test]
fn config_providers() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secrets.properties");
    std::fs::write(&file, "db.password = open sesame\n").unwrap();
    let resolve = |value: &str| {
        let mut document = Document::from_pairs("r", [("k", value)]);
        let env = |name: &str| (name == "PW").then(|| "pw".to_owned());
        document.resolve_providers(&env).map(|()| document.entries[0].value.expose().to_owned())
    };
    let path = file.display();
    assert_eq!(resolve("a${env:PW}b${env::PW}").unwrap(), "apwbpw");
    assert_eq!(resolve(&format!("${{file:{path}:db.password}}")).unwrap(), "open sesame");
    let dir = dir.path().display();
    assert_eq!(
        resolve(&format!("${{dir:{dir}:secrets.properties}}")).unwrap(),
        "db.password = open sesame\n"
    );
    for untouched in ["$1.x", "${routedByValue}", "${vault:a:b}", "${env:PW", "$$"] {
        assert_eq!(resolve(untouched).unwrap(), untouched);
    }
    let check = |value: &str, expect: &str| {
        let error = resolve(value).unwrap_err().to_string();
        assert!(error.contains(expect) && error.contains("(hint: "), "{error}");
    };
    check("${env:NOPE}", "r: k: ${env:NOPE}: the environment has no NOPE");
    check("${file:/no/such:k}", "/no/such: No such file");
    check("${file:x}", "${file:x}: cannot be resolved: x: No such file");
    check(&format!("${{file:{path}:nope}}"), "has no key nope");
}

#[test]
fn providers_in_the_url_and_in_what_is_set() {
    let env = |name: &str| match name {
        "PW" => Some("a@b/c".to_owned()),
        "SLOT" => Some("other".to_owned()),
        _ => None,
    };
    let set = [("slot.name".to_owned(), "${env:SLOT}".to_owned())];
    let tables = ["t".to_owned()];
    let document = from_source("postgres://u:${env:PW}@h/d", &tables, &set, &env).unwrap();
    let value = |key: &str| document.entry(key).unwrap().value.expose().to_owned();
    assert_eq!((value("database.password"), value("slot.name")), ("a@b/c".into(), "other".into()));
    let check = |url: &str, set: &str, expect: &str| {
        let set = [("slot.name".to_owned(), set.to_owned())];
        let error = from_source(url, &tables, &set, &env).unwrap_err().to_string();
        assert!(error.contains(expect) && !error.contains("s3cret"), "{error}");
    };
    check("postgres://s3cret:${env:NO}@h/d", "x", "--source: ${env:NO}: the environment has no NO");
    check("postgres://s3cret@h/d", "${env:NO}", "--set: slot.name: ${env:NO}: the environment has no NO");
}

#[test]
fn what_connect_answers_can_be_read_back() {
    let text = r#"{"name":"n","config":{"name":"n","a":"b","type":"t"},"tasks":[{"connector":"n","task":0}],"type":"source"}"#;
    let document = Document::parse_json("f.json", text).unwrap();
    assert_eq!(pairs(&document), [("name", "n", Some(1)), ("a", "b", Some(1)), ("type", "t", Some(1))]);
}

proptest::proptest! {
    #[test]
    fn no_input_panics(text in r#"(\PC|[\[{}()\\"$:=,.;?*+&|\n-]){0,40}"#, key in "[a-z.]{0,30}") {
        let _ = Document::parse_json("f", &text);
        let properties = Document::parse_properties("f", &text);
        if let Ok(mut document) = properties {
            let _ = document.resolve_providers(&|_| None);
            let _ = Settings::from_document(&document);
        }
        let _ = Patterns::compile(&text).map(|p| p.matches(&key));
        let _ = KeyColumns::compile(&text);
        let _ = from_source_url(&format!("postgres://{text}"), std::slice::from_ref(&text));
        let names = ["message.key.columns", "transforms", "skipped.operations", "unavailable.value.placeholder", "slot.stream.params", "snapshot.select.statement.overrides", "transforms.u.add.fields", &key];
        let pairs: Vec<_> = names.iter().map(|name| (*name, &*text)).collect();
        let _ = Settings::from_document(&Document::from_pairs("f", pairs));
    }
}
