//! Python with packages, in an environment of its own that is kept between runs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cache, tools};

/// The `python` of an environment that has these packages, `name==version` each; made when it is not there.
///
/// # Errors
/// When Python is missing or a package cannot be had.
pub fn with(packages: &[&str]) -> Result<PathBuf> {
    let name = packages.join("+").replace("==", "-");
    // Made in its final place, not renamed afterwards: an environment holds its own path.
    let home = cache::dir().join(format!("python-{name}"));
    let python = home.join("bin/python");
    let done = home.join("complete");
    if done.is_file() {
        return Ok(python);
    }
    let system = tools::ensure("python3", "python3-venv")?;
    let run = |program: &std::path::Path, args: &[&str]| -> Result<()> {
        let output = Command::new(program).args(args).output();
        let output = output.with_context(|| format!("cannot run {}", program.display()))?;
        if output.status.success() {
            return Ok(());
        }
        bail!(
            "{} {}: {}\n\nhint: python3-venv and a reachable package index are needed",
            program.display(),
            args.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        )
    };
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if done.is_file() {
        return Ok(python);
    }
    run(&system, &["-m", "venv", "--clear", &home.to_string_lossy()])?;
    let mut args = vec!["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    args.extend(packages);
    run(&python, &args)?;
    std::fs::write(&done, "").with_context(|| format!("cannot write {}", done.display()))?;
    Ok(python)
}
