//! `pgcdc check` and the start of `pgcdc stream`: privileges, publications, policies. What the one finds the other meets.

use super::expect;
use crate::harness::{Connector, Database, Finished, LONG, kafka, own_postgres, pgcdc, postgres_options};

fn check(connector: &Connector) -> Finished {
    let file = connector.write();
    pgcdc(&["check", "--config", &file.to_string_lossy(), "--bootstrap-servers", &kafka().bootstrap()])
}

/// Runs until idle, and returns how it ended and what it said.
#[track_caller]
fn start(connector: &Connector) -> (i32, String) {
    let mut process = connector.start_with(&["--stdout", "--until-idle", "0.5"]);
    let status = process.wait_timeout(LONG);
    (status.and_then(|status| status.code()).unwrap_or(-1), process.stderr())
}

/// A database with a role that may replicate, named like it.
fn with_role(name: &str, sql: &str) -> (Database, Connector) {
    let database = Database::create(name);
    let role = database.name.clone();
    database.sql(&format!("CREATE ROLE {role} LOGIN REPLICATION; {}", sql.replace("ROLE", &role)));
    let connector = database.connector().set("database.user", &role);
    (database, connector)
}

fn drop_role(database: &Database) {
    database.sql(&format!("DROP OWNED BY {0}; DROP ROLE {0}", database.name));
}

#[test]
fn columns_that_may_not_be_read() {
    let (database, connector) = with_role(
        "colcheck",
        "CREATE TABLE t(id int PRIMARY KEY, v text, s text); CREATE PUBLICATION p FOR TABLE t; GRANT SELECT (id, v) ON t TO ROLE",
    );
    let connector = connector.set("publication.name", "p");
    let role = &database.name;
    expect(
        &check(&connector),
        1,
        &[
            "error: table public.t: columns may not be read, which a snapshot needs: s",
            &format!("GRANT SELECT (\"s\") ON \"public\".\"t\" TO \"{role}\";"),
        ],
    );
    let without = connector.clone().set("column.exclude.list", "public.t.s");
    expect(&check(&without), 0, &["ok: table public.t"]);
    expect(&check(&connector.clone().set("snapshot.mode", "no_data")), 0, &["ok: table public.t"]);
    // The remedy works.
    database.sql(&format!("GRANT SELECT (\"s\") ON \"public\".\"t\" TO \"{role}\""));
    expect(&check(&connector), 0, &["ok: table public.t"]);
    database.sql(&format!(
        "CREATE SCHEMA hidden; CREATE TABLE hidden.u(id int PRIMARY KEY); GRANT SELECT ON hidden.u TO {role}"
    ));
    expect(
        &check(&connector),
        1,
        &[
            "error: schema hidden: may not be used",
            &format!("GRANT USAGE ON SCHEMA \"hidden\" TO \"{role}\";"),
        ],
    );
    drop_role(&database);
}

#[test]
fn row_level_security() {
    let (database, connector) = with_role(
        "policies",
        "CREATE TABLE t(id int PRIMARY KEY, v text); INSERT INTO t VALUES (1,'a'), (2,'b'); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
         CREATE POLICY one ON t USING (id = 1); CREATE PUBLICATION p FOR TABLE t; GRANT SELECT ON t TO ROLE",
    );
    let connector = connector.set("publication.name", "p");
    let remedy = format!("ALTER ROLE \"{}\" BYPASSRLS;", database.name);
    expect(&check(&connector), 1, &["error: table public.t: row-level security hides rows", &remedy]);
    let (code, said) = start(&connector);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("row-level security of public.t hides rows") && said.contains(&remedy), "{said}");
    // Both ways out work.
    let shown = connector.clone().set("database.initial.statements", "SET row_security=on");
    expect(&check(&shown), 0, &[]);
    let (code, said) = start(&shown);
    assert!(code == 0 && said.contains("only the rows that policies show"), "{said}");
    database.sql(&remedy);
    expect(&check(&connector), 0, &["ok: table public.t"]);
    drop_role(&database);
}

#[test]
fn a_publication_that_the_role_may_not_make() {
    let (database, connector) =
        with_role("nopub", "CREATE TABLE t(id int PRIMARY KEY); GRANT SELECT ON t TO ROLE");
    let (role, publication) = (&database.name, database.publication());
    let all = format!("CREATE PUBLICATION \"{publication}\" FOR ALL TABLES;");
    expect(
        &check(&connector),
        1,
        &[
            &format!("error: publication {publication}: cannot be made: FOR ALL TABLES takes a superuser"),
            &all,
        ],
    );
    let (code, said) = start(&connector);
    assert!(code == 1 && said.contains(&all), "{code}: {said}");
    let filtered = connector.clone().set("publication.autocreate.mode", "filtered");
    expect(&check(&filtered), 1, &[&format!("{role} has no CREATE on the database")]);
    database.sql(&format!("GRANT CREATE ON DATABASE {role} TO {role}"));
    let one = format!("CREATE PUBLICATION \"{publication}\" FOR TABLE \"public\".\"t\";");
    expect(&check(&filtered), 1, &[&format!("{role} does not own t"), &one]);
    let (code, said) = start(&filtered);
    assert!(code == 1 && said.contains(&one), "{code}: {said}");
    database.sql(&format!(
        "ALTER TABLE t OWNER TO {role}; ALTER ROLE {role} SET default_transaction_read_only = on"
    ));
    expect(&check(&filtered), 1, &["sessions of the role are read-only", &one]);
    let (code, said) = start(&filtered);
    assert!(code == 1 && said.contains(&one), "{code}: {said}");
    database.sql(&format!("ALTER ROLE {role} RESET default_transaction_read_only"));
    expect(&check(&filtered), 0, &["it is made at the first start"]);
    let (code, said) = start(&filtered);
    assert_eq!(code, 0, "check said that it would: {said}");
    drop_role(&database);
}

