//! A farm of virtual targets on one port: `/<name>` answers as the test says, and every visit is kept.
//! The farm is the truth about what was up when, and about what was really checked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use model::Millis;
use tokio::task::JoinHandle;

use crate::now;

/// One check that reached a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    pub at: Millis,
    /// With which status it was answered.
    pub status: u16,
}

#[derive(Default)]
struct Fields {
    down: HashMap<String, bool>,
    visits: HashMap<String, Vec<Visit>>,
}

type Shared = Arc<Mutex<Fields>>;

/// The running farm; stops when dropped.
pub struct Farm {
    pub address: SocketAddr,
    fields: Shared,
    server: JoinHandle<()>,
}

impl Farm {
    pub async fn start() -> Self {
        let fields = Shared::default();
        let app = Router::new().route("/{name}", axum::routing::any(visit)).with_state(Arc::clone(&fields));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move { axum::serve(listener, app).await.expect("the farm runs") });
        Self { address, fields, server }
    }

    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// From the next request on.
    pub fn set_down(&self, name: &str, down: bool) {
        self.fields.lock().unwrap_or_else(PoisonError::into_inner).down.insert(name.to_owned(), down);
    }

    pub fn visits(&self, name: &str) -> Vec<Visit> {
        self.fields.lock().unwrap_or_else(PoisonError::into_inner).visits.get(name).cloned().unwrap_or_default()
    }

    /// Waits for a visit after now; panics after `deadline`.
    pub async fn next_visit(&self, name: &str, deadline: Duration) -> Visit {
        let before = self.visits(name).len();
        testkit::eventually(&format!("a check of {name}"), deadline, || async { self.visits(name).get(before).copied() }).await
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn visit(State(fields): State<Shared>, Path(name): Path<String>) -> impl IntoResponse {
    let mut fields = fields.lock().unwrap_or_else(PoisonError::into_inner);
    let down = fields.down.get(&name).copied().unwrap_or(false);
    let status = if down { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    fields.visits.entry(name).or_default().push(Visit { at: now(), status: status.as_u16() });
    (status, if down { "down" } else { "ok" })
}
