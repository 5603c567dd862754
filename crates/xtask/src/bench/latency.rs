//! From the commit to the consumer: single-row commits on a steady schedule, each stamped when its client knows that it is
//! durable, and again when a consumer of the topic has it. One process does both, so that there is one clock.

mod consumer;
mod traffic;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use self::consumer::Consumer;
use self::traffic::Stamps;
use super::Common;
use super::debezium::Debezium;
use super::lab::{Lab, TABLE, tail};
use super::measure::Watch;
use super::report::{Bar, Bound, Column, Report, column};
use crate::printer;

/// How to measure latency.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Commits per second, one measurement each
    #[arg(long, value_delimiter = ',', default_values_t = [500, 2000], value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rates: Vec<u32>,
    /// Length of a measurement
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Length of the unmeasured traffic before the first one, at the highest rate
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    warm_up: u32,
    /// Clients that commit in turns
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=100))]
    clients: u32,
    /// Connect schemas in keys and values
    #[arg(long)]
    schemas: bool,
    #[command(flatten)]
    common: Common,
}

/// The contenders: their names for `--without`, and in the report.
const CONTENDERS: [(&str, &str); 2] = [("pgcdc", "pgcdc"), ("debezium", "Debezium")];

const COLUMNS: &[Column] = &[
    column("p50 ms", 2),
    column("p99 ms", 2),
    column("max ms", 2),
    column("commits/s", 0),
    column("CPU %", 1),
    column("peak MiB", 1),
    column("load", 2),
];

pub(super) fn run(options: &Options) -> Result<()> {
    let wanted = options.common.choose(CONTENDERS, |(name, _)| name)?;
    let mut lab = Lab::start(&options.common)?;
    lab.engagement()?;
    let wants_debezium = wanted.iter().any(|(name, _)| *name == "debezium");
    let mut debezium = wants_debezium.then(|| Debezium::start(&lab)).transpose()?;
    let mut report = report(options, &wanted);
    for round in 1..=options.common.rounds {
        for (index, (name, label)) in wanted.iter().enumerate() {
            let number = round * 10 + index as u32;
            let run = format!("{name}_{number}");
            let mut traffic = Traffic { options, label, first: i64::from(number) << 32, report: &mut report };
            lab.slot(&run)?;
            let topic = format!("{run}.{TABLE}");
            lab.topics(std::slice::from_ref(&topic))?;
            let connector = lab.connector(&run, &run, options.schemas);
            lab.settle()?;
            match &mut debezium {
                Some(debezium) if *name == "debezium" => {
                    debezium.begin(&run, &connector)?;
                    traffic.measure(&mut lab, debezium.process(), &topic)?;
                    debezium.end(&run)?;
                }
                _ => {
                    let command = lab.pgcdc(&run, &connector, &[])?;
                    let mut process = lab.spawn(&run, command)?;
                    let id = process.id().context("pgcdc ended at once")?;
                    traffic
                        .measure(&mut lab, id, &topic)
                        .with_context(|| format!("pgcdc: {}", tail(&lab.log(&run))))?;
                    id.send("TERM")?;
                    process.wait_timeout(Duration::from_secs(30)).context("pgcdc does not leave")?;
                }
            }
            lab.drop_slot(&run)?;
        }
    }
    report.publish(&options.common)
}

fn report(options: &Options, wanted: &[(&str, &str)]) -> Report {
    let title = format!(
        "Commit to consumer, {} s of single-row commits by {} clients; median of {}",
        options.seconds, options.clients, options.common.rounds
    );
    let mut report = Report::new("latency", title, COLUMNS);
    report.chart(&["p50 ms", "p99 ms"]);
    report.note("From the moment a client knows that its commit is durable to the moment a consumer has the record; CPU in % of one core.");
    for rate in &options.rates {
        let [ours, theirs] = CONTENDERS.map(|(_, label)| row(label, *rate));
        if wanted.len() == CONTENDERS.len() {
            report.ratio(&ours, &theirs);
        }
        report.bar(Bar::ratio("p50 ms", &ours, Bound::AtMost(0.1), &theirs));
        report.bar(Bar::ratio("p99 ms", &ours, Bound::AtMost(0.1), &theirs));
        report.bar(Bar::value("p99 ms", &ours, Bound::Below(20.0)));
    }
    report
}

fn row(label: &str, rate: u32) -> String {
    format!("{label}, {rate} commits/s")
}

struct Traffic<'a> {
    options: &'a Options,
    label: &'a str,
    /// The first row's id: no two runs share one.
    first: i64,
    report: &'a mut Report,
}

impl Traffic<'_> {
    /// Warm-up, then each rate, while the contender runs.
    fn measure(
        &mut self,
        lab: &mut Lab,
        process: pgcdc_testbed::signal::ProcessId,
        topic: &str,
    ) -> Result<()> {
        let consumer = Consumer::start(&lab.kafka.bootstrap(), topic, self.first)?;
        let url = lab.postgres.url(super::lab::DATABASE);
        let fastest = self.options.rates.iter().copied().max().unwrap_or(500);
        let warm_up = (fastest, self.options.warm_up, true);
        let rates = self.options.rates.iter().map(|rate| (*rate, self.options.seconds, false));
        for (rate, seconds, warming) in std::iter::once(warm_up).chain(rates) {
            let stamps = Stamps::new(self.first, (rate * seconds) as usize);
            consumer.expect(&stamps);
            let mut watch = Watch::begin(process, lab);
            let before = watch.read();
            let took = traffic::commit(&url, &stamps, rate, self.options.clients)?;
            let after = watch.read();
            let deadline = Instant::now() + Duration::from_secs(60);
            while stamps.missing() > 0 {
                if Instant::now() > deadline || !watch.is_alive() {
                    bail!("{} of {} records have not come", stamps.missing(), stamps.len());
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            self.first += stamps.len() as i64;
            if warming {
                printer::say(&format!("{} is warm", self.label));
                continue;
            }
            let latencies = stamps.latencies();
            let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share).round() as usize];
            let span = after.at.duration_since(before.at).as_secs_f64();
            let figures = [
                ("p50 ms", at(0.5)),
                ("p99 ms", at(0.99)),
                ("max ms", at(1.0)),
                ("commits/s", stamps.len() as f64 / took.as_secs_f64()),
                ("CPU %", (after.cpu - before.cpu) / span * 100.0),
                ("peak MiB", watch.peak as f64 / 1_048_576.0),
                ("load", watch.load),
            ];
            self.report.run(&row(self.label, rate), &figures);
        }
        Ok(())
    }
}
