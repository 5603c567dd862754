//! The few calls of Kafka Connect's REST interface that a recording needs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// A worker on 127.0.0.1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest {
    pub(super) port: u16,
}

impl Rest {
    /// Creates a connector.
    pub(super) fn create(self, name: &str, config: Value) -> Result<()> {
        self.call("POST", "/connectors", Some(&json!({"name": name, "config": config}))).map(drop)
    }

    /// Deletes a connector, if there is one.
    pub(super) fn delete(self, name: &str) -> Result<()> {
        let (status, answer) = self.request("DELETE", &format!("/connectors/{name}"), None)?;
        match status {
            204 | 404 => Ok(()),
            _ => bail!("Connect does not delete {name}: {status} {answer}"),
        }
    }

    /// Why a connector or its task has failed; none while it runs.
    pub(super) fn failure(self, name: &str) -> Result<Option<String>> {
        let (status, answer) = self.request("GET", &format!("/connectors/{name}/status"), None)?;
        if status != 200 || !answer.contains("\"FAILED\"") {
            return Ok(None);
        }
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        let trace = answer["tasks"][0]["trace"].as_str().or(answer["connector"]["trace"].as_str());
        let trace = trace.unwrap_or("no trace");
        let mut lines = trace.lines().filter(|line| !line.starts_with("\tat") && !line.starts_with("\t..."));
        let first = lines.next().unwrap_or_default().to_owned();
        Ok(Some(match lines.next_back() {
            Some(cause) => format!("{first}; {cause}"),
            None => first,
        }))
    }

    /// The topics that a connector has written to.
    pub(super) fn topics(self, name: &str) -> Result<Vec<String>> {
        let answer = self.call("GET", &format!("/connectors/{name}/topics"), None)?;
        let topics = answer[name]["topics"].as_array().cloned().unwrap_or_default();
        Ok(topics.iter().filter_map(|topic| topic.as_str().map(str::to_owned)).collect())
    }

    fn call(self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let (status, answer) = self.request(method, path, body)?;
        if !(200..300).contains(&status) {
            bail!("Connect answers {method} {path} with {status}: {answer:.600}");
        }
        Ok(serde_json::from_str(&answer).unwrap_or_default())
    }

    /// A request, again while the group of workers rebalances.
    fn request(self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, String)> {
        for _ in 0..120 {
            let (status, answer) = self.once(method, path, body)?;
            if status != 409 || !answer.contains("rebalance") {
                return Ok((status, answer));
            }
            std::thread::sleep(Duration::from_millis(250));
        }
        bail!("Connect rebalances all the time")
    }

    fn once(self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, String)> {
        let what = || format!("cannot talk to Kafka Connect on port {}", self.port);
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).with_context(what)?;
        socket.set_read_timeout(Some(Duration::from_secs(100))).with_context(what)?;
        // Version 1.0: the answer comes in one piece and ends with the connection.
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        socket.write_all((head + &body).as_bytes()).with_context(what)?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).with_context(what)?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok((status.with_context(what)?, body.to_owned()))
    }
}
