//! What goes to the log and what comes from it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
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

/// A `traceparent` has 55 characters; a later version of it may have more.
const TRACEPARENT: usize = 255;

/// Messages share buffers of this many bytes: an allocation (and a free on another thread) per record is a
/// tenth of what reading one costs. Below the size from which malloc asks the kernel each time.
const ARENA: usize = 64 * 1024;

/// Makes messages that outlive librdkafka's.
#[derive(Default)]
pub(crate) struct Detacher {
    names: TopicNames,
    arena: BytesMut,
}

impl Detacher {
    /// Copies a borrowed message.
    pub(crate) fn detach(&mut self, message: &rdkafka::message::BorrowedMessage<'_>) -> Message {
        use rdkafka::Message as _;
        use rdkafka::message::Headers;

        let (key, value) = (message.key(), message.payload());
        let length = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
        if self.arena.capacity() < length {
            self.arena = BytesMut::with_capacity(length.max(ARENA));
        }
        let traceparent = message.headers().and_then(|found| {
            let header = found.iter().find(|header| header.key == headers::TRACEPARENT)?;
            // Anything else is no such header, and PostgreSQL might not take it.
            let value = header.value.filter(|value| value.len() <= TRACEPARENT && value.iter().all(u8::is_ascii_graphic))?;
            String::from_utf8(value.to_vec()).ok()
        });
        Message {
            topic: self.names.get(message.topic()),
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
            key: key.map(|key| self.copy(key)),
            value: value.map(|value| self.copy(value)),
            traceparent,
        }
    }

    fn copy(&mut self, bytes: &[u8]) -> Bytes {
        self.arena.extend_from_slice(bytes);
        self.arena.split().freeze()
    }

    /// The shared name of a topic.
    pub(crate) fn name(&mut self, topic: &str) -> Arc<str> {
        self.names.get(topic)
    }
}

/// Names repeat in every message: one shared string per topic.
#[derive(Default)]
struct TopicNames(Vec<Arc<str>>);

impl TopicNames {
    fn get(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.iter().find(|known| &***known == name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.0.push(Arc::clone(&name));
        name
    }
}
