//! The users service as the others see it: [`Client`] calls its internal routes, [`Directory`] keeps
//! a local replica of the monitors, [`wire`] holds what travels between them.
//!
//! The replica is what makes the rest of the mesh independent of users being up: it loads a snapshot,
//! follows by revision, is woken at once by `monitor-changes`, looks again every 30 s whatever happens,
//! and keeps its last state, saying how old it is, while users is away.

mod changes;
mod client;
mod error;
pub mod http;
mod replica;
mod replication;
mod told;
pub mod wire;

pub use changes::{Change, Changes};
pub use client::{Client, ClientConfig, INTERNAL_KEY_PROBLEM};
pub use error::{DirectoryError, Refusal};
pub use replica::{Directory, Heard, Status};
pub use replication::Replication;
