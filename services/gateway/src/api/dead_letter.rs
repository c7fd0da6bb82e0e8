//! Records that no reader could read.

use model::Millis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far a reader of the log is behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsumerLag {
    /// The consumer group.
    #[schema(example = "alerter")]
    pub group: String,
    #[schema(example = "monitoring-results")]
    pub topic: String,
    /// Records after those it has committed; null where it is not known.
    #[schema(required = true)]
    pub lag: Option<u64>,
}

/// How many records of a topic were set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterCount {
    /// The topic they came from.
    #[schema(example = "monitoring-results")]
    pub topic: String,
    /// Null where it is not known.
    #[schema(required = true)]
    pub count: Option<u64>,
}

/// A record that no reader could read, as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetter {
    /// The topic it came from.
    pub topic: String,
    /// Where the letter lies in the dead-letter topic.
    pub partition: i32,
    pub offset: i64,
    /// When it was set aside, Unix ms.
    #[schema(value_type = i64)]
    pub at: Millis,
    pub reason: String,
    /// The reader that set it aside.
    pub consumer: String,
    #[schema(required = true)]
    pub source_partition: Option<i32>,
    #[schema(required = true)]
    pub source_offset: Option<i64>,
    /// As text; bytes that are none are escaped.
    pub key: String,
    /// The first 4096 characters, escaped like the key.
    pub payload: String,
    pub payload_bytes: u32,
    /// When it was driven again.
    #[schema(value_type = Option<i64>, required = true)]
    pub redriven_at: Option<Millis>,
    #[schema(required = true)]
    pub redriven_by: Option<String>,
    /// Kafka confirmed that it has the record again.
    pub redrive_confirmed: bool,
}

/// The newest dead letters of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterPage {
    pub topic: String,
    /// How many there are, older ones included.
    pub count: u64,
    /// Newest first.
    pub letters: Vec<DeadLetter>,
}
