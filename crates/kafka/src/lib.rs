//! The only crate that uses rdkafka: a producer whose acks are futures, a group consumer that never
//! stops polling and shows rebalances as events, a consumer outside any group, dead letters, topics.

mod broadcast;
mod config;
mod dead_letter;
mod embedded;
mod error;
mod group;
mod heard;
mod ledger;
mod letters;
mod log;
mod metrics;
mod producer;
mod record;
mod topics;
mod trace;

pub use broadcast::BroadcastConsumer;
pub use config::{KafkaConfig, Security};
pub use dead_letter::{DeadLetterError, DeadLetters};
pub use embedded::EmbeddedBroker;
pub use error::KafkaError;
pub use group::{Assignment, Event, GroupConsumer, Partition, Revocation};
pub use ledger::OffsetLedger;
pub use letters::{Letter, Letters, letter_at, newest_letters, record_count};
pub use log::{LogReader, Stretch, log_bounds, offsets_at};
pub use metrics::KafkaMetrics;
pub use producer::{Ack, Producer, SendError};
pub use record::{Message, Record, TopicPartitionOffset};
pub use topics::{cluster_id, committed_offsets, end_offsets, ensure_topics, reset_offsets};
pub use trace::{current_traceparent, set_parent};
