//! The users service on real PostgreSQL, Redis and Kafka, asked as the other services ask it.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why and stops")]

mod accounts;
mod bootstrap;
mod feed;
mod input;
mod keys;
mod mesh;
mod monitors;
mod outbox;
mod sealed;
