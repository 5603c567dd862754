//! The cost of `pgcdc stream` as work grows in one direction: tables, columns, rows of a transaction.
//!
//! Each case is a backlog of its own, read from slots that were made right before it. Steady state begins when the last table
//! has its first record in Kafka: connecting, and what each table costs once (catalog, encoder), is `start s`. Topics are
//! made beforehand: a broker takes some milliseconds for each, and nothing here could be told from that.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use pgcdc_testbed::kafka;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

use super::Common;
use super::lab::{Lab, tail};
use super::measure::{Phase, Watch, follow};
use super::report::{Bar, Bound, Column, Report, column};
use crate::printer;

/// How to measure.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Rows of each case
    #[arg(long, default_value_t = 300_000, value_parser = clap::value_parser!(u32).range(10_000..))]
    rows: u32,
    /// Leave out cases with more tables, columns, or rows of a transaction than this
    #[arg(long, value_name = "SIZE")]
    largest: Option<u32>,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: &[Column] = &[
    column("events/s", 0),
    column("CPU-s/million", 2),
    column("CPU-s/GB", 2),
    column("bytes/record", 0),
    column("walsender", 2),
    column("peak MiB", 1),
    column("start s", 2),
    column("load", 2),
];
const LIMIT: Duration = Duration::from_secs(600);

/// A case: the size of its backlog.
#[derive(Debug, Clone)]
struct Case {
    direction: &'static str,
    size: u32,
    tables: u32,
    /// Columns besides the key, and the bytes of each.
    columns: (u32, u32),
    /// Rows of a transaction.
    per: u32,
}

impl Case {
    fn all() -> Vec<Self> {
        let case = |direction, size, tables, columns, per| Self { direction, size, tables, columns, per };
        // A table of one column is the size of an engagement event; with more, each has 32 bytes, so that bytes grow.
        let tables = [1, 10, 100, 1000].map(|n| case("tables", n, n, (1, 300), 100));
        let columns = [1, 10, 100].map(|n| case("columns", n, 1, (n, 32), 100));
        let transactions = [1, 10, 100, 1000, 10_000, 100_000];
        let transactions = transactions.map(|n| case("transactions", n, 1, (1, 300), n));
        tables.into_iter().chain(columns).chain(transactions).collect()
    }

    /// The case's name in the table of figures.
    fn label(&self) -> String {
        label(self.direction, self.size)
    }

    fn id(&self) -> String {
        format!("{}_{}", self.direction, self.size)
    }

    fn table(&self, number: u32) -> String {
        format!("{}_{number}", self.id())
    }
}

fn label(direction: &str, size: u32) -> String {
    match direction {
        "transactions" => format!("{size} rows a transaction"),
        _ => format!("{size} {direction}"),
    }
}

pub(super) fn run(options: &Options) -> Result<()> {
    let mut cases = options.common.choose(Case::all(), |case| case.direction)?;
    cases.retain(|case| options.largest.is_none_or(|largest| case.size <= largest));
    let mut lab = Lab::start(&options.common)?;
    lab.sql(LOAD)?;
    lab.sql("CREATE PUBLICATION scaling FOR ALL TABLES")?;
    let title = format!("Scaling: backlogs of {} rows, median of {}", options.rows, options.common.rounds);
    let mut report = Report::new("scaling", title, COLUMNS);
    report.chart(&["CPU-s/million", "CPU-s/GB", "events/s"]);
    let mut warm = options.common.no_warm_up;
    for case in &cases {
        load(&lab, case, options)?;
        for round in 1..=options.common.rounds {
            if !std::mem::replace(&mut warm, true) {
                let slot = format!("{}_{}", case.id(), options.common.rounds + 1);
                drain(&mut lab, case, &slot, options.rows)?;
            }
            let slot = format!("{}_{round}", case.id());
            let (phase, bytes) = drain(&mut lab, case, &slot, options.rows)?;
            report.run(&case.label(), &figures(&phase, bytes, options.rows));
        }
        for round in 1..=options.common.rounds + 1 {
            lab.drop_slot(&format!("{}_{round}", case.id()))?;
        }
    }
    // Two runs of the same case differ by up to a tenth.
    let mut bar = |column, direction, large, small| {
        let (large, small) = (label(direction, large), label(direction, small));
        report.ratio(&large, &small);
        report.bar(Bar::ratio(column, &large, Bound::AtMost(1.1), &small));
    };
    bar("CPU-s/million", "tables", 1000, 1);
    bar("CPU-s/million", "tables", 100, 1);
    bar("CPU-s/GB", "columns", 100, 10);
    bar("CPU-s/GB", "columns", 10, 1);
    bar("CPU-s/million", "transactions", 100_000, 100);
    bar("CPU-s/million", "transactions", 1, 1000);
    report.note("bytes are those of keys and values in Kafka; CPU is the pgcdc process's, but for walsender (CPU-s/million)");
    report.publish(&options.common)
}

/// `scaling_load(prefix, tables, columns, width, rows, per)`: tables with these columns, and rows that take turns among them.
const LOAD: &str = r"
CREATE PROCEDURE scaling_load(prefix TEXT, tables INT, columns INT, width INT, total INT, per INT) LANGUAGE plpgsql AS $$
DECLARE
  n INT := 1;
  inserts TEXT[];
