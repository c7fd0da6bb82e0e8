//! The alerter on real PostgreSQL, Redis and Kafka, against a fake Slack.

#![expect(clippy::expect_used, reason = "a test that cannot go on says why and stops")]

mod bot;
mod claims;
mod clocks;
mod heartbeat;
mod hold;
mod mesh;
mod outages;
mod replicas;
mod sights;
mod strangers;
mod webhook;
