//! The parts this program plays in processes of its own, so that each one's CPU can be told apart.

pub mod dns;
pub mod load;
pub mod target;
pub mod users;

use clap::Subcommand;

use crate::anchors;

#[derive(Debug, Subcommand)]
pub enum Role {
    /// The world being checked: answers, hangs or fails by path, and keeps every arrival.
    Target(target::Options),
    /// A name server that answers every name with a loopback address and a TTL of nothing.
    Dns(dns::Options),
    /// Keep-alive GETs in a closed loop.
    Load(load::Options),
    /// The users service's feed of monitors, made up.
    Users(users::Options),
    /// Bare: a fresh connection and a GET, as fast as one core goes.
    FreshLoop(anchors::fresh::Options),
    /// Bare: a binary heap of due times and a fresh GET for each.
    HeapPinger(anchors::heap::Options),
    /// Bare: UNNEST into PostgreSQL and pipelined HSET of the same batch.
    RowsLoop(anchors::rows::Options),
    /// Bare: axum in front of one multiplexed Redis connection.
    ReadsServer(anchors::reads::Options),
}

impl Role {
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Target(options) => target::run(options).await,
            Self::Dns(options) => dns::run(options).await,
            Self::Load(options) => load::run(options).await,
            Self::Users(options) => users::run(options).await,
            Self::FreshLoop(options) => anchors::fresh::run(options).await,
            Self::HeapPinger(options) => anchors::heap::run(options).await,
            Self::RowsLoop(options) => anchors::rows::run(options).await,
            Self::ReadsServer(options) => anchors::reads::run(options).await,
        }
    }
}

/// What a loop reports when its time is over.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Count {
    pub operations: u64,
    pub errors: u64,
    /// Wall clock, seconds.
    pub seconds: f64,
    /// CPU of the loop's process, seconds.
    pub cpu_seconds: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub bytes: u64,
}

impl Count {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub fn cpu_ms_per_1000(&self) -> f64 {
        self.cpu_seconds * 1e6 / (self.operations.max(1) as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub fn rate(&self) -> f64 {
        self.operations as f64 / self.seconds.max(1e-9)
    }
}

/// A role is up: the port it listens on (0 where it has none).
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Ready {
    pub port: u16,
}

/// One line of JSON on standard output, at once.
pub fn say<T: serde::Serialize>(value: &T) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// Microseconds since the Unix epoch: arrivals are compared with slots, which are wall-clock instants.
#[expect(clippy::disallowed_methods, reason = "a measurement's own clock, finer than the product's milliseconds")]
pub fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
