//! `pgcdc connector`: the connectors of a worker, by Kafka Connect's REST API.

use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use reqwest::{Client, Method, Url};
use serde_json::Value;

use crate::printer;

/// How long a worker may take for an answer. Connect itself gives up after 90 seconds.
const LIMIT: Duration = Duration::from_secs(100);

/// Arguments of `pgcdc connector`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  pgcdc connector list
  pgcdc connector status engagement-cdc --url http://connect:8083
  pgcdc connector restart engagement-cdc --only-failed

The worker is Kafka Connect, or one that has its REST API.
Exit code: 0 done, 1 refused or failed, 2 wrong usage or configuration."
)]
pub(crate) struct ConnectorArgs {
    #[command(subcommand)]
    command: ConnectorCommand,

    /// The worker's REST API.
    #[arg(long, global = true, value_name = "URL", default_value = "http://localhost:8083")]
    url: String,
}

#[derive(Debug, Subcommand)]
enum ConnectorCommand {
    /// List the connectors with their states.
    List,
    /// Show the state of a connector and of its tasks, with the error of what has failed.
    Status { name: String },
    /// Pause a connector: its tasks stay assigned and do nothing.
    Pause { name: String },
    /// Resume a connector that is paused or stopped.
    Resume { name: String },
    /// Stop a connector: its tasks end. Its configuration and its offsets stay.
    Stop { name: String },
    /// Restart a connector and its tasks.
    Restart {
        name: String,

        /// Restart only what has failed.
        #[arg(long)]
        only_failed: bool,
    },
    /// Delete a connector. Its offsets, topics and slot stay.
    Delete { name: String },
}

pub(crate) async fn run(args: ConnectorArgs) -> anyhow::Result<()> {
    let worker = Worker::new(&args.url)?;
    let order = match &args.command {
        ConnectorCommand::List => return list(&worker).await,
        ConnectorCommand::Status { name } => return status(&worker, name).await,
        ConnectorCommand::Pause { name } => (Method::PUT, name, "pause", "", "pauses"),
        ConnectorCommand::Resume { name } => (Method::PUT, name, "resume", "", "resumes"),
        ConnectorCommand::Stop { name } => (Method::PUT, name, "stop", "", "stops"),
        ConnectorCommand::Restart { name, only_failed } => {
            let query = if *only_failed {
                "includeTasks=true&onlyFailed=true"
            } else {
                "includeTasks=true&onlyFailed=false"
            };
            (Method::POST, name, "restart", query, "restarts")
        }
        ConnectorCommand::Delete { name } => (Method::DELETE, name, "", "", "is deleted"),
    };
    let (method, name, action, query, does) = order;
    worker.ask(method, &["connectors", name, action], query).await?;
    printer::write(&format!("connector {} {does}\n", shown(name)));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the list is this command's output")]
async fn list(worker: &Worker) -> anyhow::Result<()> {
    let all = worker.ask(Method::GET, &["connectors"], "expand=status").await?;
    let Some(connectors) = all.as_object().filter(|connectors| !connectors.is_empty()) else {
        printer::write("the worker has no connectors\n");
        return Ok(());
    };
    for (name, connector) in connectors {
        print!("{}", summary(name, &connector["status"]));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the status is this command's output")]
async fn status(worker: &Worker, name: &str) -> anyhow::Result<()> {
    let status = worker.ask(Method::GET, &["connectors", name, "status"], "").await?;
    print!("{}", summary(name, &status));
    let parts = std::iter::once(&status["connector"]).chain(status["tasks"].as_array().into_iter().flatten());
    for trace in parts.filter_map(|part| part["trace"].as_str()) {
        println!(
            "{}",
            trace.lines().map(|line| format!("    {}\n", shown(line))).collect::<String>().trim_end()
        );
    }
    Ok(())
}

/// A connector's line: its name, its state, and the states of its tasks.
fn summary(name: &str, status: &Value) -> String {
    let word = |part: &Value, key: &str| shown(part[key].as_str().unwrap_or("UNKNOWN"));
    let tasks = status["tasks"].as_array().into_iter().flatten();
    let tasks: Vec<String> =
        tasks.map(|task| format!("task {} {}", task["id"], word(task, "state"))).collect();
    let connector = &status["connector"];
    format!(
        "{}  {}  {}  on {}\n",
        shown(name),
        word(connector, "state"),
        if tasks.is_empty() { "no tasks".to_owned() } else { tasks.join(", ") },
        word(connector, "worker_id")
    )
}

/// Text of a worker, without anything that a terminal obeys.
fn shown(text: &str) -> String {
    text.chars()
        .map(
            |character| {
                if character.is_control() { character.escape_unicode().to_string() } else { character.into() }
            },
        )
        .collect::<String>()
        .replace("\\u{9}", "    ")
}

/// A worker's REST API.
struct Worker {
    client: Client,
    url: Url,
}

impl Worker {
    fn new(url: &str) -> anyhow::Result<Self> {
        let wrong = |why: &str| super::usage(format!("--url: {why}"), "write --url http://HOST:PORT");
        let url: Url = url.parse().map_err(|error| wrong(&format!("{error}")))?;
        if url.cannot_be_a_base() || !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("it is no address of a web server"));
        }
        // The client takes TLS from the process's provider; another one may be there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(LIMIT).build().context("no HTTP client")?;
        Ok(Self { client, url })
    }

    /// Sends a request; returns the JSON of its answer, null when it has none.
    async fn ask(&self, method: Method, path: &[&str], query: &str) -> anyhow::Result<Value> {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.iter().filter(|segment| !segment.is_empty()));
        }
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        let place = self.url.host_str().unwrap_or_default().to_owned();
        let answer = self.client.request(method, url).send().await;
        let answer = answer.map_err(|error| {
            anyhow::Error::new(error.without_url()).context(format!("the worker at {place} does not answer"))
        })?;
        let status = answer.status();
        let text = answer.text().await.map_err(reqwest::Error::without_url)?;
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            return Ok(body);
        }
        let message =
            body["message"].as_str().map_or_else(String::new, |message| format!(": {}", shown(message)));
        anyhow::bail!("the worker at {place} answered {status}{message}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_has_states_and_obeys_nothing() {
        let status = json!({
            "connector": {"state": "RUNNING", "worker_id": "127.0.0.1:8083"},
            "tasks": [{"id": 0, "state": "FAILED\u{1b}[2J", "trace": "x"}],
        });
        assert_eq!(summary("shop", &status), "shop  RUNNING  task 0 FAILED\\u{1b}[2J  on 127.0.0.1:8083\n");
        let stopped = json!({"connector": {"state": "STOPPED", "worker_id": "w"}, "tasks": []});
        assert_eq!(summary("shop", &stopped), "shop  STOPPED  no tasks  on w\n");
    }

    #[test]
    fn an_address_that_is_none_is_a_mistake_of_usage() {
        for url in ["localhost:8083", "ftp://x", "", "http://"] {
            assert!(Worker::new(url).is_err(), "{url}");
        }
        assert!(Worker::new("http://localhost:8083/prefix/").is_ok());
    }
}
