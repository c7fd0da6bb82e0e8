//! The gateway against real PostgreSQL and Redis. Users is a stub that speaks its internal API: the
//! services never depend on one another, and these tests are about the gateway.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod away;
mod browser;
mod channels;
mod dead_letters;
mod history;
mod incidents;
mod input;
mod live;
mod mesh;
mod relay;
mod secrets;
mod stream;
mod system;
mod users;
