//! Bare gateway: axum on one thread in front of one multiplexed Redis connection. `/one/<n>` is a GET of
//! one key, `/many` an MGET of a hundred; the stored JSON goes out as it is.

use std::net::Ipv4Addr;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use deadpool_redis::redis::{self, AsyncCommands};

use crate::roles::{Ready, say};

#[derive(Debug, clap::Args)]
pub struct Options {
    #[arg(long)]
    pub redis: String,
    #[arg(long)]
    pub prefix: String,
    /// Keys that `/many` reads.
    #[arg(long, default_value_t = 100)]
    pub many: u32,
}

#[derive(Clone)]
struct Shared {
    redis: redis::aio::MultiplexedConnection,
    prefix: std::sync::Arc<str>,
    keys: std::sync::Arc<Vec<String>>,
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    let redis = redis::Client::open(options.redis.as_str())?.get_multiplexed_async_connection().await?;
    let keys: Vec<String> = (0..options.many).map(|n| format!("{}:bare:{n}", options.prefix)).collect();
    let mut writer = redis.clone();
    for (n, key) in keys.iter().enumerate() {
        writer.set::<_, _, ()>(key, sample(n)).await?;
    }
    let shared = Shared { redis, prefix: options.prefix.into(), keys: std::sync::Arc::new(keys) };
    let app = Router::new().route("/one/{n}", get(one)).route("/many", get(many)).with_state(shared);
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    say(&Ready { port: listener.local_addr()?.port() })?;
    Ok(axum::serve(listener, app).await?)
}

/// A status of 107 bytes, as the reference measured.
fn sample(n: usize) -> String {
    format!(
        r#"{{"id":"{n:08}","state":"up","since":1760000000000,"last_check":1760000059000,"latency_us":{:06},"uptime":0.99950}}"#,
        n * 37
    )
}

async fn one(State(shared): State<Shared>, Path(n): Path<u32>) -> Response {
    let mut redis = shared.redis.clone();
    match redis.get::<_, Option<String>>(format!("{}:bare:{n}", shared.prefix)).await {
        Ok(Some(value)) => ([(header::CONTENT_TYPE, "application/json")], value).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn many(State(shared): State<Shared>) -> Response {
    let mut redis = shared.redis.clone();
    match redis.mget::<_, Vec<Option<String>>>(shared.keys.as_slice()).await {
        Ok(values) => {
            let body = format!("[{}]", values.into_iter().flatten().collect::<Vec<_>>().join(","));
            ([(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
