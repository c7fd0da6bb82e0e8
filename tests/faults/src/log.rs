//! The log as a client sees it: results written as a pinger would, topics read from end to end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kafka::{Event, GroupConsumer, KafkaConfig, Message, Producer, Record};
use model::{Cause, CheckResult, MonitorId, Outcome, Phases, Slot};
use system_tests::now;
use uuid::Uuid;

const DEADLINE: Duration = Duration::from_secs(60);
pub const INTERVAL_MS: i64 = 10_000;

/// Writes to one topic.
pub struct Writer {
    producer: Producer,
    topic: Arc<str>,
}

impl Writer {
    pub fn new(brokers: &str, topic: &str) -> Self {
        Self { producer: Producer::new(&KafkaConfig::new(brokers, "faults")).expect("a producer"), topic: topic.into() }
    }

    /// Results in this order, acknowledged.
    pub async fn results(&self, results: &[CheckResult]) {
        let records = results.iter().map(|result| (result.monitor, events::encode_result(result).expect("JSON")));
        self.records(records.collect()).await;
    }

    /// Any bytes under any monitor's key, acknowledged.
    pub async fn records(&self, records: Vec<(MonitorId, Vec<u8>)>) {
        let mut acks = Vec::with_capacity(records.len());
        for (monitor, value) in records {
            let record = Record::new(Arc::clone(&self.topic), monitor.to_string().into_bytes(), value);
            acks.push(self.producer.send(record).expect("room"));
        }
        for ack in acks {
            ack.await.expect("an ack");
        }
    }
}

/// One result as a pinger writes it.
pub fn result(monitor: MonitorId, slot: Slot, outcome: Outcome, latency_us: u32) -> CheckResult {
    let down = outcome == Outcome::Down;
    CheckResult {
        monitor,
        region: "local".parse().expect("a region"),
        slot,
        interval_ms: INTERVAL_MS,
        outcome,
        cause: match outcome {
            Outcome::Down => Some(Cause::Status),
            Outcome::Unknown => Some(Cause::NotRun),
            _ => None,
        },
        detail: down.then(|| "503 Service Unavailable".to_owned()),
        latency_us: outcome.is_verdict().then_some(latency_us),
        phases: Phases::default(),
        status: outcome.is_verdict().then_some(if down { 503 } else { 200 }),
        certificate_expires_at: None,
        attempts: 1,
        started_at: now(),
        epoch: 1,
        pinger: "faults".to_owned(),
        revision: 1,
        suspect: false,
    }
}

/// Bytes that nobody can read, in many ways; `n` makes them distinct.
pub fn poison(kind: u64, n: u64) -> Vec<u8> {
    match kind % 5 {
        0 => format!("no JSON {n}").into_bytes(),
        1 => format!(r#"{{"v":99,"id":"{n}"}}"#).into_bytes(),
        2 => format!(r#"{{"v":1,"id":{n}}}"#).into_bytes(),
        3 => [b"\xff\xfe\x00".as_slice(), n.to_string().as_bytes()].concat(),
        _ => format!("{}{n}", "[".repeat(2000)).into_bytes(),
    }
}

/// Everything a topic holds now.
pub async fn read_all(brokers: &str, topic: &str) -> Vec<Message> {
    let config = KafkaConfig::new(brokers, "faults");
    let ends = kafka::end_offsets(&config, topic, DEADLINE).await.expect("offsets");
    let mut found = Vec::new();
    if ends.iter().all(|end| *end == 0) {
        return found;
    }
    let group = format!("faults-{}", Uuid::new_v4());
    let mut consumer = GroupConsumer::new(&config, &group, &[topic]).expect("a consumer");
    let mut next: HashMap<i32, i64> = HashMap::new();
    let read = async {
        while (0..).zip(&ends).any(|(partition, end)| next.get(&partition).copied().unwrap_or(0) < *end) {
            match consumer.next(10_000, Duration::ZERO).await.expect("an event") {
                Event::Assigned(assignment) => assignment.start(HashMap::new()),
                Event::Revoked(revocation) => revocation.done(),
                Event::Batch(batch) => {
                    for message in batch {
                        next.insert(message.partition, message.offset + 1);
                        found.push(message);
                    }
                }
            }
        }
    };
    testkit::within(&format!("{topic} is read"), DEADLINE, read).await;
    let _ = consumer.close(Duration::from_secs(5)).await;
    found
}
