//! For tests only: real services to test against, a target that misbehaves on command, waiting with deadlines.
//!
//! Everything here panics with a sentence where production code would return an error.

#![expect(clippy::missing_panics_doc, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why and stops")]

mod database;
mod dns;
mod fake_slack;
mod stack;
mod target;
mod topics;
mod wait;

pub use database::TestDatabase;
pub use dns::dns_answer;
pub use fake_slack::{FakeSlack, SlackBehaviour, SlackPost};
pub use stack::{INTERNAL_KEY, Stack};
pub use target::{Behaviour, Target};
pub use wait::{eventually, within};
