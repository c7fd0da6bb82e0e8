//! With a collector configured, one trace spans a check, its way into history and the alert it causes.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use bytes::Bytes;
use system_tests::{Farm, Mesh, Plan, Slack, monitor};
use testkit::eventually;

/// What services exported, as it came.
type Exported = Arc<Mutex<Vec<Bytes>>>;

/// An OTLP collector that keeps everything; gives its endpoint.
async fn collector() -> (String, Exported) {
    let exported = Exported::default();
    let keep = |State(exported): State<Exported>, body: Bytes| async move { exported.lock().expect("no panic").push(body) };
    let app = Router::new().route("/v1/traces", post(keep)).with_state(Arc::clone(&exported));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (endpoint, exported)
}

/// Trace ids of the spans that `service` exported. In OTLP's protobuf a span begins with its trace id (field 1, 16 bytes)
/// and its own id (field 2, 8 bytes).
fn traces_of(exported: &Exported, service: &str) -> BTreeSet<[u8; 16]> {
    let bodies = exported.lock().expect("no panic").clone();
    let mut found = BTreeSet::new();
    for body in bodies.iter().filter(|body| body.windows(service.len()).any(|window| window == service.as_bytes())) {
        for window in body.windows(20) {
            if window[..2] == [0x0a, 16] && window[18..] == [0x12, 8] {
                found.extend(<[u8; 16]>::try_from(&window[2..18]));
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_spans_the_check_the_history_and_the_alert() {
    let _alone = crate::alone().await;
    let farm = Farm::start().await;
    let slack = Slack::start().await;
    let (endpoint, exported) = collector().await;
    let settings = vec![("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), endpoint)];
    let mesh = Mesh::start(Plan { slack: Some(slack.url()), settings, ..Plan::default() }).await;
    let api = mesh.login().await;
    farm.set_down("traced", true);
    api.create(monitor("traced", &farm.url("traced"))).await;
    eventually("the message that it is down", Duration::from_secs(60), || async { slack.about("traced").first().cloned() }).await;
    eventually("one trace in three services", Duration::from_secs(30), || async {
        let of = |service| traces_of(&exported, service);
        let (pinger, processor, alerter) = (of("pinger"), of("processor"), of("alerter"));
        let common = pinger.iter().filter(|trace| processor.contains(*trace) && alerter.contains(*trace)).count();
        (common > 0).then_some(())
    })
    .await;
}
