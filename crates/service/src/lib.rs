//! The skeleton every service runs in: settings, logs and traces, metrics, an admin port, signals, graceful drain, supervised tasks.
//!
//! A service is a library with `pub async fn start(ctx: service::Context) -> Result<(), service::Error>` and a `main.rs` of
//! `service::main("pinger", pinger::start)`. `start` reads its settings from [`Context::env`], spawns its tasks with
//! [`Context::spawn`] and returns; the process lives until a signal arrives or one of its tasks ends.

mod admin;
mod connections;
mod context;
pub mod crash;
mod env;
mod error;
mod health;
mod impatient;
mod lifecycle;
mod logs;
mod metrics;
mod probe;
mod problem;
mod process;
mod serve;
pub mod tamper;
mod telemetry;
mod timely;
pub mod trace;

pub use context::{Context, TaskEnd, panic_text};
pub use env::{ConfigError, Env, Mistake};
pub use error::Error;
pub use health::Latch;
pub use lifecycle::{exit, main, run};
pub use problem::{FieldProblem, Problem};
pub use process::Process;
pub use secrecy::{ExposeSecret, SecretString};
pub use serve::serve;
pub use telemetry::{Telemetry, init as init_telemetry};

/// The version of this build, from the workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
