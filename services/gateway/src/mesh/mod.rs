//! The log as the gateway sees it: how far its readers lag, and what none of them could read.

mod lags;
mod letters;

pub(crate) use lags::{Facts, Lags, facts};
pub(crate) use letters::{Redriven, list, redrive};

use std::time::Duration;

use events::Topics;
use kafka::{KafkaConfig, Producer};

/// A person waits.
const PATIENCE: Duration = Duration::from_secs(4);

/// The way to the log.
pub(crate) struct Log {
    pub config: KafkaConfig,
    pub topics: Topics,
    /// In front of each topic's name in tests.
    pub prefix: String,
    pub producer: Producer,
    pub lags: Lags,
}

impl Log {
    pub(crate) fn new(config: KafkaConfig, prefix: &str) -> Result<Self, kafka::KafkaError> {
        let producer = Producer::new(&config)?;
        Ok(Self { topics: Topics::new(prefix), prefix: prefix.to_owned(), producer, lags: Lags::default(), config })
    }

    /// The name people know.
    pub(crate) fn plain<'a>(&self, topic: &'a str) -> &'a str {
        topic.strip_prefix(&self.prefix).unwrap_or(topic)
    }

    /// The topic of that name, if it is one of ours: a letter's own word for where it came from is not enough.
    pub(crate) fn topic(&self, plain: &str) -> Option<&str> {
        self.topics.read().into_iter().find(|topic| self.plain(topic) == plain)
    }
}
