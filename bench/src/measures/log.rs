//! Results as pingers write them, in the order in which they would arrive.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use kafka::{KafkaConfig, Producer, Record, SendError};
use model::history::{HOUR_MS, hour_of};
use model::{CheckResult, MonitorId, Outcome, Phases, Region, Schedule};
use testkit::Stack;

use crate::anchors::heap::monitor_id;
use crate::roles::now_us;

/// A stretch of the log: `rounds` slots of each of `monitors`.
#[derive(Debug, Clone, Copy)]
pub struct Log {
    pub monitors: u32,
    pub interval_seconds: u32,
    pub rounds: u32,
    /// 0 lies in the hour that runs, 1 is the whole hour before.
    pub hours_ago: u32,
}

impl Log {
    pub fn results(&self) -> u64 {
        u64::from(self.monitors) * u64::from(self.rounds)
    }

    /// Appends it to the topic and waits until the broker has all of it.
    pub async fn write(&self, stack: &Stack) -> Result<()> {
        let producer = Producer::new(&KafkaConfig::new(&stack.kafka_brokers, "bench"))?;
        for round in 0..self.rounds {
            self.write_round(&producer, stack, round).await?;
        }
        Ok(producer.flush(Duration::from_mins(1)).await?)
    }

    /// One slot of each monitor.
    pub async fn write_round(&self, producer: &Producer, stack: &Stack, round: u32) -> Result<()> {
        let region: Region = "bench".parse().map_err(anyhow::Error::msg)?;
        let topic: std::sync::Arc<str> = stack.topics().results.into();
        let interval_ms = i64::from(self.interval_seconds) * 1000;
        let now = now_us() / 1000;
        // The hour that runs may be young: its rounds lie around now, as they would live.
        let first = if self.hours_ago == 0 {
            now - i64::from(self.rounds) * interval_ms
        } else {
            hour_of(now) - i64::from(self.hours_ago) * HOUR_MS
        };
        for n in 0..self.monitors {
            let schedule = Schedule::new(monitor_id(n), &region, interval_ms);
            let slot = schedule.at_or_after(first) + i64::from(round) * interval_ms;
            append(producer, record(&topic, &region, n, slot, interval_ms)?).await?;
        }
        Ok(())
    }
}

/// A result with a latency that varies as real ones do: around a level of the monitor's own, with a tail.
pub fn record(topic: &std::sync::Arc<str>, region: &Region, n: u32, slot: i64, interval_ms: i64) -> Result<Record> {
    let monitor = monitor_id(n);
    let noise = u32::try_from((u64::from(n) * 7919 + slot.unsigned_abs() / 1000 * 104_729) % 10_007)?;
    let level = 5_000 + n % 400 * 250;
    let tail = if noise.is_multiple_of(50) { noise * 30 } else { 0 };
    let latency_us = level + noise * level / 40_000 + tail;
    written(topic, &up(monitor, region, slot, interval_ms, latency_us))
}

/// An up as a pinger tells it.
pub fn up(monitor: MonitorId, region: &Region, slot: i64, interval_ms: i64, latency_us: u32) -> CheckResult {
    CheckResult {
        monitor,
        region: region.clone(),
        slot,
        interval_ms,
        outcome: Outcome::Up,
        cause: None,
        detail: None,
        latency_us: Some(latency_us),
        phases: Phases {
            resolve_us: Some(40),
            connect_us: Some(latency_us / 4),
            tls_us: None,
            first_byte_us: Some(latency_us / 2),
            transfer_us: Some(90),
        },
        status: Some(200),
        certificate_expires_at: None,
        attempts: 1,
        started_at: slot + 2,
        epoch: 1,
        pinger: "bench-0".to_owned(),
        revision: 1,
        suspect: false,
    }
}

/// The record of a result.
pub fn written(topic: &std::sync::Arc<str>, result: &CheckResult) -> Result<Record> {
    Ok(Record {
        topic: topic.clone(),
        key: Bytes::from(result.monitor.to_string()),
        value: Bytes::from(events::encode_result(result)?),
        headers: Vec::new(),
        timestamp_ms: None,
    })
}

/// Queues a record, waiting where the producer's queue is full.
pub async fn append(producer: &Producer, mut record: Record) -> Result<()> {
    loop {
        match producer.send(record) {
            Ok(ack) => break drop(ack),
            Err(SendError::QueueFull(back)) => {
                record = *back;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
