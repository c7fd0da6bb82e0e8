//! The whole mesh, started as a user would start it: the real binaries as processes of their own, against
//! real PostgreSQL, Redis and Apache Kafka. The truth about targets and messages is kept outside the mesh,
//! by the [`Farm`] and the [`Slack`] of this crate, so that a test compares what happened with what is told.

#![expect(
    clippy::missing_panics_doc,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on says why and stops"
)]

mod api;
mod balancer;
mod broker;
mod farm;
mod mesh;
mod ports;
mod postgres;
mod process;
mod redis;
mod slack;
mod truth;

pub use api::{Answer, Api, monitor};
pub use balancer::Balancer;
pub use broker::Broker;
pub use farm::{Farm, Visit};
pub use mesh::{Mesh, Plan, Service};
pub use ports::free_port;
pub use postgres::Postgres;
pub use process::{Process, binary, run_to_end};
pub use redis::{Redis, patient_redis};
pub use slack::{OPENED, Post, RESOLVED, Slack, mark};
pub use truth::{Dump, Slots, all_configured, configured};

use model::{Clock, Millis, SystemClock};

/// Now, in Unix milliseconds.
pub fn now() -> Millis {
    SystemClock.now_ms()
}
