//! Kafka Connect's REST interface, one file for each group of paths.
//!
//! A path answers its methods, `OPTIONS` with a list of them, and 405 for the others. The order of the checks is that of
//! Connect's server: the form of the path (400), whether there is such a path (404), the method (405), the type of the body
//! (415), the type that the client takes (406).

mod body;
mod config;
mod connectors;
mod health;
mod lifecycle;
mod loggers;
mod negotiation;
mod offsets;
mod plugins;
mod tasks;
mod topics;
mod uri;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post, put};
use serde_json::Value;

use crate::{Access, Fault, Worker};

/// What a handler knows.
type Shared = axum::extract::State<Arc<Worker>>;

/// The REST interface of a worker. `most_bytes`: how long a body may be. `beside`: further paths, for the same clients.
///
/// ```no_run
/// # async fn example(worker: std::sync::Arc<pgcdc_connect::Worker>) {
/// use pgcdc_connect::{Access, router};
/// let app = router(worker, Access::open(), 1 << 20, axum::Router::new());
/// # drop(app);
/// # }
/// ```
pub fn router(worker: Arc<Worker>, access: Access, most_bytes: usize, beside: Router) -> Router {
    let access = Arc::new(access);
    let routes = Router::new().merge(connectors()).merge(plugins()).merge(others());
    let routes = routes
        .fallback(|| async { Fault::http(StatusCode::NOT_FOUND) })
        .layer(DefaultBodyLimit::max(most_bytes))
        .with_state(worker);
    // A layer of the routes themselves would see a path after its route was looked up.
    beside
        .fallback_service(routes)
        .layer(from_fn(uri::check))
        .layer(from_fn(move |request, next| negotiation::authorized(Arc::clone(&access), request, next)))
}

type Routes = Router<Arc<Worker>>;

fn connectors() -> Routes {
    let names = get(connectors::list).post(connectors::create);
    let one = get(connectors::get).delete(connectors::delete);
    let config = get(config::get).put(config::put).patch(config::patch);
    let offsets = get(offsets::get).patch(offsets::alter).delete(offsets::reset);
    Router::new()
        .route("/connectors", resource("HEAD,POST,GET,OPTIONS", names))
        .route("/connectors/{name}", resource("HEAD,DELETE,GET,OPTIONS", one))
        .route("/connectors/{name}/config", resource("HEAD,PATCH,GET,OPTIONS,PUT", config))
        .route("/connectors/{name}/status", resource("HEAD,GET,OPTIONS", get(tasks::status)))
        .route("/connectors/{name}/tasks", resource("HEAD,GET,OPTIONS", get(tasks::list)))
        .route("/connectors/{name}/tasks/{id}/status", resource("HEAD,GET,OPTIONS", get(tasks::task_status)))
        .route(
            "/connectors/{name}/tasks/{id}/restart",
            resource("POST,OPTIONS", post(lifecycle::restart_task)),
        )
        .route("/connectors/{name}/pause", resource("OPTIONS,PUT", put(lifecycle::pause)))
        .route("/connectors/{name}/resume", resource("OPTIONS,PUT", put(lifecycle::resume)))
        .route("/connectors/{name}/stop", resource("OPTIONS,PUT", put(lifecycle::stop)))
        .route("/connectors/{name}/restart", resource("POST,OPTIONS", post(lifecycle::restart)))
        .route("/connectors/{name}/offsets", resource("HEAD,DELETE,PATCH,GET,OPTIONS", offsets))
        .route("/connectors/{name}/topics", resource("HEAD,GET,OPTIONS", get(topics::get)))
        .route("/connectors/{name}/topics/reset", resource("OPTIONS,PUT", put(topics::reset)))
}

fn plugins() -> Routes {
    let validate = put(plugins::validate);
    Router::new()
        .route("/connector-plugins", resource("HEAD,GET,OPTIONS", get(plugins::list)))
        .route("/connector-plugins/{class}/config", resource("HEAD,GET,OPTIONS", get(plugins::config)))
        .route("/connector-plugins/{class}/config/validate", resource("OPTIONS,PUT", validate))
}

fn others() -> Routes {
    let logger = get(loggers::get).put(loggers::set);
    Router::new()
        .route("/", resource("HEAD,GET,OPTIONS", get(health::root)))
        .route("/health", resource("HEAD,GET,OPTIONS", get(health::health)))
        .route("/admin/loggers", resource("HEAD,GET,OPTIONS", get(loggers::list)))
        .route("/admin/loggers/{logger}", resource("HEAD,GET,OPTIONS,PUT", logger))
}

/// A path with its methods. `allow` is Connect's answer to `OPTIONS`.
fn resource(allow: &'static str, methods: MethodRouter<Arc<Worker>>) -> MethodRouter<Arc<Worker>> {
    let options = move || async move {
        let body = allow.replace(',', ", ");
        ([("allow", allow), ("content-type", "text/plain")], body)
    };
    methods
        .options(options)
        .route_layer(from_fn(negotiation::types))
        .fallback(|| async { Fault::http(StatusCode::METHOD_NOT_ALLOWED) })
}

/// An answer with a JSON body.
struct Reply(StatusCode, Value);

impl Reply {
    fn ok(body: Value) -> Result<Self, Fault> {
        Ok(Self(StatusCode::OK, body))
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let Self(status, body) = self;
        (status, [("content-type", "application/json")], body.to_string()).into_response()
    }
}

/// What a handler answers with.
type Answer = Result<Reply, Fault>;
