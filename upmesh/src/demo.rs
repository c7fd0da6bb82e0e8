//! `upmesh demo`: a small shop to watch, served by the command itself, with a switch that takes it down.

use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use clap::Args;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use service::Error;
use tokio::net::TcpListener;

use crate::api::{Access, Api};

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    access: Access,
    /// Where the sample targets listen. The mesh must be allowed to check it (`ALLOWED_TARGET_NETWORKS`).
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Leave the sample monitors in the mesh at the end.
    #[arg(long)]
    keep: bool,
}

#[derive(Deserialize)]
struct Created {
    id: String,
}

#[derive(Deserialize)]
struct Listed {
    monitors: Vec<ListedMonitor>,
}

#[derive(Deserialize)]
struct ListedMonitor {
    id: String,
    spec: NamedSpec,
}

#[derive(Deserialize)]
struct NamedSpec {
    name: String,
}

/// The switch: true while the shop works.
type Shop = Arc<AtomicBool>;

/// Serves the targets and keeps the sample monitors until Ctrl-C.
pub async fn run(options: Options) -> Result<(), Error> {
    let shop: Shop = Arc::new(AtomicBool::new(true));
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|error| Error::msg(format!("cannot listen on {}: {error}; choose another with --listen", options.listen)))?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(axum::serve(listener, router(Arc::clone(&shop))).into_future());
    let result = options.access.session(async |api| show(api, address, shop, options.keep).await).await;
    server.abort();
    result
}

async fn show(api: &Api, address: SocketAddr, shop: Shop, keep: bool) -> Result<(), Error> {
    let mut ids = Vec::new();
    let mut result = add(api, address, &mut ids).await;
    if result.is_ok() {
        greet(api, address);
        listen_to_keyboard(shop);
        result = tokio::signal::ctrl_c().await.map_err(Error::from);
    }
    if !keep {
        // Whatever becomes of one, the others are removed, too.
        for id in &ids {
            result = result.and(api.remove(&format!("/api/monitors/{id}")).await);
        }
        say("sample monitors removed");
    }
    result
}

/// Creates the samples, or finds those of an earlier run.
async fn add(api: &Api, address: SocketAddr, ids: &mut Vec<String>) -> Result<(), Error> {
    let existing: Listed = api.get("/api/monitors?limit=200&search=Demo").await?;
    for spec in samples(address) {
        let name = spec["name"].as_str().unwrap_or_default();
        if let Some(found) = existing.monitors.iter().find(|monitor| monitor.spec.name == name) {
            api.call::<Value>(Method::PUT, &format!("/api/monitors/{}", found.id), Some(&spec)).await?;
            ids.push(found.id.clone());
        } else {
            ids.push(api.call::<Created>(Method::POST, "/api/monitors", Some(&spec)).await?.id);
        }
    }
    Ok(())
}

fn samples(address: SocketAddr) -> Vec<Value> {
    let http = |name: &str, path: &str, assertions: Value| {
        json!({
            "name": name,
            "probe": { "kind": "http", "url": format!("http://{address}{path}") },
            "interval_seconds": 10,
            "timeout_ms": 5000,
            "assertions": assertions,
            "tags": { "demo": "yes" },
        })
    };
    vec![
        http("Demo: shop", "/shop", json!([{ "kind": "body_contains", "text": "open" }])),
        http("Demo: search", "/search", json!([{ "kind": "latency", "max_ms": 200 }])),
        http("Demo: moved page", "/moved", json!([])),
        json!({
            "name": "Demo: port",
            "probe": { "kind": "tcp", "host": host(address.ip()), "port": address.port() },
            "interval_seconds": 10,
            "timeout_ms": 2000,
            "tags": { "demo": "yes" },
        }),
    ]
}

/// As in a URL: an IPv6 address in brackets.
fn host(address: IpAddr) -> String {
    if address.is_ipv6() { format!("[{address}]") } else { address.to_string() }
}

fn greet(api: &Api, address: SocketAddr) {
    say(&format!("four sample monitors run, every 10 s: {}", api.url()));
    say(&format!("the switch: http://{address}/ — or press Enter here — takes the shop down and up again"));
    say("an incident opens after two failed checks; Ctrl-C ends the demonstration");
}

/// Enter turns the switch. Where nobody types, only the page does.
fn listen_to_keyboard(shop: Shop) {
    if std::io::stdin().is_terminal() {
        // A thread of its own: a read of the terminal cannot be cancelled, and it ends with the process.
        std::thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).for_each(|_| turn(&shop)));
    }
}

fn turn(shop: &Shop) {
    let open = !shop.fetch_xor(true, Ordering::SeqCst);
    say(if open { "the shop is up again" } else { "the shop is down" });
}

fn router(shop: Shop) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/switch", post(switch))
        .route("/shop", get(visit))
        .route("/search", get(search))
        .route("/moved", get(|| async { Redirect::temporary("/search") }))
        .with_state(shop)
}

async fn page(State(shop): State<Shop>) -> Html<String> {
    let (state, action) = if shop.load(Ordering::SeqCst) { ("open", "Take it down") } else { ("down", "Bring it back") };
    Html(include_str!("demo.html").replace("{state}", state).replace("{action}", action))
}

/// Only our own page may turn the switch, not a link on another site.
async fn switch(State(shop): State<Shop>, headers: HeaderMap) -> Response {
    if headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return StatusCode::FORBIDDEN.into_response();
    }
    turn(&shop);
    Redirect::to("/").into_response()
}

async fn visit(State(shop): State<Shop>) -> (StatusCode, &'static str) {
    if shop.load(Ordering::SeqCst) { (StatusCode::OK, "the shop is open") } else { (StatusCode::SERVICE_UNAVAILABLE, "the shop is down") }
}

/// Answers after 20 to 120 ms, so that the latency chart has something to draw.
async fn search() -> &'static str {
    tokio::time::sleep(Duration::from_millis(rand::random_range(20..120))).await;
    "found"
}

fn say(text: &str) {
    #[expect(clippy::print_stdout, reason = "the command's answer to a person")]
    {
        println!("{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_a_valid_monitor() {
        for sample in samples(SocketAddr::from(([127, 0, 0, 1], 8090))) {
            let spec: model::MonitorSpec = serde_json::from_value(sample).unwrap();
            assert_eq!(model::monitor::validate(&spec), [], "{}", spec.name);
        }
    }

    #[test]
    fn the_switch_turns_both_ways() {
        let shop: Shop = Arc::new(AtomicBool::new(true));
        turn(&shop);
        assert!(!shop.load(Ordering::SeqCst));
        turn(&shop);
        assert!(shop.load(Ordering::SeqCst));
    }
}
