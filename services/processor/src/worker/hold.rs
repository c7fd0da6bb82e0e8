//! Holding back: too many records cannot be read, so the reader is the likelier fault. It stops,
//! says so, and tries again from time to time, rather than set aside the whole topic.

use std::time::{Duration, Instant};

use kafka::{GroupConsumer, KafkaError, Message, Partition};

/// How long nothing is read before it is tried again.
const PAUSE: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(super) struct Hold {
    since: Option<Instant>,
    held: Vec<Message>,
    paused: Vec<Partition>,
}

impl Hold {
    pub fn is_on(&self) -> bool {
        self.since.is_some()
    }

    /// Starts holding back, beginning with this record.
    pub fn begin(&mut self, message: Message) {
        self.since = Some(Instant::now());
        self.held.push(message);
    }

    /// Keeps records that were already on their way.
    pub fn keep(&mut self, messages: impl Iterator<Item = Message>) {
        self.held.extend(messages);
    }

    /// What was held back, when it is time to try again.
    pub fn due(&mut self) -> Option<Vec<Message>> {
        self.since.filter(|since| since.elapsed() >= PAUSE)?;
        self.since = None;
        Some(std::mem::take(&mut self.held))
    }

    /// These partitions are read by another member now.
    pub fn forget(&mut self, partitions: &[Partition]) {
        self.held.retain(|message| !partitions.iter().any(|(topic, n)| *n == message.partition && **topic == *message.topic));
        self.paused.retain(|paused| !partitions.contains(paused));
        if self.held.is_empty() {
            self.since = None;
        }
    }

    /// Pauses or resumes what is assigned.
    pub fn pause(&mut self, consumer: &GroupConsumer, wanted: bool) -> Result<(), KafkaError> {
        if wanted {
            let fresh: Vec<Partition> = consumer.assigned().into_iter().filter(|partition| !self.paused.contains(partition)).collect();
            if !fresh.is_empty() {
                consumer.pause(&fresh)?;
                self.paused.extend(fresh);
            }
        } else if !self.paused.is_empty() {
            consumer.resume(&self.paused)?;
            self.paused.clear();
        }
        Ok(())
    }
}
