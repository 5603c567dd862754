//! Programs that the services need from the operating system: found, or installed with apt-get when we are root.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result, bail};

/// Finds `program` on the PATH or in the directories where Debian keeps administrators' programs.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/bin", "/usr/sbin", "/bin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|candidate| candidate.is_file())
}

/// Finds `program`, installing Debian's `package` first where it is missing and we may.
///
/// # Errors
/// When it is missing and cannot be installed; the message names the command that would.
pub fn ensure(program: &str, package: &str) -> Result<PathBuf> {
    if let Some(path) = find(program) {
        return Ok(path);
    }
    install(program, package)?;
    find(program).with_context(|| format!("installed {package}, yet there is no `{program}` on the PATH"))
}

/// Finds a client program of PostgreSQL itself. Debian's command of the same name on the PATH is a script in Perl, which takes
/// longer than the program.
///
/// # Errors
/// As [`ensure`].
pub fn postgres_client(name: &str) -> Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|entry| entry.path().join("bin").join(name)).find(|path| path.is_file());
    found.map_or_else(|| ensure(name, "postgresql-client"), Ok)
}

/// Finds the program `java` of a Java 17, the version that Kafka 4 and Cassandra 5 both support; installs it where we may.
///
/// # Errors
/// When there is none and it cannot be installed.
pub fn java() -> Result<PathBuf> {
    let found = || {
        let home = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
        let debian = std::fs::read_dir("/usr/lib/jvm").into_iter().flatten().flatten().map(|e| e.path());
        let debian = debian.filter(|p| p.to_string_lossy().contains("17")).map(|p| p.join("bin/java"));
        home.into_iter().chain(debian).chain(find("java")).find(|java| java.is_file() && is_17(java))
    };
    if let Some(java) = found() {
        return Ok(java);
    }
    install("java (version 17)", "openjdk-17-jre-headless")?;
    found().context("installed openjdk-17-jre-headless, yet found no Java 17; set JAVA_HOME to one")
}

/// Finds `keytool` beside the `java` of [`java`].
///
/// # Errors
/// When there is none.
pub fn keytool() -> Result<PathBuf> {
    let java = java()?;
    let real = java.canonicalize().unwrap_or(java);
    let beside = real.with_file_name("keytool");
    if beside.is_file() { Ok(beside) } else { find("keytool").context("there is no keytool beside java") }
}

fn is_17(java: &Path) -> bool {
    Command::new(java)
        .arg("-version")
        .output()
        .is_ok_and(|out| String::from_utf8_lossy(&out.stderr).contains("version \"17"))
}

/// Says whether this process runs as root.
pub fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|s| s.lines().any(|l| l.starts_with("Uid:") && l.split_whitespace().nth(2) == Some("0")))
}

pub(crate) fn install(what: &str, package: &str) -> Result<()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let remedy = format!("sudo apt-get update && sudo apt-get install -y --no-install-recommends {package}");
    if !is_root() || find("apt-get").is_none() {
        bail!("{what} is not installed\n\nhint: {remedy}");
    }
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let apt = |args: &[&str]| -> Result<std::process::Output> {
        Command::new("apt-get")
            .args(["-qq", "-o", "DPkg::Lock::Timeout=120"])
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
            .context("cannot run apt-get")
    };
    // A package list may be missing or stale on a fresh machine; a failed update is reported by the install below.
    let _ = apt(&["update"])?;
    let done = apt(&["install", "-y", "--no-install-recommends", package])?;
    if !done.status.success() {
        bail!(
            "apt-get could not install {package}: {}\n\nhint: {remedy}",
            String::from_utf8_lossy(&done.stderr).trim()
        );
    }
    Ok(())
}
