//! Records that cannot be read are set aside with the reason, so that one does not block its
//! partition; but not a whole topic of them: then it is us who are broken.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use events::{Topics, headers};

use crate::metrics::KafkaMetrics;
use crate::producer::{Ack, Producer, SendError};
use crate::record::{Message, Record};

/// Over this window …
const WINDOW: Duration = Duration::from_secs(60);
/// … this many dead letters are let through whatever the share …
const ALWAYS: u64 = 100;
/// … and above that one in this many records. Where most cannot be read, that is told sooner: by the last 64 records, however
/// long they took to come.
const ONE_IN: u64 = 10;

#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// So many records are unreadable that the reader is the likelier fault: stop, do not discard.
    #[error("{dead} of the last {seen} records could not be read: stopping rather than setting aside the whole topic")]
    TooMany { dead: u64, seen: u64 },
    #[error(transparent)]
    Send(#[from] SendError),
}

/// Writes to `<topic>.dead-letter`. One per consumer.
pub struct DeadLetters {
    producer: Producer,
    consumer: &'static str,
    rate: Mutex<Rate>,
    metrics: Option<KafkaMetrics>,
}

#[derive(Default)]
struct Rate {
    /// Of the last seconds.
    seconds: VecDeque<Second>,
    last: Last,
    /// Since when it has been too many.
    exceeded_since: Option<Instant>,
}

/// The last 64 records, a bit each: set where it could not be read.
#[derive(Default)]
struct Last {
    dead: u64,
    seen: u32,
}

impl Last {
    fn note(&mut self, readable: u64, dead: u64) {
        self.dead = shifted(shifted(self.dead, readable, 0), dead, u64::MAX);
        let came = u32::try_from(readable.saturating_add(dead)).unwrap_or(u32::MAX);
        self.seen = self.seen.saturating_add(came).min(u64::BITS);
    }

    /// More than half of 64, so that a few pass, whatever their share.
    fn mostly_dead(&self) -> bool {
        self.dead.count_ones() > u64::BITS / 2
    }
}

/// `bits` with `count` more behind them.
fn shifted(bits: u64, count: u64, more: u64) -> u64 {
    match u32::try_from(count) {
        Ok(0) => bits,
        Ok(count) if count < u64::BITS => (bits << count) | (more >> (u64::BITS - count)),
        _ => more,
    }
}

struct Second {
    began: Instant,
    seen: u64,
    /// Of them could not be read.
    dead: u64,
    /// Of them were read and refused.
    refused: u64,
}

impl Rate {
    fn note(&mut self, now: Instant, seen: u64, dead: u64, refused: u64) {
        if self.exceeded_since.is_some_and(|since| now.saturating_duration_since(since) > WINDOW) {
            // Tried anew, as after a start.
            *self = Self::default();
        }
        self.last.note(seen.saturating_sub(dead), dead);
        match self.seconds.back_mut() {
            Some(last) if now.saturating_duration_since(last.began) < Duration::from_secs(1) => {
                last.seen += seen;
                last.dead += dead;
                last.refused += refused;
            }
            _ => self.seconds.push_back(Second { began: now, seen, dead, refused }),
        }
        while self.seconds.front().is_some_and(|first| now.saturating_duration_since(first.began) > WINDOW) {
            self.seconds.pop_front();
        }
    }

    /// (seen, dead), if that is too many.
    fn exceeded(&mut self, now: Instant) -> Option<(u64, u64)> {
        let exceeded = self.too_many();
        self.exceeded_since = exceeded.map(|_| self.exceeded_since.unwrap_or(now));
        exceeded
    }

    fn too_many(&self) -> Option<(u64, u64)> {
        let sum = |of: fn(&Second) -> u64| self.seconds.iter().map(of).sum::<u64>();
        let (seen, dead, refused) = (sum(|second| second.seen), sum(|second| second.dead), sum(|second| second.refused));
        let unreadable = dead > ALWAYS && dead.saturating_mul(ONE_IN) > seen;
        // One writer's clock may be wrong; where most of them seem to be, ours is.
        let refusing = refused > ALWAYS && refused.saturating_mul(2) > seen;
        if unreadable || refusing {
            return Some((seen, dead + refused));
        }
        // A hundred in a minute may be all there is of a small topic. Of a large one, a handful in a row is no more than that.
        let mostly_dead = self.last.mostly_dead() && dead.saturating_mul(2) > seen;
        mostly_dead.then(|| (self.last.seen.into(), self.last.dead.count_ones().into()))
    }
}

impl DeadLetters {
    /// `consumer` names the reader in the dead letter.
    pub fn new(producer: Producer, consumer: &'static str, metrics: Option<KafkaMetrics>) -> Self {
        if let Some(metrics) = &metrics {
            // Counted from 0, so that the first letter is an increase.
            metrics.dead_letters.with_label_values(&[consumer]).inc_by(0);
        }
        Self { producer, consumer, rate: Mutex::default(), metrics }
    }

