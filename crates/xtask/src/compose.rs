//! The services by Docker Compose, where an engine answers.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cargo;

/// Variables of `deploy/docker-compose.yml` and their values: ports and PostgreSQL's version.
pub(crate) type Variables = [(&'static str, String)];

/// Says whether a Docker engine answers within three seconds and its Compose is there.
///
/// The exit code of a bare `docker info` does not tell: it is 0 even without an engine. So the command asks for a fact that only
/// the engine knows.
pub(crate) fn available() -> bool {
    quick(&["info", "--format", "{{.ServerVersion}}"]) && quick(&["compose", "version"])
}

pub(crate) fn up(variables: &Variables) -> Result<()> {
    run(variables, &["up", "-d", "--wait"])
}

pub(crate) fn down(variables: &Variables) -> Result<()> {
    run(variables, &["down", "--volumes", "--remove-orphans"])
}

pub(crate) fn status(variables: &Variables) -> Result<()> {
    run(variables, &["ps"])
}

fn run(variables: &Variables, args: &[&str]) -> Result<()> {
    let mut command = Command::new("docker");
    command.arg("compose").args(args).current_dir(cargo::root());
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    if !command.status().context("cannot run docker compose")?.success() {
        bail!(
            "docker compose {} failed, see above\n\nhint: PGCDC_SERVICES=native starts the services without Docker",
            args.join(" ")
        );
    }
    Ok(())
}

fn quick(args: &[&str]) -> bool {
    let child = Command::new("docker")
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return false };
    let deadline = Instant::now() + Duration::from_secs(3);
    while Instant::now() < deadline {
        if let Ok(Some(status)) = child.try_wait() {
            let said =
                child.stdout.take().and_then(|out| std::io::read_to_string(out).ok()).unwrap_or_default();
            return status.success() && !said.trim().is_empty();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
    false
}
