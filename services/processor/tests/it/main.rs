//! The processor on real Kafka, PostgreSQL and Redis, each test in its own corner of them.

#![expect(clippy::expect_used, reason = "a test stops where it cannot go on")]

mod dead_letters;
mod late;
mod once;
mod rebalance;
mod replay;
mod replay_faults;
mod restore;
mod support;
