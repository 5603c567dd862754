//! A broker of another make: franz-go's `kfake`, a single program in Go. It shows where a client relies on details of Apache
//! Kafka.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::daemon::{Daemon, Spec};
use crate::kafka::wire;
use crate::{cache, ports, tools};

/// The program's sources. They name the exact versions of what they use.
const SOURCES: [(&str, &str); 3] = [
    ("main.go", include_str!("../kfake/main.go")),
    ("go.mod", include_str!("../kfake/go.mod")),
    ("go.sum", include_str!("../kfake/go.sum")),
];

/// A running kfake with one broker. Its records are in memory, and gone when it stops.
#[derive(Debug)]
pub struct Kfake {
    daemon: Daemon,
}

impl Kfake {
    /// Starts it in `dir` on `port` (0: a free one). The first start builds it with `go`, which takes about a minute.
    ///
    /// # Errors
    /// When Go is missing, the build fails, or it does not start.
    pub fn start(dir: impl AsRef<Path>, port: u16) -> Result<Self> {
        let dir = dir.as_ref();
        let port = ports::or_free(port)?;
        let spec = Spec::new("kfake", program()?, vec![port.to_string()], port);
        Ok(Self { daemon: Daemon::start(spec, dir, Duration::from_secs(10), || wire::is_ready(port))? })
    }

    /// The value of `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.daemon.spec().port)
    }
}

fn program() -> Result<PathBuf> {
    let go = tools::find("go")
        .or_else(|| Some(PathBuf::from("/usr/local/go/bin/go")).filter(|path| path.is_file()))
        .context("there is no `go`: install Go 1.26 or later")?;
    let dir = cache::entry(&cache::dir(), "kfake-1.22.3", |into| {
        for (name, text) in SOURCES {
            fs::write(into.join(name), text).with_context(|| format!("cannot write {name}"))?;
        }
        let output = Command::new(&go)
            .args(["build", "-buildvcs=false", "-o", "kfake", "."])
            .current_dir(into)
            .env("GOFLAGS", "")
            .output()
            .with_context(|| format!("cannot run {}", go.display()))?;
        if !output.status.success() {
            bail!("cannot build kfake: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    })?;
    Ok(dir.join("kfake"))
}
