//! A session that stays open, to hold locks and transactions.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::Database;

/// A psql that waits for more; its transaction ends with it.
#[derive(Debug)]
pub(crate) struct Session {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Its process at the server.
    pub(crate) pid: String,
}

impl Session {
    /// Opens a session on the database.
    #[track_caller]
    pub(crate) fn open(database: &Database) -> Self {
        let mut command = database.server.psql(&database.name);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("psql can be started");
        let input = child.stdin.take().expect("standard input is a pipe");
        let output = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        let mut session = Self { child, input, output, pid: String::new() };
        session.pid = session.run("SELECT pg_backend_pid()");
        session
    }

    /// Runs statements, the last of which gives one line at least; returns the first line.
    #[track_caller]
    pub(crate) fn run(&mut self, sql: &str) -> String {
        writeln!(self.input, "{sql};\n\\echo done").expect("psql reads");
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).expect("psql writes");
            assert!(read > 0, "psql has ended: {sql}");
            if line.trim() == "done" {
                return lines.into_iter().next().unwrap_or_default();
            }
            lines.push(line.trim().to_owned());
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
