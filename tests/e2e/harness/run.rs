//! The binary under test.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use pgcdc_testbed::Process;

use super::{Connector, LONG, next, scratch_dir};

const BINARY: &str = env!("CARGO_BIN_EXE_pgcdc");

/// Starts `pgcdc stream --config FILE ARGS`; standard output goes to `stdout` and errors to `stderr`, both beside FILE.
pub(crate) fn stream(config: &Path, args: &[&str]) -> Process {
    start("stream", config, args)
}

/// Starts `pgcdc sink --config FILE ARGS`, with the same files.
pub(crate) fn sink(config: &Path, args: &[&str]) -> Process {
    start("sink", config, args)
}

/// Starts a connector towards Kafka and waits until it streams.
#[track_caller]
pub(crate) fn streaming(connector: &Connector) -> Process {
    let mut process = connector.start();
    wait_streaming(&mut process);
    process
}

/// Waits until it streams.
#[track_caller]
pub(crate) fn wait_streaming(process: &mut Process) {
    if let Err(error) = process.wait_for_stderr("streaming", LONG) {
        panic!("{error:#}");
    }
}

/// Asks a process to stop and expects that it does so without a complaint.
#[track_caller]
pub(crate) fn stop(mut process: Process) {
    match process.sigterm_and_wait(Duration::from_secs(30)) {
        Ok(status) => assert!(status.success(), "{status}: {}", process.stderr()),
        Err(error) => panic!("{error:#}"),
    }
}

fn start(subcommand: &str, config: &Path, args: &[&str]) -> Process {
    let dir = config.parent().expect("the file lies in a directory");
    let mut command = Command::new(BINARY);
    command.arg(subcommand).arg("--config").arg(config).args(args);
    command.env("NO_COLOR", "1");
    command.stdout(File::create(dir.join("stdout")).expect("standard output's file"));
    // A file per start: what an earlier process said must not satisfy a wait.
    Process::spawn(command, dir.join(format!("stderr-{}", next()))).expect("pgcdc starts")
}

/// Starts `pgcdc serve ARGS` in `dir`, and waits until it listens.
#[track_caller]
pub(crate) fn serve(dir: &Path, args: &[&str]) -> Process {
    let mut command = Command::new(BINARY);
    command.arg("serve").arg("--dir").arg(dir.join("state")).args(args).env("NO_COLOR", "1");
    command.stdout(File::create(dir.join("stdout")).expect("standard output's file"));
    let mut process = Process::spawn(command, dir.join(format!("stderr-{}", next()))).expect("pgcdc starts");
    if let Err(error) = process.wait_for_stderr("listens on", LONG) {
        panic!("{error:#}");
    }
    process
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The exit code; -1 after a signal.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Finished {
    /// Both outputs, as a person sees them.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Runs `pgcdc ARGS` to its end.
pub(crate) fn pgcdc(args: &[&str]) -> Finished {
    pgcdc_in(&[], args)
}

/// Runs `pgcdc ARGS` with more environment; fails the test when it does not end within a minute.
#[track_caller]
pub(crate) fn pgcdc_in(environment: &[(&str, &str)], args: &[&str]) -> Finished {
    let dir = scratch_dir("command");
    let mut command = Command::new(BINARY);
    command.args(args).env("NO_COLOR", "1").env_remove("PGCDC_LOG");
    command.env("COLUMNS", "120").envs(environment.iter().copied());
    command.stdout(File::create(dir.join("stdout")).expect("standard output's file")).stdin(Stdio::null());
    let mut process = Process::spawn(command, dir.join("stderr")).expect("pgcdc starts");
    let Some(status) = process.wait_timeout(Duration::from_secs(60)) else {
        panic!("pgcdc {} has not ended:\n{}", args.join(" "), process.stderr());
    };
    let stdout = std::fs::read(dir.join("stdout")).expect("standard output's file");
    Finished {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: process.stderr(),
    }
}
