//! Lists of regular expressions as Debezium matches them.

use pgcdc_event::TableName;

use super::*;

fn check(list: &str, yes: &[&str], no: &[&str]) {
    let patterns = Patterns::compile(list).unwrap();
    for name in yes {
        assert!(patterns.matches(name), "{list} should match {name}");
    }
    for name in no {
        assert!(!patterns.matches(name), "{list} should not match {name}");
    }
}

#[test]
fn java_s_regular_expressions_whole_and_in_any_case() {
    check(
        "public.a, public.b",
        &["public.a", "PUBLIC.B", "publicxa"],
        &["public.ab", "x.public.a", "public.A\n"],
    );
    check(r"public\.(a|zz).*", &["public.a", "public.zz_end"], &["publicxa", "public.b"]);
    check("a|b", &["a", "b"], &["ab", "ax"]);
    check(r"\Qa.b\E.*", &["a.bcd"], &["axbcd"]);
    check(r"\Qa.b", &["a.b"], &["axb"]);
    check(r"s\.\w+", &["s.t_1"], &["s.té", "s."]);
    check(r"s\.[\d_]+", &["s.1_2"], &["s.٣", "s.a"]);
    check(r"s\.t{1\,2}", &["s.t", "s.tt"], &["s.ttt"]);
    check(r"s\.(?!tmp_).*", &["s.a"], &["s.tmp_a"]);
    check(r"a++b", &["aab"], &["b"]);
    check(r"a\-b\_c\/", &["a-b_c/"], &["ab_c/"]);
    check(r"(?<x>a)\k<x>", &["aa"], &["ab"]);
    check(r"[a-z&&[^b]]", &["a", "c"], &["b"]);
    check(r"[{}]+\x{61}", &["{}a"], &[]);
    check(r"\p{Lower}{2}\s\S\D\W", &["ab c--"], &["ab c1-"]);
    check("", &[], &["", "a"]);
    check(" , ,a,", &["a"], &[""]);
}

#[test]
fn an_error_shows_key_and_pattern() {
    for pattern in ["a(", "[", "a\\", "*", "(?<", "a{2,3}", "{", "a{,2}"] {
        let error = error(&[("table.include.list", &format!("ok,{pattern}"))]);
        let shown = error.to_string();
        assert!(shown.starts_with("c.json:7: The 'table.include.list' value is invalid: A comma-separated list of valid regular expressions is expected, but \""), "{shown}");
        assert!(shown.contains("(hint: mend the pattern"), "{shown}");
    }
}

#[test]
fn tables() {
    let allows = |pairs: &[(&str, &str)], schema: &str, table: &str| {
        settings(pairs).tables.allows(&TableName::new(schema, table))
    };
    assert!(allows(&[], "public", "t"));
    for schema in ["pg_catalog", "information_schema", "pg_toast", "pg_temp_3"] {
        assert!(!allows(&[("table.include.list", ".*")], schema, "t"));
    }
    let include = [("table.include.list", "public.a,other.*")];
    assert!(
        allows(&include, "public", "A") && allows(&include, "other", "x") && !allows(&include, "public", "b")
    );
    let exclude = [("table.exclude.list", "public.a.*")];
    assert!(!allows(&exclude, "public", "abc") && allows(&exclude, "public", "b"));
    let schemas = [("schema.exclude.list", "other"), ("table.include.list", ".*\\.a")];
    assert!(
        !allows(&schemas, "other", "a") && allows(&schemas, "mine", "a") && !allows(&schemas, "mine", "b")
    );
    assert!(settings(&[]).tables.allows_all() && !settings(&include).tables.allows_all());
}

#[test]
fn columns_and_messages() {
    let table = TableName::new("public", "t");
    let exclude = settings(&[("column.exclude.list", "public.t.secret,.*\\.n")]).columns;
    assert!(exclude.allows(&table, "v") && !exclude.allows(&table, "Secret") && !exclude.allows(&table, "n"));
    let include = settings(&[("column.include.list", "public.t.id")]).columns;
    assert!(include.allows(&table, "id") && !include.allows(&table, "id2"));
    let messages = settings(&[("message.prefix.include.list", "pfx")]).messages;
    assert!(messages.allows("pfx") && !messages.allows("pfx2"));
    assert!(settings(&[]).messages.allows("any"));
}

#[test]
fn key_columns_in_the_property_s_order() {
    let keys = settings(&[("message.key.columns", "public.t:b,a; (.*).u:x.*")]).key_columns;
    let of = |table: &str, columns: &[&str]| {
        keys.positions(&TableName::new("public", table), columns.iter().copied())
    };
    assert_eq!(of("t", &["id", "a", "b"]), Some(vec![2, 1]));
    assert_eq!(of("u", &["id", "x1", "y", "x2"]), Some(vec![1, 3]));
    assert_eq!(of("v", &["id", "a"]), None);
    assert_eq!(of("t", &["id"]), None);
    for wrong in ["t", "t:", ":a", "t:a:b", "t(:a"] {
        let shown = error(&[("message.key.columns", wrong)]).to_string();
        assert!(
            shown.contains("'message.key.columns' value is invalid") && shown.contains("(hint: write "),
            "{shown}"
        );
    }
}
