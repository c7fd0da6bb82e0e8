//! The clients against Apache Kafka (`TEST_KAFKA_BROKERS`) and against the embedded broker.

#![expect(clippy::expect_used, reason = "a test stops where it cannot go on")]

mod embedded;
mod group;
mod producer;
mod secured;
mod support;
