//! `demo`: the whole way of the data, and a comparison at its end.
//!
//! ```text
//! sample rows, then live traffic ─▶ Postgres ─▶ pgcdc stream ─▶ Kafka ─▶ pgcdc sink ─▶ Cassandra · Redis · HTTP
//!        └────────────────────────── compared row for row at the end ──────────────────────┘
//! ```

mod cassandra;
mod pipeline;
mod state;
mod traffic;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use pgcdc_testbed::{HttpReceiver, Scratch};

use crate::services::{self, Running};
use crate::{cargo, printer};
use pipeline::Pipeline;
use state::{Difference, Rows};

/// The database of `sql/engagement`.
const DATABASE: &str = "engagement";
/// The sorted set that `deploy/demo/sinks.toml` names.
const LEADERBOARD: &str = "engagement_10m";

/// How to run the demo.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    services: services::Options,
    /// Rows loaded before capture starts, which the snapshot then reads
    #[arg(long, default_value_t = 5_000)]
    rows: u32,
    /// Seconds of inserts, updates and deletes while everything runs
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// How long the sinks may take to hold what Postgres holds
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    deadline: u64,
    /// Port of the HTTP endpoint
    #[arg(long, default_value_t = 15000)]
    http_port: u16,
    /// Leave the services running at the end
    #[arg(long)]
    keep: bool,
    /// Build with optimisations
    #[arg(long)]
    release: bool,
}

/// Runs the demo; an error when a sink does not hold what Postgres holds.
pub(crate) fn run(options: &Options) -> Result<()> {
    printer::elapsed();
    // Compiling and starting services wait for different things: do both at once.
    let (services, binary) = std::thread::scope(|scope| {
        let build = scope.spawn(|| {
            printer::say("building pgcdc");
            cargo::build_pgcdc(options.release)
        });
        let services = services::up(&options.services);
        (services, build.join())
    });
    let services = services?;
    let result = binary
        .unwrap_or_else(|_| bail!("the build thread panicked"))
        .and_then(|binary| show(options, &services, &binary));
    if options.keep || !services.started {
        printer::say("the services are left running; `cargo xtask down` stops them");
    } else {
        services::down(&options.services)?;
    }
    let agree = result?;
    printer::line(&format!("total time {:.1} s", printer::elapsed()));
    if !agree {
        bail!("not every sink holds what Postgres holds, see above");
    }
    Ok(())
}

fn show(options: &Options, services: &Running, binary: &std::path::Path) -> Result<bool> {
    let scratch = Scratch::new("demo")?;
    let receiver = HttpReceiver::start(options.http_port)
        .context("the HTTP endpoint\n\nhint: choose a port with --http-port")?;
    let cassandra = cassandra::Reader::connect(services.cassandra_port)?;
    pipeline::reset(services, &cassandra)?;
    printer::say(&format!("creating database {DATABASE} and loading {} rows", options.rows));
    traffic::load(services.postgres, options.rows)?;
    let mut pipeline = Pipeline::start(binary, services, &receiver, &scratch)?;
    printer::say("pgcdc stream and pgcdc sink run; inserts, updates and deletes go on meanwhile");
    let agree = std::thread::scope(|scope| {
        let traffic = scope.spawn(|| traffic::run(services.postgres, Duration::from_secs(options.seconds)));
        let waited = wait(options, services, &receiver, &cassandra, &mut pipeline, || traffic.is_finished());
        traffic.join().unwrap_or_else(|_| bail!("the traffic thread panicked"))?;
        waited
    })?;
    pipeline.stop()?;
    Ok(agree)
}

/// Polls until all stores agree with Postgres, or time is over; prints the comparison, and returns whether they agree.
fn wait(
    options: &Options,
    services: &Running,
    receiver: &HttpReceiver,
    cassandra: &cassandra::Reader,
    pipeline: &mut Pipeline,
    traffic_done: impl Fn() -> bool,
) -> Result<bool> {
    let deadline = Instant::now() + Duration::from_secs(options.deadline + options.seconds);
    loop {
        pipeline.check()?;
        let done = traffic_done();
        let source = state::of_postgres(services.postgres)?;
        // Redis and Postgres are asked right after each other, since the leaderboard moves with time.
        let board = state::board_of_redis(services.redis)?;
        let wanted = state::board_of_postgres(services.postgres)?;
        let http = state::of_http(receiver);
        let stored = cassandra.rows()?;
        printer::say(&format!(
            "rows: Postgres {}, Cassandra {}, HTTP {} ({} requests); leaderboard: SQL {}, Redis {}",
            source.len(),
            stored.len(),
            http.len(),
            receiver.with_requests(<[_]>::len),
            wanted.len(),
            board.len()
        ));
        let agree = done && source == stored && source == http && wanted == board;
        if agree || Instant::now() > deadline {
            report(&source, &stored, &http);
            report_board(&wanted, &board);
            return Ok(agree);
        }
        std::thread::sleep(Duration::from_millis(700));
    }
}

fn report(source: &Rows, stored: &Rows, http: &Rows) {
    let mut rows =
        vec![printer::row(["engagement_events in", "rows", "checksum", "missing", "too many", "different"])];
    for (name, held) in [("Postgres", source), ("Cassandra", stored), ("HTTP endpoint", http)] {
        let Difference { missing, extra, different, .. } = state::compare(source, held);
        let counts = [held.len(), missing, extra, different].map(|n| n.to_string());
        rows.push(printer::row([
            name,
            &counts[0],
            &state::checksum(held),
            &counts[1],
            &counts[2],
            &counts[3],
        ]));
    }
    printer::line("");
    printer::table(&rows);
    for (name, held) in [("Cassandra", stored), ("HTTP endpoint", http)] {
        for example in state::compare(source, held).examples {
            printer::line(&format!("  {name}: {example}"));
        }
    }
}

fn report_board(wanted: &state::Board, board: &state::Board) {
    let cell = |entry: Option<&(String, i64)>| {
        entry.map_or_else(|| "-".to_owned(), |(member, score)| format!("{member}  {score:>10}"))
    };
    let mut rows = vec![printer::row([
        "top",
        "SQL, last ten minutes",
        "Redis ZREVRANGE engagement_10m 0 4 WITHSCORES",
        "",
    ])];
    for place in 0..5 {
        let (sql, redis) = (wanted.get(place), board.get(place));
        let verdict = if sql == redis { "same" } else { "DIFFERS" };
        rows.push(printer::row([&(place + 1).to_string(), &cell(sql), &cell(redis), verdict]));
    }
    printer::line("");
    printer::table(&rows);
    let same = if wanted == board { "agree" } else { "DISAGREE" };
    printer::line(&format!("all {} members of the leaderboard {same}\n", wanted.len()));
}
