//! Stops a process when the one that started it is gone, whatever way it went.
//!
//! A shell blocks on a pipe whose other end only the owner holds. When the owner exits, is killed, or forgets the guard in a
//! `static`, the kernel closes the pipe and the shell goes on to clean up. No polling, no race with the owner's end.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use crate::signal::ProcessId;

const SCRIPT: &str = r#"
read -r word; [ "$word" = done ] && exit 0
same() {
  s=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null)
  case $s in Z*|X*|'') return 1;; esac
  [ "$(echo "$s" | cut -d' ' -f20)" = "$2" ]
}
same "$1" "$2" && kill -s "$3" -- "$1"
n=0; while same "$1" "$2" && [ $n -lt 100 ]; do n=$((n+1)); sleep 0.1; done
same "$1" "$2" && kill -s KILL -- "$1"
[ -n "$4" ] && rm -rf -- "$4"
[ -n "$5" ] && rm -rf -- "$5"
exit 0
"#;

/// Waits for the services' own watchdogs, which stop the programs that write there.
const REMOVE: &str = r#"read -r word; [ "$word" = done ] && exit 0; sleep 5; rm -rf -- "$1""#;

#[derive(Debug)]
pub(crate) struct Watchdog(Child);

impl Watchdog {
    /// Watches `process`; should this program end first, sends `signal`, SIGKILL after ten seconds, and removes `remove`.
    pub(crate) fn watch(process: ProcessId, signal: &str, remove: &[&Path]) -> Result<Self> {
        let keep = std::env::var_os("PGCDC_KEEP").is_some();
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "pgcdc-testbed-watchdog"]);
        command.args([process.pid.to_string(), process.started.to_string(), signal.to_owned()]);
        for slot in 0..2 {
            command.arg(
                remove
                    .get(slot)
                    .filter(|_| !keep)
                    .map_or_else(Default::default, |path| path.as_os_str().to_owned()),
            );
        }
        Self::spawn(command)
    }

    /// Removes `dir` should this program end without dismissing the watchdog.
    pub(crate) fn remove(dir: &Path) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", REMOVE, "pgcdc-testbed-watchdog"]).arg(dir);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Result<Self> {
        // Its own group: Ctrl-C in a terminal must reach the owner only.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(command.spawn().context("cannot start sh as a watchdog")?))
    }

    /// Tells the watchdog that its process is taken care of.
    pub(crate) fn dismiss(mut self) {
        if let Some(mut pipe) = self.0.stdin.take() {
            let _ = pipe.write_all(b"done\n");
        }
        let _ = self.0.wait();
    }
}
