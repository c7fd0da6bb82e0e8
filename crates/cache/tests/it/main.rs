//! The cache crate against a real Redis (`TEST_REDIS_URL`); each test has a prefix of its own.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod connection;
mod generations;
mod lease;
mod live;
mod sessions;
mod verdicts;

use cache::{Cache, CacheConfig};

/// A cache under a fresh prefix. Fails, rather than skips, where the stack is not named.
fn fresh() -> Cache {
    let url = std::env::var("TEST_REDIS_URL").expect("TEST_REDIS_URL names the Redis to test against, e.g. redis://127.0.0.1:16379");
    let prefix = format!("test-{}", uuid::Uuid::new_v4());
    Cache::open(&CacheConfig::new(url.into(), &prefix)).expect("an address")
}