BEGIN
  FOR t IN 1..tables LOOP
    inserts := inserts || format('INSERT INTO %I SELECT e, %s FROM generate_series($1, $2) AS e', prefix || '_' || t,
      (SELECT string_agg(format('left(repeat(md5((e * %s)::text), %s), %s)', c, 1 + width / 32, width), ', ')
       FROM generate_series(1, columns) AS c));
  END LOOP;
  IF tables = 1 THEN
    WHILE n <= total LOOP
      EXECUTE inserts[1] USING n, least(n + per - 1, total);
      COMMIT;
      n := n + per;
    END LOOP;
  ELSE
    WHILE n <= total LOOP
      EXECUTE inserts[1 + (n - 1) % tables] USING n, n;
      IF n % per = 0 THEN COMMIT; END IF;
      n := n + 1;
    END LOOP;
  END IF;
END $$;
CREATE PROCEDURE scaling_tables(prefix TEXT, tables INT, columns INT) LANGUAGE plpgsql AS $$
BEGIN
  FOR t IN 1..tables LOOP
    EXECUTE format('CREATE TABLE %I (id BIGINT PRIMARY KEY, %s)', prefix || '_' || t,
      (SELECT string_agg(format('c%s TEXT', c), ', ') FROM generate_series(1, columns) AS c));
    IF t % 100 = 0 THEN COMMIT; END IF;
  END LOOP;
END $$;";

fn load(lab: &Lab, case: &Case, options: &Options) -> Result<()> {
    printer::say(&format!("{}: loading {} rows", case.label(), options.rows));
    let (id, tables, (columns, width)) = (case.id(), case.tables, case.columns);
    lab.sql(&format!("CALL scaling_tables('{id}', {tables}, {columns})"))?;
    // One more, for the warm-up.
    for round in 1..=options.common.rounds + 1 {
        lab.slot(&format!("{id}_{round}"))?;
    }
    let (rows, per) = (options.rows, case.per);
    lab.sql(&format!("CALL scaling_load('{id}', {tables}, {columns}, {width}, {rows}, {per})"))?;
    lab.sql("SELECT pg_logical_emit_message(true, 'bench', 'end'); CHECKPOINT").map(|_| ())
}

/// One run: what it cost, and the mean bytes of a record.
fn drain(lab: &mut Lab, case: &Case, slot: &str, rows: u32) -> Result<(Phase, f64)> {
    lab.settle()?;
    let connector = lab
        .connector(slot, slot, false)
        .with("publication.name", "scaling")
        .with("table.include.list", &format!("public\\.{}_[0-9]+", case.id()));
    let topics: Vec<_> =
        (1..=case.tables).map(|table| format!("{slot}.public.{}", case.table(table))).collect();
    lab.topics(&topics)?;
    let command = lab.pgcdc(slot, &connector, &[])?;
    let begin = Instant::now();
    let mut process = lab.spawn(slot, command)?;
    let mut watch = Watch::begin(process.id().context("pgcdc ended at once")?, lab);
    // Rows take turns, so the last table is as far as all of them.
    let topic = format!("{slot}.public.{}", case.table(case.tables));
    let port = lab.kafka.port();
    let pace = (Some(u64::from(rows / case.tables)), Duration::from_millis(5), LIMIT);
    let followed = follow(&mut watch, begin, pace, |_| Ok(kafka::end_offset(port, &topic, 0)?.unwrap_or(0)));
    let phase = followed.with_context(|| format!("{}: {}", case.label(), tail(&lab.log(slot))))?;
    match process.sigterm_and_wait(Duration::from_secs(60))? {
        status if status.success() => {}
        status => bail!("pgcdc stream left with {status} after SIGTERM:\n{}", tail(&lab.log(slot))),
    }
    let first = format!("{slot}.public.{}", case.table(1));
    let there = kafka::end_offset(port, &first, 0)?.unwrap_or(0);
    ensure!(there == u64::from(rows.div_ceil(case.tables)), "{first} has {there} records");
    let bytes = record_bytes(&lab.kafka.bootstrap(), &first)?;
    if case.tables == 1 {
        lab.forget(&first)?;
    }
    Ok((phase, bytes))
}

fn figures(phase: &Phase, bytes: f64, rows: u32) -> [(&'static str, f64); 8] {
    let rows = f64::from(rows);
    let million = phase.per_million(phase.cpu, rows);
    [
        ("events/s", phase.rate(rows)),
        ("CPU-s/million", million),
        ("CPU-s/GB", million * 1000.0 / bytes),
        ("bytes/record", bytes),
        ("walsender", phase.per_million(phase.walsender, rows)),
        ("peak MiB", phase.peak as f64 / 1_048_576.0),
        ("start s", phase.start_up),
        ("load", phase.load),
    ]
}

/// Mean bytes of key and value of a topic's first records.
fn record_bytes(bootstrap: &str, topic: &str) -> Result<f64> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("group.id", "bytes").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.set("enable.partition.eof", "true").create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning)?;
    consumer.assign(&list)?;
    let (mut count, mut bytes) = (0_u32, 0);
    while count < 200 {
        match consumer.poll(Duration::from_secs(20)).context("no record comes from Kafka")? {
            Ok(message) => {
                count += 1;
                bytes += message.key().map_or(0, <[u8]>::len) + message.payload().map_or(0, <[u8]>::len);
            }
            Err(rdkafka::error::KafkaError::PartitionEOF(_)) => break,
            Err(error) => return Err(error).with_context(|| format!("cannot read {topic}")),
        }
    }
    ensure!(count > 0, "{topic} is empty");
    Ok(bytes as f64 / f64::from(count))
}
