//! Starts every service for real; takes minutes on a cold cache: `cargo test -p pgcdc-testbed -- --ignored`.
#![allow(clippy::print_stderr, reason = "timings for whoever runs this by hand")]

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pgcdc_testbed::{
    Cassandra, CassandraOptions, CassandraRing, Connect, ConnectOptions, Kafka, KafkaCluster, KafkaOptions,
    Postgres, PostgresOptions, Redis, RedisOptions, Scratch,
};
use serde_json::{Map, Value};

fn timed<T>(what: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let value = run()?;
    eprintln!("{what}: {:.2} s", start.elapsed().as_secs_f64());
    Ok(value)
}

#[test]
#[ignore = "starts real services"]
fn postgres_of_every_version_survives_kill9() -> Result<()> {
    let scratch = Scratch::new("pg")?;
    for version in 14..=18 {
        let dir = scratch.join(version.to_string());
        let mut pg = timed(&format!("start {version}"), || {
            Postgres::start(&dir, 0, PostgresOptions::version(version))
        })?;
        let major = pg.sql("postgres", "SELECT current_setting('server_version_num')::int / 10000")?;
        ensure!(major == version.to_string(), "asked for {version}, got {major}");
        pg.create_database("shop")?;
        pg.sql("shop", "CREATE TABLE t (id int); INSERT INTO t VALUES (1)")?;
        pg.sql("shop", "SELECT pg_create_logical_replication_slot('s', 'pgoutput')")?;
        timed("  kill9 + restart", || pg.kill9().and_then(|()| pg.restart()))?;
        ensure!(pg.sql("shop", "SELECT id FROM t")? == "1");
        ensure!(pg.sql("shop", "SELECT nope").is_err());
        timed("  stop", || pg.stop())?;
    }
    Ok(())
}

#[test]
#[ignore = "starts real services"]
fn kafka_survives_kill9() -> Result<()> {
    let scratch = Scratch::new("kafka")?;
    let mut kafka = timed("start kafka", || Kafka::start(scratch.join("k"), 0, KafkaOptions::default()))?;
    ensure!(kafka.end_offset("nothing", 0)?.is_none());
    timed("  kill9 + restart", || kafka.kill9().and_then(|()| kafka.restart()))?;
    timed("  stop", || kafka.stop())
}

#[test]
#[ignore = "starts real services"]
fn three_brokers_go_on_with_two() -> Result<()> {
    let scratch = Scratch::new("brokers")?;
    let mut cluster = timed("start three brokers", || KafkaCluster::start(scratch.join("c"), 384))?;
    ensure!(cluster.brokers()? == 3);
    cluster.node(1).kill9()?;
    timed("  two are left", || cluster.wait_for(2))?;
    ensure!(cluster.node(0).end_offset("nothing", 0)?.is_none(), "the others answer");
    timed("  three again", || cluster.node(1).restart().and_then(|()| cluster.wait_for(3)))
}

#[test]
#[ignore = "starts real services"]
fn three_nodes_of_cassandra_find_each_other() -> Result<()> {
    let scratch = Scratch::new("ring")?;
    let mut ring = timed("start three nodes", || CassandraRing::start(scratch.join("r")))?;
    ensure!(ring.contact_points().len() == 3);
    timed("  kill9 + restart of the third", || ring.node(2).kill9().and_then(|()| ring.node(2).restart()))
}

#[test]
#[ignore = "starts real services"]
fn connect_runs_debezium_and_survives_kill9() -> Result<()> {
    let scratch = Scratch::new("connect")?;
    let postgres = Postgres::start(scratch.join("p"), 0, PostgresOptions::default())?;
    postgres.create_database("shop")?;
    postgres.sql("shop", "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")?;
    let kafka = Kafka::start(scratch.join("k"), 0, KafkaOptions::default())?;
    let mut connect = timed("start connect", || {
        Connect::start(scratch.join("c"), 0, &kafka.bootstrap(), &ConnectOptions::default())
    })?;
    let port = postgres.port().to_string();
    let mut config: Map<String, Value> = [
        ("connector.class", "io.debezium.connector.postgresql.PostgresConnector"),
        ("plugin.name", "pgoutput"),
        ("database.hostname", "127.0.0.1"),
        ("database.port", &port),
        ("database.user", "postgres"),
        ("database.dbname", "shop"),
        ("topic.prefix", "x"),
    ]
    .map(|(name, value)| (name.to_owned(), Value::from(value)))
    .into_iter()
    .collect();
    timed("  connector", || {
        connect.create("x", &config)?;
        connect.wait_running("x", Duration::from_secs(60))
    })?;
    let arrives = |count: u64| -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while kafka.end_offset("x.public.t", 0)?.unwrap_or(0) < count {
            ensure!(Instant::now() < deadline, "fewer than {count} records in Kafka");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    };
    arrives(1)?;
    timed("  kill9 + restart", || connect.kill9().and_then(|()| connect.restart()))?;
    postgres.sql("shop", "INSERT INTO t VALUES (2)")?;
    arrives(2)?;
    connect.delete("x")?;
    ensure!(connect.status("x").is_err(), "it is gone");
    config.insert("topic.prefix".to_owned(), Value::Null);
    let refusal = connect.create("y", &config).expect_err("a connector needs a prefix");
    ensure!(format!("{refusal:#}").contains("topic.prefix"), "{refusal:#}");
    timed("  stop", || connect.stop())
}

#[test]
#[ignore = "starts real services"]
fn cassandra_and_redis_survive_kill9() -> Result<()> {
    let scratch = Scratch::new("stores")?;
    let mut redis =
        timed("start redis", || Redis::start(scratch.join("r"), 0, RedisOptions { append_only: true }))?;
    redis.command(&["SET", "a", "b"])?;
    timed("  kill9 + restart", || redis.kill9().and_then(|()| redis.restart()))?;
    ensure!(redis.command(&["GET", "a"])? == ["b"]);
    let mut cassandra =
        timed("start cassandra", || Cassandra::start(scratch.join("c"), 0, CassandraOptions::default()))?;
    timed("  kill9 + restart", || cassandra.kill9().and_then(|()| cassandra.restart()))?;
    timed("  stop", || cassandra.stop())
}

#[test]
#[ignore = "starts real services"]
fn every_schema_loads_twice_on_the_oldest_and_the_newest_version() -> Result<()> {
    let scratch = Scratch::new("sql")?;
    let sql = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql");
    for version in [14, 18] {
        let pg = Postgres::start(scratch.join(version.to_string()), 0, PostgresOptions::version(version))?;
        for system in ["engagement", "inventory", "shop", "flights"] {
            pg.create_database(system)?;
            for _ in 0..2 {
                pg.client().sql_file(system, sql.join(system).join("schema.sql"))?;
                pg.client().sql_file(system, sql.join(system).join("sample.sql"))?;
            }
            let tables = pg.sql(system, "SELECT count(*) FROM pg_publication_tables")?;
            ensure!(
                tables == if system == "engagement" || system == "shop" { "2" } else { "3" },
                "{system}: {tables}"
            );
        }
        pg.client().sql_file("engagement", sql.join("engagement/load.sql"))?;
        pg.sql("engagement", "CALL load_events(2500, 1000)")?;
        ensure!(pg.sql("engagement", "SELECT count(*) FROM engagement_events")? == "2504");
    }
    Ok(())
}
