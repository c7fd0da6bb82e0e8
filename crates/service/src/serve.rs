//! The HTTP server of a service: every request counted and traced, bodies under a limit, connections as in `connections.rs`.

use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use crate::connections::{self, Room};
use crate::context::panic_message;
use crate::{Context, Error, Problem, trace};

/// Connections served at once; more wait to be accepted.
const CONNECTIONS: usize = 10_000;
/// Largest request body, in bytes; a route that needs more sets its own `DefaultBodyLimit`.
const BODY_LIMIT: usize = 1 << 20;

/// Serves `router` on `listener` until shutdown, then lets open requests finish. Handlers find the client's address as
/// `ConnectInfo<SocketAddr>`.
pub async fn serve(ctx: Context, listener: TcpListener, router: Router) -> Result<(), Error> {
    let metrics = HttpMetrics::register(&ctx)?;
    let watch = Watch { metrics, shutdown: ctx.shutdown().clone() };
    let app =
        router.layer(from_fn_with_state(watch, observe)).layer(CatchPanicLayer::custom(panicked)).layer(DefaultBodyLimit::max(BODY_LIMIT));
    let room = Room::new(&ctx, "service", CONNECTIONS)?;
    tracing::info!(address = %listener.local_addr()?, "listens");
    connections::serve(listener, app, room, ctx.shutdown()).await
}

#[derive(Clone)]
struct HttpMetrics {
    requests: IntCounterVec,
    seconds: HistogramVec,
}

impl HttpMetrics {
    fn register(ctx: &Context) -> Result<Self, Error> {
        let labels = ["method", "route", "status"];
        let requests = IntCounterVec::new(Opts::new("http_requests_total", "HTTP requests answered."), &labels)?;
        let buckets = vec![0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
        let opts = HistogramOpts::new("http_request_duration_seconds", "Time until the answer's head, in seconds.").buckets(buckets);
        let seconds = HistogramVec::new(opts, &["method", "route"])?;
        ctx.metrics().register(Box::new(requests.clone()))?;
        ctx.metrics().register(Box::new(seconds.clone()))?;
        Ok(Self { requests, seconds })
    }
}

#[derive(Clone)]
struct Watch {
    metrics: HttpMetrics,
    shutdown: CancellationToken,
}

/// A span and two metrics per request; while draining, clients are asked to take their next one elsewhere. The route is the
/// pattern, never the path, so labels stay bounded.
async fn observe(State(Watch { metrics, shutdown }): State<Watch>, request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("none", MatchedPath::as_str);
    let method = method_label(request.method());
    let span = tracing::info_span!("request", method, route);
    if let Some(parent) = request.headers().get(trace::TRACEPARENT).and_then(|value| value.to_str().ok()) {
        trace::follow(&span, parent);
    }
    let begin = Instant::now();
    let mut response = next.run(request).instrument(span).await;
    metrics.seconds.with_label_values(&[method, route]).observe(begin.elapsed().as_secs_f64());
    metrics.requests.with_label_values(&[method, route, response.status().as_str()]).inc();
    if shutdown.is_cancelled() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn method_label(method: &axum::http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the signature tower-http asks for")]
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!(panic = panic_message(panic.as_ref()), "a request panicked");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the error was logged").into_response()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use axum::extract::ConnectInfo;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::{Env, Process};

    #[tokio::test]
    async fn open_requests_finish_and_new_connections_are_refused_while_draining() {
        let process = Process::new();
        let ctx = Context::new("gateway", Env::from_pairs([("A", "1")]), &process);
        let router = Router::new()
            .route(
                "/slow",
                get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    format!("done for {}", peer.ip())
                }),
            )
            .route("/panic", get(|| async { assert_eq!(1, 2, "boom") }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(ctx.clone(), listener, router));
        let read = |path: &'static str| async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await?;
            let mut text = String::new();
            stream.read_to_string(&mut text).await?;
            Ok::<_, std::io::Error>(text)
        };
        let panic = read("/panic").await.unwrap();
        assert!(panic.starts_with("HTTP/1.1 500") && panic.contains("application/problem+json"), "{panic}");
        let open = tokio::spawn(read("/slow"));
        let mut kept = TcpStream::connect(address).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        process.shutdown().cancel();
        // A connection that is kept is answered once more, and told that this was the last.
        kept.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut last = String::new();
        kept.read_to_string(&mut last).await.unwrap();
        assert!(last.starts_with("HTTP/1.1 200") && last.contains("connection: close"), "{last}");
        assert!(open.await.unwrap().unwrap().ends_with("done for 127.0.0.1"));
        server.await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
        let shown = prometheus::TextEncoder::new().encode_to_string(&ctx.metrics().gather()).unwrap();
        assert!(shown.contains(r#"http_requests_total{method="GET",route="/slow",status="200"} 2"#), "{shown}");
    }
}
