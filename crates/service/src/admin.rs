//! The admin port: is it alive, may it take traffic, what does it count.

use std::net::SocketAddr;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use prometheus::TextEncoder;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::connections::{self, Room};
use crate::{Context, Env, Error};

/// Ports of the services when `ADMIN_ADDR` is not set; the design fixes them.
const PORTS: [(&str, u16); 5] = [("pinger", 9100), ("processor", 9101), ("alerter", 9102), ("gateway", 9103), ("users", 9104)];

/// Connections at once: an orchestrator, a few that collect metrics, a person who looks.
const CONNECTIONS: usize = 64;

/// Where the admin port of `service` listens.
pub(crate) fn address(service: &str, env: &Env) -> Result<SocketAddr, Error> {
    let port = PORTS.iter().find(|(name, _)| *name == service).map_or(0, |(_, port)| *port);
    Ok(env.or("ADMIN_ADDR", SocketAddr::from(([127, 0, 0, 1], port)))?)
}

/// Serves until the process ends, through the drain too: an orchestrator asks `/ready` exactly then.
pub(crate) async fn start(ctx: &Context) -> Result<(), Error> {
    let address = address(ctx.name(), ctx.env())?;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| ctx.env().reject("ADMIN_ADDR", format!("cannot listen on {address}: {error}"), Some("127.0.0.1:0")))?;
    tracing::info!(service = ctx.name(), address = %listener.local_addr()?, "admin port listens");
    serve(ctx, listener)
}

fn serve(ctx: &Context, listener: TcpListener) -> Result<(), Error> {
    let (app, room) = (router(ctx.clone()), Room::new(ctx, "admin", CONNECTIONS)?);
    tokio::spawn(async move {
        if let Err(error) = connections::serve(listener, app, room, &CancellationToken::new()).await {
            tracing::error!(%error, "the admin port stopped");
        }
    });
    Ok(())
}

fn router(ctx: Context) -> Router {
    Router::new()
        .route("/health", get(|| async { Json(serde_json::json!({ "status": "ok", "version": crate::VERSION })) }))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(ctx)
}

async fn ready(State(ctx): State<Context>) -> Response {
    let readiness = ctx.readiness();
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}

async fn metrics(State(ctx): State<Context>) -> Response {
    match TextEncoder::new().encode_to_string(&ctx.metrics().gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => crate::Problem::internal(&error).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tower::ServiceExt;

    use super::*;
    use crate::Process;

    async fn get(ctx: &Context, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router(ctx.clone()).oneshot(request).await.unwrap();
        let status = response.status();
        (status, String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn ready_follows_latches_and_the_drain_while_health_stays() {
        let ctx = Context::new("pinger", Env::from_pairs([("A", "1")]), &Process::new());
        let latch = ctx.latch("kafka");
        ctx.set_started();
        assert_eq!(
            get(&ctx, "/ready").await,
            (StatusCode::SERVICE_UNAVAILABLE, r#"{"ready":false,"draining":false,"waiting":["kafka"]}"#.into())
        );
        latch.set();
        assert_eq!(get(&ctx, "/ready").await.0, StatusCode::OK);
        ctx.set_draining();
        assert_eq!(get(&ctx, "/ready").await.0, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(get(&ctx, "/health").await.0, StatusCode::OK);
    }

    #[tokio::test(start_paused = true)]
    async fn silent_connections_do_not_keep_out_who_asks() {
        let ctx = Context::new("pinger", Env::from_pairs([("A", "1")]), &Process::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        serve(&ctx, listener).unwrap();
        let mut silent = Vec::new();
        for _ in 0..CONNECTIONS {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let mut asking = TcpStream::connect(address).await.unwrap();
        asking.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        tokio::time::timeout(Duration::from_secs(60), asking.read_to_string(&mut text)).await.expect("a place").unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        let hung_up_on = tokio::time::timeout(Duration::from_secs(60), silent[0].read(&mut [0])).await.expect("a deadline");
        assert!(hung_up_on.is_ok_and(|read| read == 0));
        let (_, shown) = get(&ctx, "/metrics").await;
        assert!(shown.contains(r#"http_connections_full_total{port="admin"} 1"#), "{shown}");
    }

    #[tokio::test]
    async fn metrics_name_the_build_and_the_process() {
        let ctx = Context::new("pinger", Env::from_pairs([("A", "1")]), &Process::new());
        let (status, text) = get(&ctx, "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains(r#"upmesh_build_info{service="pinger",version="#), "{text}");
        let resident = text.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes ")).unwrap();
        assert!(resident.parse::<u64>().unwrap() > 1_000_000, "{resident}");
    }
}
