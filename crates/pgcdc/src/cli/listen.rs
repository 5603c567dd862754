//! `--listen`: metrics, health and status over HTTP beside a command.

use std::time::Duration;

use clap::Args;
use pgcdc_capture::Status;
use pgcdc_capture::metrics::Registry;
use pgcdc_watch::{Kind, Watch, serve};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Where a command may be watched.
#[derive(Clone, Debug, Args)]
pub(crate) struct Listen {
    /// Serve /metrics, /healthz, /readyz and /status on this address.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,

    /// Answer 503 on /readyz once a failure has lasted longer than this.
    #[arg(long, value_name = "SECONDS", value_parser = super::seconds, default_value = "60", requires = "listen")]
    unready_after: Duration,
}

/// A command that is watched, until this value is dropped.
#[derive(Debug)]
pub(crate) struct Listening {
    registry: Registry,
    watch: Watch,
    server: Option<JoinHandle<()>>,
}

impl Listen {
    /// Opens the port, if one is wanted, and serves what is added later. The port is opened before anything else, so that one
    /// that is taken touches no service.
    pub(crate) async fn start(&self) -> anyhow::Result<Listening> {
        let registry = Registry::new();
        let watch = Watch::new(registry.clone(), self.unready_after);
        let server = match &self.listen {
            Some(address) => {
                let listener = TcpListener::bind(address).await.map_err(|error| refused(address, &error))?;
                let router = watch.router_with_index();
                let address = listener.local_addr()?;
                tracing::info!(%address, "metrics, health and status are served");
                Some(tokio::spawn(async move {
                    serve(listener, router).await;
                }))
            }
            None => None,
        };
        Ok(Listening { registry, watch, server })
    }
}

impl Listening {
    /// What is watched counts here.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Shows a connector or a sink, too.
    pub(crate) fn add(&self, kind: Kind, name: &str, status: Status) {
        self.watch.add(kind, name, status);
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

fn refused(address: &str, error: &std::io::Error) -> anyhow::Error {
    let hint = match error.kind() {
        std::io::ErrorKind::AddrInUse => "another process listens there: give --listen another port",
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege: take one above",
        _ => "write --listen HOST:PORT with an address of this machine, for instance 127.0.0.1:9464",
    };
    super::usage(format!("--listen {address}: {error}"), hint)
}
