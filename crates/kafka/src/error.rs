//! What can go wrong on the way to and from the log.

use std::time::Duration;

use rdkafka::error::{KafkaError as Native, RDKafkaErrorCode as Code};

/// An error of the Kafka client, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// A setting librdkafka does not accept; trying again changes nothing.
    #[error("Kafka setting: {0}")]
    Config(String),
    /// The broker or the network; the client goes on trying by itself.
    #[error("Kafka: {0}")]
    Transient(String),
    /// TLS or credentials: what librdkafka says of it. Mended by people, so it may pass.
    #[error("Kafka: no secured connection: {0} (KAFKA_SECURITY_PROTOCOL, KAFKA_SSL_… and KAFKA_SASL_… in docs/settings.md)")]
    Refused(String),
    /// The group took the partition away, or the member is out; the next owner reads on.
    #[error("Kafka offsets were not committed: {0}")]
    NotOwner(String),
    /// The client is beyond repair and has to be made anew.
    #[error("Kafka client failed for good: {0}")]
    Fatal(String),
    #[error("Kafka did not answer within {0:?}")]
    Timeout(Duration),
    /// The client was closed.
    #[error("the Kafka client is closed")]
    Closed,
}

impl KafkaError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Transient(_) | Self::Refused(_) | Self::Timeout(_))
    }
}

impl From<Native> for KafkaError {
    fn from(error: Native) -> Self {
        let text = error.to_string();
        match &error {
            Native::ClientConfig(..) | Native::ClientCreation(_) | Native::Nul(_) => Self::Config(text),
            Native::Canceled => Self::Closed,
            Native::MessageConsumptionFatal(_) => Self::Fatal(text),
            _ => match error.rdkafka_error_code() {
                Some(Code::Fatal) => Self::Fatal(text),
                Some(
                    Code::IllegalGeneration
                    | Code::UnknownMemberId
                    | Code::RebalanceInProgress
                    | Code::FencedInstanceId
                    | Code::NoOffset
                    | Code::State
                    | Code::StaleMemberEpoch
                    | Code::AssignmentLost,
                ) => Self::NotOwner(text),
                _ => Self::Transient(text),
            },
        }
    }
}

/// librdkafka's own log lines. Its warnings about a broker that is away repeat every second: ours say it once.
pub(crate) fn log(level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
    use rdkafka::config::RDKafkaLogLevel as Level;
    match level {
        Level::Emerg | Level::Alert | Level::Critical => tracing::error!(facility, message, "librdkafka"),
        _ => tracing::debug!(facility, message, "librdkafka"),
    }
}
