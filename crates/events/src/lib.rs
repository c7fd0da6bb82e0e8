//! The Kafka contract: topics, versioned payloads, and golden fixtures of every version (`fixtures/`),
//! decoded by tests for ever. Readers accept unknown fields, so that writers may add some; a meaning
//! never changes within a version. `docs/asyncapi.yaml` describes the same for people and tools.

mod change;
mod decode;
mod incident;
mod prober;
mod result;
mod topics;

pub use change::{ChangeKind, MonitorChange};
pub use decode::DecodeError;
pub use incident::{AlertKind, IncidentEvent};
pub use prober::{decode_prober, encode_prober};
pub use result::{decode_result, encode_result};
pub use topics::{TopicSpec, Topics};

/// Record headers. `traceparent` is W3C trace context; the others explain a dead letter.
pub mod headers {
    pub const TRACEPARENT: &str = "traceparent";
    pub const REASON: &str = "upmesh-reason";
    pub const SOURCE_TOPIC: &str = "upmesh-source-topic";
    pub const SOURCE_PARTITION: &str = "upmesh-source-partition";
    pub const SOURCE_OFFSET: &str = "upmesh-source-offset";
    pub const CONSUMER: &str = "upmesh-consumer";
}
