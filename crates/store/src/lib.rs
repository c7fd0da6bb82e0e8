//! PostgreSQL, and the only crate that speaks to it: the schema (`migrations/`), one module per
//! owned group of tables, SQL checked at compile time.
//!
//! A service opens one [`Store`]; every connection carries time limits, so that no statement, lock
//! or forgotten transaction outlives the patience of its caller, and no answer is waited for that never comes.

pub mod accounts;
mod bounded;
pub mod channels;
mod error;
pub mod history;
pub mod incidents;
mod migrate;
pub mod monitors;
pub mod outbox;
mod pool;
pub mod redrives;
pub mod sessions;
pub mod sights;
mod time;

pub use bounded::{Connection, Pool, Transaction};
pub use error::StoreError;
pub use pool::{Limits, Store};
pub use time::{from_millis, to_millis};