#[test]
fn a_partitioned_table_without_its_partitions() {
    let database = Database::create("rootalone");
    database.sql(
        "CREATE TABLE p(id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
         INSERT INTO p VALUES (1)",
    );
    let connector = database.connector().set("table.include.list", "public.p");
    let filtered = connector.clone().set("publication.autocreate.mode", "filtered");
    expect(&check(&filtered), 1, &["public.p", "publish.via.partition.root=true"]);
    let (code, said) = start(&filtered);
    assert!(code == 2 && said.contains("publish.via.partition.root=true"), "{code}: {said}");
    expect(&check(&connector), 0, &["warning: publication", "public.p1", "publish.via.partition.root=true"]);
    let (code, said) = start(&connector);
    assert!(
        code == 0
            && said.contains("leaves out public.p1")
            && said.contains("publish.via.partition.root=true"),
        "{said}"
    );
    // Made now, it needs more than the property.
    expect(&check(&connector), 0, &["SET (publish_via_partition_root = true);"]);
    database.sql(&format!("DROP PUBLICATION {}", database.publication()));
    let via_root = filtered.set("publish.via.partition.root", "true");
    let finished = check(&via_root);
    expect(&finished, 0, &["ok: table public.p: is partitioned"]);
    assert!(!finished.text().contains("warning: publication"), "{}", finished.text());
    database.sql(
        "CREATE TABLE q(id int) PARTITION BY RANGE (id); CREATE TABLE q1 PARTITION OF q FOR VALUES FROM (0) TO (10)",
    );
    let keyless = via_root.set("table.include.list", "public.q");
    expect(&check(&keyless), 1, &["error: table public.q: has partitions without replica identity", "q1"]);
    database.sql("ALTER TABLE q1 REPLICA IDENTITY FULL");
    expect(&check(&keyless), 0, &["ok: table public.q: is partitioned"]);
    // The other way round.
    let leaf =
        database.connector().set("table.include.list", "public.p1").set("publish.via.partition.root", "true");
    expect(
        &check(&leaf),
        0,
        &["warning: publication", "as those of public.p, which table.include.list leaves out"],
    );
}

#[test]
fn a_publication_of_two_connectors() {
    let database = Database::create("shared");
    database.sql("CREATE TABLE a(id int PRIMARY KEY); CREATE TABLE b(id int PRIMARY KEY)");
    let publication = database.publication();
    let filtered = database.connector().set("publication.autocreate.mode", "filtered");
    let first = filtered.clone().set("table.include.list", "public.a");
    let (code, said) = start(&first);
    assert!(code == 0 && !said.contains("takes tables out"), "{said}");
    let second = filtered
        .set("table.include.list", "public.b")
        .set("name", "two")
        .set("slot.name", &format!("{}_two", database.slot()));
    expect(
        &check(&second),
        0,
        &[
            &format!("warning: publication {publication}: loses tables at the next start: public.a"),
            "publication.name",
        ],
    );
    let (code, said) = start(&second);
    assert!(
        code == 0 && said.contains("takes tables out of the publication") && said.contains("public.a"),
        "{said}"
    );
}

#[test]
fn column_lists_and_row_filters() {
    let database = Database::create("narrow");
    if database.sql("SELECT current_setting('server_version_num')::int < 150000") == "t" {
        return;
    }
    database.sql(&format!(
        "CREATE TABLE t(id int PRIMARY KEY, v text, secret text); INSERT INTO t VALUES (1,'a','s'), (20,'b','s');
         CREATE PUBLICATION {} FOR TABLE t (id, v) WHERE (id < 10)",
        database.publication()
    ));
    let connector = database.connector();
    let warnings = [
        "has a column list for public.t: a snapshot sends what it hides, secret",
        "has a row filter for public.t: a snapshot sends all rows",
    ];
    let finished = check(&connector);
    expect(&finished, 0, &warnings);
    let (code, said) = start(&connector);
    assert!(code == 0 && warnings.iter().all(|warning| said.contains(warning)), "{said}");
    // The remedies work.
    let mended = connector
        .set("column.exclude.list", "public.t.secret")
        .set("snapshot.mode", "always")
        .set("snapshot.select.statement.overrides", "public.t")
        .set(
            "snapshot.select.statement.overrides.public.t",
            "SELECT * FROM \"public\".\"t\" WHERE (id < 10)",
        );
    let text = check(&mended).text();
    assert!(!text.contains("a snapshot sends"), "{text}");
    let (code, said) = start(&mended);
    assert!(code == 0 && !said.contains("a snapshot sends"), "{said}");
    let stdout = std::fs::read_to_string(mended.dir.join("stdout")).expect("standard output's file");
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    assert!(!stdout.contains("secret"), "{stdout}");
}

#[test]
fn a_server_without_room() {
    let options = postgres_options().setting("max_replication_slots", "1").setting("max_wal_senders", "5");
    let (server, _) = own_postgres(options);
    let database = Database::create_on(&server, "full");
    database.sql("CREATE TABLE t(id int PRIMARY KEY); SELECT pg_create_physical_replication_slot('taken')");
    expect(
        &check(&database.connector()),
        1,
        &["error: max_replication_slots: all 1 are in use", "ALTER SYSTEM SET max_replication_slots = 11;"],
    );
    database.sql("SELECT pg_drop_replication_slot('taken')");
    expect(&check(&database.connector()), 0, &["ok: max_replication_slots: 0 of 1 in use"]);
}
