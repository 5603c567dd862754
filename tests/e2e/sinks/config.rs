//! Mistakes in the file: exit code 2, all in one answer, each with the nearest known name.

use crate::harness::{pgcdc, scratch_dir};

const RIGHT: &str = r#"
[kafka]
"bootstrap.servers" = "127.0.0.1:1"
"group.id" = "engagement"

[[sink]]
name = "events"
type = "cassandra"
topics = ["p.public.events"]
contact_points = ["127.0.0.1:1"]
keyspace = "engagement"
create = true

[[sink]]
name = "top"
type = "redis"
url = "redis://u:hunter2@127.0.0.1:1"
topics = ["p.public.events"]
leaderboard = { key = "top_10m", member = "content_id", score = "duration_ms", window = "10m", time = "event_ts" }

[[sink]]
name = "api"
type = "http"
url = "http://127.0.0.1:1/api"
topics = ["p.public.events"]
"#;

/// Runs `pgcdc sink` on a file with this text: it ends with 2 and says each of the parts.
#[track_caller]
fn check(text: &str, parts: &[&str]) {
    let file = scratch_dir("mistakes").join("sinks.toml");
    std::fs::write(&file, text).expect("the scratch directory is writable");
    let finished = pgcdc(&["sink", "--config", &file.to_string_lossy()]);
    assert_eq!(finished.code, 2, "{}", finished.text());
    assert_eq!(finished.stdout, "", "standard output is for data");
    for part in parts {
        assert!(finished.stderr.contains(part), "{part:?} is missing in:\n{}", finished.stderr);
    }
    assert!(!finished.stderr.contains("hunter2"), "a password is shown:\n{}", finished.stderr);
}

#[test]
fn a_right_file_passes_and_touches_nothing() {
    let file = scratch_dir("right").join("sinks.toml");
    std::fs::write(&file, RIGHT).expect("the scratch directory is writable");
    let finished = pgcdc(&["sink", "--check", "--config", &file.to_string_lossy()]);
    assert_eq!(finished.code, 0, "{}", finished.text());
}

#[test]
fn unknown_keys_are_named_with_the_nearest_known_one() {
    check(
        &RIGHT.replace("keyspace =", "keyspce ="),
        &["\"events\"", "\"keyspce\"", "did you mean \"keyspace\"?"],
    );
    check(&RIGHT.replace("\"group.id\"", "\"group.idd\""), &["\"group.idd\"", "did you mean \"group.id\"?"]);
    check(&RIGHT.replace("\"http\"", "\"htpp\""), &["\"api\"", "\"htpp\"", "did you mean \"http\"?"]);
    check(
        &RIGHT.replace("window", "windw"),
        &["\"top\"", "leaderboard", "\"windw\"", "did you mean \"window\"?"],
    );
}

#[test]
fn two_sinks_of_one_name() {
    check(&RIGHT.replace("\"api\"", "\"top\""), &["two sinks have the name \"top\""]);
}

#[test]
fn a_topic_is_a_name_and_no_regular_expression() {
    let start = RIGHT.find("topics = [\"").expect("topics") + "topics = [\"".len();
    let text = format!("{}^{}", &RIGHT[..start], &RIGHT[start..]);
    check(&text, &["\"topics\" takes names", "regular expression"]);
}

#[test]
fn missing_keys_and_wrong_types() {
    let without = |start: &str| -> String {
        RIGHT.lines().filter(|line| !line.starts_with(start)).map(|line| format!("{line}\n")).collect()
    };
    check(&without("keyspace"), &["\"events\"", "\"keyspace\" is missing"]);
    check(&without("\"bootstrap.servers\""), &["\"bootstrap.servers\" is missing"]);
    check(&without("leaderboard"), &["\"top\"", "\"leaderboard\" is missing"]);
    check(
        &RIGHT.replace("create = true", "create = \"yes\""),
        &["\"create\" must be true or false, not string"],
    );
    check(&RIGHT.replace("\"10m\"", "10"), &["\"window\" must be a text, not integer"]);
}

#[test]
fn all_mistakes_come_in_one_answer() {
    let text = RIGHT
        .replace("keyspace =", "keyspce =")
        .replace("\"10m\"", "\"ten\"")
        .replace("\"api\"", "\"top\"")
        .replace("[kafka]", "[kafka]\n\"sesion.timeout.ms\" = 1");
    check(
        &text,
        &[
            "\"keyspace\" is missing",
            "\"keyspce\"",
            "\"window\"",
            "two sinks have the name",
            "\"sesion.timeout.ms\"",
        ],
    );
}

#[test]
fn a_file_that_cannot_be_read_or_is_not_toml() {
    let finished = pgcdc(&["sink", "--config", "/nowhere/sinks.toml"]);
    assert_eq!(finished.code, 2, "{}", finished.text());
    assert!(finished.stderr.contains("/nowhere/sinks.toml"), "{}", finished.stderr);
    check(&RIGHT.replace("[kafka]", "[kafka"), &["sinks.toml:2: not TOML"]);
    check("", &["[kafka] is missing", "there is no [[sink]]"]);
}

#[test]
fn a_name_that_no_sink_of_the_file_has() {
    let file = scratch_dir("name").join("sinks.toml");
    std::fs::write(&file, RIGHT).expect("the scratch directory is writable");
    let finished = pgcdc(&["sink", "--sink", "tpo", "--config", &file.to_string_lossy()]);
    assert_eq!(finished.code, 2, "{}", finished.text());
    assert!(
        finished.stderr.contains("\"tpo\"") && finished.stderr.contains("events, top, api"),
        "{}",
        finished.stderr
    );
}
