//! The store against PostgreSQL (`TEST_DATABASE_URL`).

#![expect(clippy::expect_used, reason = "a test stops where it cannot go on")]

mod claims;
mod history;
mod judged;
mod paces;
mod silence;
mod turns;
