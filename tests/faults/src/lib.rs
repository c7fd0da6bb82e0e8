//! The instrument: real binaries, real Kafka, PostgreSQL and Redis on loopback; processes that die exactly
//! between an effect and its record, stores and channels that misbehave; and an oracle that waits for quiet
//! and compares what happened with what is told, as sets. Everything random follows from one printed seed.
//!
//! Signals go only to processes this program started. The binaries must be built with
//! `--features service/failpoints` (`scripts/faults` and `scripts/test` do).

#![expect(
    clippy::missing_panics_doc,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a rig that cannot go on says why and stops; it tells its progress"
)]

mod group;
mod log;
mod row;
mod rows;
mod seed;
mod victim;

use std::time::{Duration, Instant};

pub use row::Row;
pub use seed::Seed;

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    pub seed: u64,
    /// The table ends about then.
    pub minutes: f64,
    /// Only rows whose group is named; empty means all.
    pub only: Vec<String>,
    /// Few trials, each kind once: for `make test`.
    pub short: bool,
}

/// Runs the table; the rows in its order.
pub async fn run(options: &Options) -> Vec<Row> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let seed = Seed::new(options.seed);
    let began = Instant::now();
    let mut rows = Vec::new();
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    let until = |share: f64| began + Duration::from_secs_f64(options.minutes * 60.0 * share);
    if wanted("alerts") {
        eprintln!("alerter: crash points × channels");
        rows.extend(rows::alerts::run(&seed, until(0.4), if options.short { 14 } else { u64::MAX }).await);
    }
    rows
}
