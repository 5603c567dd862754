//! The workspace, and cargo called from within.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// Where cargo builds: `$CARGO_TARGET_DIR`, or the directory this very program was built in, so that nothing is compiled twice.
pub(crate) fn target_dir() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("CARGO_TARGET_DIR") {
        return Ok(root().join(dir));
    }
    let exe = std::env::current_exe().context("cannot find the path of this program")?;
    Ok(exe.ancestors().nth(2).context("this program lies in no target directory")?.to_owned())
}

/// A cargo command in the workspace.
pub(crate) fn cargo(args: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root()).env("CARGO_TARGET_DIR", target_dir()?);
    // Set by the outer cargo for this crate; a build script that reads them would be rebuilt each time.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" {
            command.env_remove(name);
        }
    }
    Ok(command)
}

/// Builds the `pgcdc` program and returns its path.
pub(crate) fn build_pgcdc(release: bool) -> Result<PathBuf> {
    let mut command = cargo(&["build", "--quiet", "-p", "pgcdc", "--bin", "pgcdc"])?;
    if release {
        command.arg("--release");
    }
    if !command.status().context("cannot run cargo")?.success() {
        bail!("cargo build -p pgcdc failed, see above");
    }
    Ok(target_dir()?.join(if release { "release" } else { "debug" }).join("pgcdc"))
}
