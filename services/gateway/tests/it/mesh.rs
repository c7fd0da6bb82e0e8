//! A gateway in this process, with a corner of the real PostgreSQL and Redis.

use std::collections::HashMap;
use std::time::Duration;

use cache::{Cache, LiveResult, LiveWrite};
use model::history::{Block, BlockKey, Entry, hour_of};
use model::{Millis, Monitor, Outcome, Region, Schedule};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use service::{Context, Env, Process};
use testkit::{Stack, eventually};

use crate::users::{ADMIN, Users};

pub struct Mesh {
    pub stack: Stack,
    pub url: String,
    pub http: reqwest::Client,
    process: Process,
}

pub fn now() -> Millis {
    model::Clock::now_ms(&model::SystemClock)
}

pub fn local() -> Region {
    "local".parse().expect("a region")
}

/// The smallest settings of a monitor.
pub fn spec(name: &str) -> Value {
    json!({"name": name, "probe": {"kind": "http", "url": "http://127.0.0.1:9/"}, "interval_seconds": 10, "timeout_ms": 1000})
}

impl Mesh {
    pub async fn start() -> Self {
        Self::with(&[], Users::start().await).await
    }

    /// With other settings, and monitors that are there already.
    pub async fn with(settings: &[(&str, &str)], users: Users) -> Self {
        Self::on(Stack::new(), settings, users).await
    }

    /// Where something may be stored already.
    pub async fn on(stack: Stack, settings: &[(&str, &str)], users: Users) -> Self {
        let mut env: HashMap<String, String> = stack.environment().await;
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let own = [("USERS_URL", users.url.clone()), ("GATEWAY_ADDR", format!("127.0.0.1:{port}"))];
        env.extend(own.map(|(name, value)| (name.to_owned(), value)));
        env.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let process = Process::new();
        let ctx = Context::new("gateway", Env::from_map(env), &process);
        gateway::start(ctx).await.expect("the gateway starts");
        let http = directory::http::client(Duration::from_secs(10)).expect("a client");
        let mesh = Self { stack, url: format!("http://127.0.0.1:{port}"), http, process };
        let ready = || async { (mesh.get("/api/system").await.1["config_age_ms"].is_number()).then_some(()) };
        eventually("the configuration", Duration::from_secs(10), ready).await;
        mesh
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// As the admin: status and JSON.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.get_as(ADMIN, path).await
    }

    pub async fn get_as(&self, token: &str, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path).bearer_auth(token)).await
    }

    pub async fn send(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        answer(self.request(method, path).bearer_auth(ADMIN).json(body)).await
    }

    pub async fn cache(&self) -> Cache {
        self.stack.cache().await
    }

    pub fn drain(&self) {
        self.process.shutdown().cancel();
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        self.drain();
    }
}

pub async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    let body = response.bytes().await.expect("a body");
    (status, serde_json::from_slice(&body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&body))))
}

/// The latest result the processor would keep.
pub fn result(slot: Millis, outcome: Outcome) -> LiveResult {
    LiveResult {
        slot,
        outcome,
        cause: (outcome == Outcome::Down).then_some(model::Cause::ConnectionRefused),
        detail: None,
        latency_us: Some(1200),
        status: None,
        certificate_expires_at: None,
        started_at: slot + 3,
        revision: 1,
    }
}

/// Every slot of a monitor in `[from, to)` came to `outcome`: as blocks, by hour.
pub fn blocks(monitor: &Monitor, from: Millis, to: Millis, outcome: Outcome) -> Vec<(BlockKey, Block)> {
    let schedule = Schedule::new(monitor.id, &local(), i64::from(monitor.spec.interval_seconds) * 1000);
    let mut blocks: std::collections::BTreeMap<Millis, Block> = std::collections::BTreeMap::new();
    for slot in schedule.slots(from, to) {
        blocks.entry(hour_of(slot)).or_default().insert(Entry::new(slot - hour_of(slot), outcome, Some(1200)));
    }
    blocks.into_iter().map(|(hour, block)| (BlockKey { monitor: monitor.id, region: local(), hour }, block)).collect()
}

/// Puts live state into Redis as the processor does: the hour's block, its counts, the newest result.
pub async fn write_live(cache: &Cache, monitor: &Monitor, from: Millis, to: Millis, outcome: Outcome) {
    let blocks = blocks(monitor, from, to, outcome);
    let newest = blocks.last().and_then(|(key, block)| block.samples(key.hour).next_back()).map(|sample| sample.slot);
    let writes: Vec<LiveWrite> = blocks
        .iter()
        .filter(|(key, _)| Cache::keeps_block(key.hour, now()))
        .map(|(key, block)| LiveWrite {
            monitor: monitor.id,
            region: local(),
            hour: key.hour,
            expected: bytes::Bytes::new(),
            block: block.encode().into(),
            counts: block.counts(),
            latest: newest.map(|slot| serde_json::to_vec(&result(slot, outcome)).expect("JSON").into()),
        })
        .collect();
    for outcome in cache.write_live(&writes).await.expect("written") {
        assert!(outcome.conflict.is_none());
    }
}

/// The alerter's verdict, in Redis.
pub async fn write_verdict(cache: &Cache, monitor: &Monitor, verdict: &Value) {
    let mut set = cache::redis::cmd("SET");
    set.arg(cache.keys().verdict(monitor.id)).arg(verdict.to_string()).arg("EX").arg(600);
    cache.query::<()>(&set).await.expect("written");
}
