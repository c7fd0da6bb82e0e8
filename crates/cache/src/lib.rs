//! Redis: the only crate that uses deadpool-redis. Every key is built in [`keys`], every call has a
//! deadline, every script goes by hash. Nothing here is the only copy of anything: whoever finds
//! Redis empty writes its part again (see [`Cache::generation`]).

mod away;
mod board;
mod connection;
mod error;
mod generation;
mod judged;
mod keys;
mod lease;
mod live;
mod prober;
mod pubsub;
mod sessions;
mod verdict;

pub use board::{BoardKey, BoardRow, Depth};
pub use connection::{Cache, CacheConfig};
pub use deadpool_redis::redis;
pub use error::CacheError;
pub use keys::Keys;
pub use lease::{Acquired, Leases, Renewal, owner_of};
pub use live::{LiveOutcome, LiveResult, LiveWrite, StoredLatest, decode_counts, encode_counts, results_message};
pub use pubsub::{Subscription, Update};
pub use verdict::{VerdictUpdate, VerdictWrite};
