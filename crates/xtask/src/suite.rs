//! `test`: everything CI runs, one step after the other.

use std::io::{BufRead as _, BufReader};
use std::process::{ExitStatus, Stdio};
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

/// The recordings are of PostgreSQL 15; the newest version must give the same records.
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
        // `--all-targets` leaves it out, since `cargo test --workspace` must.
        let lints = ["clippy", "-p", "pgcdc", "--test", "e2e", "--quiet", "--", "-D", "warnings"];
        steps.push(("lints of the end-to-end tests", lints.to_vec()));
        steps.push(("unit and doc tests", vec!["test", "--workspace", "--quiet"]));
    }
    if !options.no_e2e {
        let mut args = e2e.to_vec();
        args.extend(options.e2e.as_deref());
        // Two at a time, which two cores carry beside a broker and a database; a test waits for services most of its time.
        args.push("--test-threads=2");
        steps.push(("end-to-end tests on real services", args));
    }
    if options.e2e.is_none() && !options.no_e2e {
        let services =
            ["test", "-p", "pgcdc-testbed", "--test", "services", "--", "--ignored", "--test-threads=1"];
        steps.push(("services and sample data, oldest and newest PostgreSQL", services.to_vec()));
        let secure =
            ["test", "-p", "pgcdc-kafka", "--features", "tls", "--test", "secure", "--", "--ignored"];
        steps.push(("the producer alone on a secure broker", secure.to_vec()));
    }
    let total = Instant::now();
    let mut rows = vec![printer::row(["step", "time"])];
    for (name, args) in steps {
        printer::say(&format!("{name}: cargo {}", args.join(" ")));
        let begin = Instant::now();
        let (status, failed) =
            run_and_watch(&args).with_context(|| format!("cannot run cargo {}", args.join(" ")))?;
        if !status.success() {
            let took = begin.elapsed().as_secs_f64();
            bail!("{name} failed after {took:.1} s, see above\n\n{}", hints(&args, &failed));
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

/// Runs cargo with its output passed on line by line; returns the names of the tests that failed, too.
fn run_and_watch(args: &[&str]) -> Result<(ExitStatus, Vec<String>)> {
    let mut child = cargo::cargo(args)?.stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().context("cargo has no standard output")?;
    let mut failed = Vec::new();
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        printer::line(&line);
        failed.extend(failed_test(&line).map(str::to_owned));
    }
    Ok((child.wait()?, failed))
}

/// The test's name in the line that stands above a failed test's output, with `--quiet` and without.
fn failed_test(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

/// For each failed test the command that runs it alone; else the command of the step.
fn hints(args: &[&str], failed: &[String]) -> String {
    if failed.is_empty() {
        return format!("hint: cargo {}", args.join(" "));
    }
    let alone = |test: &String| {
        if args.contains(&"e2e") {
            return format!("failed: {test}\n  alone: cargo xtask test --e2e {test}");
        }
        // Everything before `--` picks what is built; the name picks the test.
        let build: Vec<&str> = args.iter().copied().take_while(|arg| *arg != "--").collect();
        format!("failed: {test}\n  alone: cargo {} -- {test}", build.join(" "))
    };
    failed.iter().map(alone).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_test_is_named_with_the_command_that_runs_it_alone() {
        let failed: Vec<String> =
            ["test a::b ... ok", "test a::c ... FAILED", "failures:", "---- a::c stdout ----", "    a::c"]
                .iter()
                .filter_map(|line| failed_test(line).map(str::to_owned))
                .collect();
        assert_eq!(failed, ["a::c"]);
        let e2e = hints(&["test", "-p", "pgcdc", "--test", "e2e", "--", "--test-threads=1"], &failed);
        assert_eq!(e2e, "failed: a::c\n  alone: cargo xtask test --e2e a::c");
        let unit = hints(&["test", "--workspace", "--quiet"], &failed);
        assert_eq!(unit, "failed: a::c\n  alone: cargo test --workspace --quiet -- a::c");
        assert_eq!(hints(&["fmt", "--all", "--check"], &[]), "hint: cargo fmt --all --check");
    }
}
