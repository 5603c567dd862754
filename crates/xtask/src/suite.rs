//! `test`: everything CI runs, one step after the other.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{cargo, conformance, printer};

/// Which steps to run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Leave out the end-to-end tests, which start real services
    #[arg(long)]
    no_e2e: bool,
    /// Run only end-to-end tests whose name contains this
    #[arg(long, value_name = "NAME", conflicts_with = "no_e2e")]
    e2e: Option<String>,
}

/// The recordings are of PostgreSQL 15; the newest must give the same.
const CONFORMANCE: [(&str, u32); 2] =
    [("Debezium's recordings", 15), ("Debezium's recordings on PostgreSQL 18", 18)];

/// Runs the steps and stops at the first that fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut steps: Vec<(&str, Vec<&str>)> = Vec::new();
    let e2e = ["test", "-p", "pgcdc", "--test", "e2e", "--"];
    if options.e2e.is_none() {
        steps.push(("format", vec!["fmt", "--all", "--check"]));
        steps.push((
            "lints",
            vec!["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"],
        ));
        steps.push(("unit and doc tests", vec!["test", "--workspace", "--quiet"]));
    }
    if !options.no_e2e {
        let mut args = e2e.to_vec();
        args.extend(options.e2e.as_deref());
        // One after the other: two cores carry two JVMs and a database already.
        args.push("--test-threads=1");
        steps.push(("end-to-end tests on real services", args));
    }
    if options.e2e.is_none() && !options.no_e2e {
        let services =
            ["test", "-p", "pgcdc-testbed", "--test", "services", "--", "--ignored", "--test-threads=1"];
        steps.push(("services and sample data, oldest and newest PostgreSQL", services.to_vec()));
    }
    let total = Instant::now();
    let mut rows = vec![printer::row(["step", "time"])];
    for (name, args) in steps {
        printer::say(&format!("{name}: cargo {}", args.join(" ")));
        let begin = Instant::now();
        let status =
            cargo::cargo(&args)?.status().with_context(|| format!("cannot run cargo {}", args.join(" ")))?;
        if !status.success() {
            bail!(
                "{name} failed after {:.1} s, see above\n\nhint: cargo {}",
                begin.elapsed().as_secs_f64(),
                args.join(" ")
            );
        }
        rows.push(printer::row([name, &format!("{:.1} s", begin.elapsed().as_secs_f64())]));
    }
    let conformance = options.e2e.is_none() && !options.no_e2e;
    for (name, version) in CONFORMANCE.iter().filter(|_| conformance) {
        printer::say(name);
        let begin = Instant::now();
        conformance::run(&conformance::Options::everything(*version))?;
        rows.push(printer::row([name, &format!("{:.1} s", begin.elapsed().as_secs_f64())]));
    }
    rows.push(printer::row(["all", &format!("{:.1} s", total.elapsed().as_secs_f64())]));
    printer::table(&rows);
    Ok(())
}
