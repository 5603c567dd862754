//! Facts that a reader relies on, checked: the edges between crates, the size of files, the names in the documents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("two levels up").to_owned()
}

/// Who may depend on whom. Anything else is an error, and so is an edge that is gone.
const EDGES: &[(&str, &[&str])] = &[
    ("pgcdc-config", &["pgcdc-event"]),
    ("pgcdc-event", &[]),
    ("pgcdc-format", &["pgcdc-event"]),
    ("pgcdc-kafka", &["pgcdc-config", "pgcdc-event", "pgcdc-tls"]),
    ("pgcdc-lifecycle", &[]),
    ("pgcdc-metrics", &[]),
    ("pgcdc-tls", &["pgcdc-event"]),
    ("pgcdc-transform", &["pgcdc-format"]),
    (
        "pgcdc-capture",
        &[
            "pgcdc-config",
            "pgcdc-event",
            "pgcdc-format",
            "pgcdc-kafka",
            "pgcdc-lifecycle",
            "pgcdc-metrics",
            "pgcdc-tls",
            "pgcdc-transform",
        ],
    ),
    (
        "pgcdc-sinks",
        &["pgcdc-config", "pgcdc-event", "pgcdc-format", "pgcdc-kafka", "pgcdc-lifecycle", "pgcdc-metrics"],
    ),
    (
        "pgcdc-connect",
        &["pgcdc-capture", "pgcdc-config", "pgcdc-kafka", "pgcdc-lifecycle", "pgcdc-sinks", "pgcdc-watch"],
    ),
    ("pgcdc-watch", &["pgcdc-event", "pgcdc-lifecycle", "pgcdc-metrics"]),
    ("pgcdc", &["pgcdc-capture", "pgcdc-connect", "pgcdc-event", "pgcdc-sinks", "pgcdc-watch"]),
    ("pgcdc-testbed", &[]),
    ("xtask", &["pgcdc-testbed"]),
];

#[test]
fn crates_depend_only_as_the_architecture_says() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let edges = package["dependencies"].as_array().expect("dependencies").iter();
        let edges = edges
            .filter(|d| d["kind"].is_null())
            .filter_map(|d| d["name"].as_str())
            .filter(|name| name.starts_with("pgcdc"));
        let name = package["name"].as_str().expect("a name").to_owned();
        found.insert(name, edges.map(str::to_owned).collect());
    }
    let allowed: BTreeMap<String, BTreeSet<String>> = EDGES
        .iter()
        .map(|(name, edges)| ((*name).to_owned(), edges.iter().map(|e| (*e).to_owned()).collect()))
        .collect();
    assert_eq!(
        found, allowed,
        "left: the edges that cargo sees; right: the edges that ARCHITECTURE.md allows"
    );
}

#[test]
fn files_can_be_read_in_one_go() {
    let mut long = Vec::new();
    visit(&root().join("crates"), &mut |path, text| {
        let lines = text.lines().count();
        if lines > 700 {
            long.push(format!("{} has {lines} lines", path.display()));
        }
    });
    assert!(long.is_empty(), "look for the second noun in them: {long:#?}");
}

#[test]
fn one_folder_names_the_replication_client() {
    let mut users = Vec::new();
    visit(&root().join("crates"), &mut |path, text| {
        let ours = path.to_string_lossy().contains("postgres/wire/") || path.ends_with("tests/tidy.rs");
        if text.contains("pgwire_replication") && !ours {
            users.push(path.to_owned());
        }
    });
    assert!(users.is_empty(), "{users:?}");
}

#[test]
fn one_crate_names_librdkafka() {
    let mut users = Vec::new();
    for entry in std::fs::read_dir(root().join("crates")).expect("a folder") {
        let folder = entry.expect("an entry").path();
        if folder.ends_with("pgcdc-kafka") || folder.ends_with("xtask") {
            continue;
        }
        visit(&folder.join("src"), &mut |path, text| {
            let names = |line: &str| line.contains("rdkafka::") && !line.contains("librdkafka::");
            if text.lines().any(names) {
                users.push(path.to_owned());
            }
        });
    }
    assert!(users.is_empty(), "use pgcdc-kafka's own types in place of librdkafka's: {users:?}");
}

/// Capture without its feature `kafka` compiles because one folder alone has to do with it.
#[test]
fn one_folder_of_capture_names_the_kafka_client() {
    let mut users = Vec::new();
    visit(&root().join("crates/pgcdc-capture/src"), &mut |path, text| {
        if text.contains("pgcdc_kafka") && !path.to_string_lossy().contains("src/kafka/") {
            users.push(path.to_owned());
        }
    });
    assert!(users.is_empty(), "use crate::kafka, which is there with and without the feature: {users:?}");
}

#[test]
fn documents_name_files_that_exist() {
    let chapters = std::fs::read_dir(root().join("docs")).expect("docs/").flatten();
    let chapters = chapters.map(|entry| format!("docs/{}", entry.file_name().to_string_lossy()));
    let documents = ["GUARANTEES.md", "ARCHITECTURE.md", "README.md", "SECURITY.md"].map(str::to_owned);
    for document in documents.into_iter().chain(chapters) {
        let text = std::fs::read_to_string(root().join(&document)).expect("a document");
        for word in text.split('`').skip(1).step_by(2) {
            let path = word.trim_end_matches('/');
            let names_file = path.starts_with("tests/")
                || path.starts_with("crates/")
                || path.starts_with("deploy/")
                || path.starts_with("sql/");
            if names_file && !path.contains(['<', '{', '*', ' ']) {
                assert!(root().join(path).exists(), "{document} names {path}, which is not there");
            }
        }
    }
}

#[test]
fn documents_stay_short() {
    for (document, most) in [("README.md", 150), ("ARCHITECTURE.md", 250)] {
        let lines = std::fs::read_to_string(root().join(document)).expect(document).lines().count();
        assert!(
            lines <= most,
            "{document} has {lines} lines, and at most {most} are allowed: move a part into a chapter of docs/"
        );
    }
}

/// A program that embeds capture and takes its changes as events pays for no client of Kafka or of a store.
#[test]
fn the_library_without_features_has_neither_sinks_nor_kafka() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "-p",
            "pgcdc",
            "--no-default-features",
            "-e",
            "normal",
            "--prefix",
            "none",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo tree runs");
    let tree = String::from_utf8_lossy(&output.stdout);
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("pgcdc-capture"), "{tree}{}", String::from_utf8_lossy(&output.stderr));
    for heavy in ["scylla", "fred", "clap", "pgcdc-sinks", "pgcdc-kafka", "rdkafka", "rdkafka-sys"] {
        assert!(!names.contains(heavy), "{heavy} is in the tree of pgcdc without features");
    }
}

fn visit(folder: &Path, look: &mut impl FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            visit(&path, look);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            look(&path, &std::fs::read_to_string(&path).expect("UTF-8"));
        }
    }
}
