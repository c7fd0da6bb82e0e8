//! The pinger as a whole, against real Redis and Kafka, with users and targets played by the test.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod mesh;
mod outages;
mod probes;
mod sight;
mod slots;
