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
    clippy::indexing_slicing,
    reason = "a rig that cannot go on says why and stops; it tells its progress"
)]

mod dns;
mod group;
mod history;
mod log;
mod proxy;
mod report;
mod row;
mod rows;
mod seed;
mod table;
mod users;
mod victim;

pub use proxy::{Proxy, Trouble};
pub use report::document;
pub use row::Row;
pub use seed::Seed;
pub use table::run;

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    pub seed: u64,
    /// The table ends about then; on two cores not before twelve, which is what rows with a length of their own take.
    pub minutes: f64,
    /// Only the groups named (latency, alerts, processing, changes, cuts, stores or single rows of it, poison, outage, network, rolls, channels,
    /// absence, replicas, replay, transport, mesh); empty means all.
    pub only: Vec<String>,
    /// Few trials of each: for `make test`.
    pub short: bool,
}