    /// Tells how many records were read well, so that the share of dead ones is known.
    pub fn passed(&self, records: usize) {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner).note(Instant::now(), records as u64, 0, 0);
    }

    /// Queues the dead letter; commit past the record only after the ack.
    pub fn send(&self, message: &Message, reason: &str) -> Result<Ack, DeadLetterError> {
        self.note(1, 0)?;
        let (topic, partition, offset, consumer) = (&*message.topic, message.partition, message.offset, self.consumer);
        tracing::warn!(topic, partition, offset, consumer, reason, "a record cannot be read and is set aside");
        Ok(self.post(message, reason)?)
    }

    /// The same for a record that was read and says what cannot be, such as a slot of next week: its writer is at fault, so the
    /// log does not wait for it, unless most records are such.
    pub fn refuse(&self, message: &Message, reason: &str) -> Result<Ack, DeadLetterError> {
        self.note(0, 1)?;
        let (topic, partition, offset, consumer) = (&*message.topic, message.partition, message.offset, self.consumer);
        tracing::debug!(topic, partition, offset, consumer, reason, "a record says what cannot be and is set aside");
        Ok(self.post(message, reason)?)
    }

    fn note(&self, dead: u64, refused: u64) -> Result<(), DeadLetterError> {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        rate.note(now, 1, dead, refused);
        rate.exceeded(now).map_or(Ok(()), |(seen, dead)| Err(DeadLetterError::TooMany { dead, seen }))
    }

    fn post(&self, message: &Message, reason: &str) -> Result<Ack, SendError> {
        if let Some(metrics) = &self.metrics {
            metrics.dead_letters.with_label_values(&[self.consumer]).inc();
        }
        self.producer.send(self.record(message, reason))
    }

    fn record(&self, message: &Message, reason: &str) -> Record {
        let text = |value: String| Bytes::from(value);
        let mut record = Record::new(
            Topics::dead_letter(&message.topic).into(),
            message.key.clone().unwrap_or_default(),
            message.value.clone().unwrap_or_default(),
        );
        record.headers = vec![
            (headers::REASON, text(reason.chars().take(500).collect())),
            (headers::SOURCE_TOPIC, text(message.topic.to_string())),
            (headers::SOURCE_PARTITION, text(message.partition.to_string())),
            (headers::SOURCE_OFFSET, text(message.offset.to_string())),
            (headers::CONSUMER, Bytes::from_static(self.consumer.as_bytes())),
        ];
        if let Some(traceparent) = &message.traceparent {
            record.headers.push((headers::TRACEPARENT, text(traceparent.clone())));
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_count_begins_before_the_first_letter() {
        let registry = prometheus::Registry::new();
        let metrics = KafkaMetrics::register(&registry).expect("metrics");
        let producer = Producer::new(&crate::KafkaConfig::new("127.0.0.1:1", "kafka-test")).expect("producer");
        let _letters = DeadLetters::new(producer, "tester", Some(metrics));
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).expect("text");
        assert!(text.contains(r#"upmesh_kafka_dead_letters_total{consumer="tester"} 0"#), "{text}");
    }

    #[test]
    fn one_in_a_hundred_passes_and_a_flood_does_not() {
        let start = Instant::now();
        let mut rate = Rate::default();
        rate.note(start, 2 * ALWAYS, ALWAYS, 0);
        assert!(rate.exceeded(start).is_none());
        rate.note(start, 1, 1, 0);
        assert!(rate.exceeded(start).is_some());
        rate.note(start, 10_000, 0, 0);
        assert!(rate.exceeded(start).is_none(), "one in a hundred is the topic's fault, not ours");
        let later = start + WINDOW + Duration::from_secs(2);
        rate.note(later, 60, 30, 0);
        assert!(rate.exceeded(later).is_none(), "the window moved on");
    }

    #[test]
    fn a_small_topic_that_cannot_be_read_stops_however_slowly_it_comes() {
        let (start, apart) = (Instant::now(), Duration::from_secs(12));
        let mut rate = Rate::default();
        let stops = |rate: &mut Rate, from: Instant| {
            let mut at = (1_u32..200).map(|n| (n, from + apart * n));
            at.find_map(|(n, now)| {
                rate.note(now, 1, 1, 0);
                rate.exceeded(now).map(|told| (n, now, told))
            })
        };
        let (passed, stopped, told) = stops(&mut rate, start).expect("five a minute, none readable, and it never stopped");
        assert_eq!((passed, told), (33, (33, 33)));
        for soon in [30, 59] {
            let now = stopped + Duration::from_secs(soon);
            rate.note(now, 1, 1, 0);
            assert!(rate.exceeded(now).is_some(), "tried again after {soon} s");
        }
        assert_eq!(stops(&mut rate, stopped + WINDOW).map(|(passed, ..)| passed), Some(33), "as after a start");
    }

    #[test]
    fn a_run_of_dead_letters_in_a_large_topic_passes() {
        let now = Instant::now();
        let mut rate = Rate::default();
        rate.note(now, 5_000, 0, 0);
        rate.note(now, 60, 60, 0);
        assert!(rate.exceeded(now).is_none());
    }

    #[test]
    fn one_in_a_hundred_of_a_small_topic_passes() {
        let mut now = Instant::now();
        let mut rate = Rate::default();
        for _ in 0..20 {
            now += Duration::from_secs(10);
            rate.note(now, 99, 0, 0);
            rate.note(now, 1, 1, 0);
            assert!(rate.exceeded(now).is_none());
        }
    }

    #[test]
    fn some_that_say_what_cannot_be_pass_and_most_do_not() {
        let now = Instant::now();
        let mut rate = Rate::default();
        rate.note(now, 2 * ALWAYS + 2, 0, ALWAYS + 1);
        assert!(rate.exceeded(now).is_none(), "one writer of two");
        rate.note(now, 1, 0, 1);
        assert!(rate.exceeded(now).is_some(), "most of them");
    }
}
