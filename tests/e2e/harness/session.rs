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

    /// Runs statements and waits for them; returns the first line that they answer with, or nothing.
    #[track_caller]
    pub(crate) fn run(&mut self, sql: &str) -> String {
        self.begin(sql);
        self.finish()
    }

    /// Runs statements and does not wait: they may wait for another session.
    #[track_caller]
    pub(crate) fn begin(&mut self, sql: &str) {
        writeln!(self.input, "{sql};\n\\echo done").and_then(|()| self.input.flush()).expect("psql reads");
    }

    /// Waits for what was begun; returns the first line of its answer, or nothing.
    #[track_caller]
    pub(crate) fn finish(&mut self) -> String {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).expect("psql writes");
            assert!(read > 0, "psql has ended");
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
