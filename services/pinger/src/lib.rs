//! The pinger: checks what is due in its region, on time, and puts every result on the log.
//!
//! `shards` decides which monitors are ours, `engine` runs their slots, `check` and `probe` ask the
//! target, `report` and `spool` bring results to Kafka, `progress` remembers how far all of it came.

mod assertions;
mod check;
mod config;
mod engine;
mod metrics;
mod once;
mod probe;
mod progress;
mod reference;
mod report;
mod shards;
mod sight;
mod source;
mod spool;
mod start;
mod status;

pub use config::Config;
pub use once::{OnceOptions, check_once};
pub use probe::Attempt;
pub use start::start;
