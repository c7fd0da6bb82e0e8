//! What goes to the log and what comes from it.

use std::sync::Arc;

use bytes::Bytes;
use events::headers;

/// A record to be produced.
#[derive(Debug, Clone)]
pub struct Record {
    pub topic: Arc<str>,
    pub key: Bytes,
    pub value: Bytes,
    pub headers: Vec<(&'static str, Bytes)>,
    /// Unix ms; the moment it is queued unless given.
    pub timestamp_ms: Option<i64>,
}

impl Record {
    pub fn new(topic: Arc<str>, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self { topic, key: key.into(), value: value.into(), headers: Vec::new(), timestamp_ms: None }
    }

    /// Gives it a time of its own: for a log that is written afterwards.
    #[must_use]
    pub fn at(mut self, timestamp_ms: i64) -> Self {
        self.timestamp_ms = Some(timestamp_ms);
        self
    }

    /// Adds the trace context of the current span, if it is sampled into a trace.
    #[must_use]
    pub fn traced(mut self) -> Self {
        if let Some(traceparent) = crate::trace::current_traceparent() {
            self.headers.push((headers::TRACEPARENT, Bytes::from(traceparent)));
        }
        self
    }
}

/// A record as it was consumed.
#[derive(Debug, Clone)]
pub struct Message {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
    /// The producer's clock, Unix ms; -1 if unknown.
    pub timestamp_ms: i64,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub traceparent: Option<String>,
}

/// A position: the next offset to read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TopicPartitionOffset {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
}

/// Copies a borrowed message into one allocation.
pub(crate) fn detach(message: &rdkafka::message::BorrowedMessage<'_>, topic: Arc<str>) -> Message {
    use rdkafka::Message as _;
    use rdkafka::message::Headers;

    let (key, value) = (message.key(), message.payload());
    let key_len = key.map_or(0, <[u8]>::len);
    let mut bytes = Vec::with_capacity(key_len + value.map_or(0, <[u8]>::len));
    bytes.extend_from_slice(key.unwrap_or_default());
    bytes.extend_from_slice(value.unwrap_or_default());
    let bytes = Bytes::from(bytes);
    let traceparent = message.headers().and_then(|found| {
        let header = found.iter().find(|header| header.key == headers::TRACEPARENT)?;
        String::from_utf8(header.value?.to_vec()).ok()
    });
    Message {
        topic,
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
        key: key.map(|_| bytes.slice(..key_len)),
        value: value.map(|_| bytes.slice(key_len..)),
        traceparent,
    }
}

/// Names repeat in every message: one shared string per topic.
#[derive(Default)]
pub(crate) struct TopicNames(Vec<Arc<str>>);

impl TopicNames {
    pub(crate) fn get(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.iter().find(|known| &***known == name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.0.push(Arc::clone(&name));
        name
    }
}
