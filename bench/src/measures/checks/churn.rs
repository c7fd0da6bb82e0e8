//! P10: while fifty thousand monitors run, a thousand are added and a thousand removed every second. The others run on time.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use events::{ChangeKind, MonitorChange};
use kafka::{KafkaConfig, Producer, Record};
use model::WorkspaceId;
use uuid::Uuid;

use super::plain::{bar, beside};
use super::rig::{Rig, Size, Task, heap, lateness, target};
use crate::anchors::heap::monitor_id;
use crate::cpu::Meter;
use crate::measures::{Suite, progress};
use crate::roles::now_us;
use crate::roles::target::{Arrival, arrivals, control};
use crate::stats::quantile;

/// The feed moves in such steps.
const TICK_MS: u32 = 10;

pub async fn measure(suite: &mut Suite) -> Result<()> {
    if !suite.wants(&["P10"]) {
        return Ok(());
    }
    progress("P10: monitors come and go");
    let size = suite.size(Size { monitors: 50_000, interval_seconds: 20 }, Size { monitors: 1_500, interval_seconds: 3 });
    let (rate, seconds): (u32, u32) = suite.size((1_000, 10), (100, 3));
    let target = target(suite, false).await?;
    let bare = vec![heap(suite, target.1, size).await?];
    let rig = Rig::start(suite, &Task::plain(size), target).await?;
    rig.settled().await?;
    arrivals(rig.target).await?;
    let meter = Meter::start(rig.pinger.pid()?)?;
    let begun = now_us();
    control(rig.feed, &format!("/churn/{rate}/{seconds}")).await?;
    announce(&rig, rate, seconds).await?;
    let (cpu, wall) = meter.read()?;
    let seen = arrivals(rig.target).await?;
    rig.end().await?;

    let changed = rate * seconds;
    let stayed: Vec<Arrival> = seen.iter().filter(|Arrival(n, ..)| (changed..size.monitors).contains(n)).copied().collect();
    let late = lateness(&stayed, size)?;
    // Those added in the last second may not have had their turn.
    let mut first = HashMap::new();
    for Arrival(n, at, _) in seen.iter().filter(|Arrival(n, ..)| (size.monitors..size.monitors + changed - rate).contains(n)) {
        first.entry(*n).or_insert(*at);
    }
    let waits: Vec<f64> = first
        .iter()
        .map(|(n, at)| {
            let added = begun + i64::from((n - size.monitors) / per_tick(rate) * TICK_MS) * 1000;
            #[expect(clippy::cast_precision_loss, reason = "microseconds of a minute")]
            let wait = (at - added) as f64 / 1000.0;
            wait
        })
        .collect();
    let note = format!(
        "as P6, of those that stay; p50 {:.1}, p99.9 {:.1} ms; {}; {} of {} new ones were checked within those {seconds} s, p50 {:.0} ms after they came; {:.0} % of a core",
        quantile(&late, 0.5),
        quantile(&late, 0.999),
        beside(&bare),
        first.len(),
        changed - rate,
        quantile(&waits, 0.5),
        cpu / wall * 100.0,
    );
    let what = format!(
        "pinger, {} monitors at {} s, {rate} added and {rate} removed a second: lateness p99",
        size.monitors, size.interval_seconds
    );
    suite.below("P10", &what, quantile(&late, 0.99), " ms", bar(&bare), note);
    Ok(())
}

fn per_tick(rate: u32) -> u32 {
    (rate * TICK_MS / 1000).max(1)
}

/// A record on `monitor-changes` for each change, as users would write it, as the feed moves on.
async fn announce(rig: &Rig, rate: u32, seconds: u32) -> Result<()> {
    let producer = Producer::new(&KafkaConfig::new(&rig.stack.kafka_brokers, "bench"))?;
    let topic: std::sync::Arc<str> = rig.stack.topics().changes.into();
    let mut tick = tokio::time::interval(Duration::from_millis(u64::from(TICK_MS)));
    for n in 0..rate * seconds {
        if n % per_tick(rate) == 0 {
            tick.tick().await;
        }
        for (number, kind, step) in [(rig.size.monitors + n, ChangeKind::Created, 1), (n, ChangeKind::Deleted, 2)] {
            let revision = i64::from(rig.size.monitors) + 2 * i64::from(n) + step;
            let monitor = monitor_id(number);
            let change = MonitorChange::new(monitor, WorkspaceId(Uuid::from_u128(1)), revision, kind, "bench".to_owned(), now_us() / 1000);
            drop(producer.send(Record {
                topic: topic.clone(),
                key: Bytes::from(monitor.to_string()),
                value: Bytes::from(change.encode()?),
                headers: Vec::new(),
                timestamp_ms: None,
            })?);
        }
    }
    Ok(())
}
