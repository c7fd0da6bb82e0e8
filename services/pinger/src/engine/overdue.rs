//! Slots that should have run while nobody did: after a take-over, a stall, a start. The newest is made
//! up for, the others are recorded as missed.

use std::sync::Arc;
use std::time::Duration;

use model::{Cause, Millis, MonitorId, Shard, Slot};
use tokio::sync::mpsc;

use super::timeline::Due;
use super::{Engine, Tools};

/// A slot that was not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missed {
    pub(super) monitor: MonitorId,
    pub(super) revision: i64,
    pub(super) interval_ms: Millis,
    pub(super) epoch: u64,
    pub(super) slot: Slot,
    pub(super) cause: Cause,
}

/// Gaps further back are left to the reader of the configuration: a slot without a record is missed.
const RECORDED_MS: Millis = 3_600_000;
/// Of one monitor, at most this many are recorded at once.
const MOST_RECORDED: usize = 400;
/// Of missed slots, so many are reported before a pause: a take-over must not fill Kafka's queue, or checks go to the spool.
const AT_ONCE: usize = 200;
const PAUSE: Duration = Duration::from_millis(20);
/// Missed slots that wait to be handed over.
const MOST_UNREPORTED: usize = 200_000;
/// A monitor whose schedule is younger is checked at once.
const YOUNG_MS: Millis = 60_000;
/// A slot is not made up for when the next one is this close.
const NEXT_IS_CLOSE_MS: Millis = 500;

impl Engine {
    /// A monitor came, or its schedule changed.
    pub(super) fn schedule_new(&mut self, index: u32, now: Millis) {
        let Some(entry) = self.table.get(index) else { return };
        if !self.holds(entry.shard) {
            return;
        }
        let (schedule, shard, young) = (entry.schedule, entry.shard, now - entry.since < YOUNG_MS);
        self.rate += per_second(schedule.interval_ms);
        if young {
            // A person waits for it: its latest slot, whoever else ran it.
            let slot = schedule.at_or_before(now);
            self.progress.open(shard, slot);
            self.make_up(index, slot, now);
        } else {
            self.queue_next(index, now);
        }
    }

    /// A shard was acquired: every slot after `progress` is ours.
    pub(super) fn take_over(&mut self, shard: Shard, progress: Option<Millis>, now: Millis) {
        let indexes: Vec<u32> = self.table.iter().filter(|(_, entry)| entry.shard == shard).map(|(index, _)| index).collect();
        self.measure();
        for index in indexes {
            self.table.outdate(index);
            let Some(entry) = self.table.get(index) else { continue };
            let (schedule, since) = (entry.schedule, entry.since);
            let newest = schedule.at_or_before(now);
            // Where progress was never recorded, nothing is known to be missing: only the newest counts.
            let first = schedule.at_or_after(progress.map_or(newest, |progress| progress + 1).max(since));
            let young = now - since < YOUNG_MS;
            if first < newest {
                self.tools.metrics.due.inc_by(schedule.count(first, newest));
                self.miss_range(index, first, newest, Cause::NotRun);
            }
            if newest >= first || young {
                self.progress.open(shard, newest);
                self.tools.metrics.due.inc();
                self.make_up(index, newest, now);
            } else {
                self.queue_next(index, now);
            }
        }
    }

    /// Runs an open slot as soon as the pace allows, or records it as missed where the next is near.
    pub(super) fn make_up(&mut self, index: u32, slot: Slot, now: Millis) {
        let Some(entry) = self.table.get(index) else { return };
        let (schedule, generation) = (entry.schedule, entry.generation);
        let next = schedule.after(slot.max(now));
        if self.pace.peek(now) + NEXT_IS_CLOSE_MS >= next {
            if let Some(missed) = self.missed(index, slot, Cause::NotRun) {
                self.report_missed([missed]);
            }
            self.timeline.push(Due { at: next, slot: next, index, generation });
            return;
        }
        // One tick later at least, so that it is told apart from a slot on time.
        let at = self.pace.take(now, self.rate).max(slot + 1);
        self.timeline.push(Due { at, slot, index, generation });
    }

    fn queue_next(&mut self, index: u32, now: Millis) {
        let Some(entry) = self.table.get(index) else { return };
        let slot = entry.schedule.at_or_after(now);
        self.timeline.push(Due { at: slot, slot, index, generation: entry.generation });
    }

    /// Records the slots in `[from, to)`, as far as they are worth it, opening each.
    pub(super) fn miss_range(&mut self, index: u32, from: Slot, to: Slot, cause: Cause) {
        let Some(entry) = self.table.get(index) else { return };
        let (schedule, shard) = (entry.schedule, entry.shard);
        let from = from.max(to - RECORDED_MS);
        let missed: Vec<Missed> = schedule.slots(from, to).take(MOST_RECORDED).filter_map(|slot| self.missed(index, slot, cause)).collect();
        for one in &missed {
            self.progress.open(shard, one.slot);
        }
        self.report_missed(missed);
    }

    /// Takes note of missed slots (opened before); [`Engine::hand_over_missed`] passes them on.
    pub(super) fn report_missed(&mut self, missed: impl IntoIterator<Item = Missed>) {
        let before = self.unreported.len();
        self.unreported.extend(missed);
        if let Some(first) = self.unreported.get(before) {
            let count = self.unreported.len() - before;
            self.tools.metrics.missed.with_label_values(&[first.cause.as_str()]).inc_by(count as u64);
        }
    }

    /// Gives the task that reports them what was missed since the last time: a take-over of thousands of monitors is one message.
    pub(super) fn hand_over_missed(&mut self) {
        if self.unreported.is_empty() {
            return;
        }
        // Never waits here: while there is no room they stay.
        if let Ok(room) = self.missed.try_reserve() {
            room.send(std::mem::take(&mut self.unreported));
        } else if self.unreported.len() > MOST_UNREPORTED {
            // The records only explain what the configuration shows anyway: a slot without one is missed, too.
            tracing::warn!(slots = self.unreported.len(), "too many missed slots at once; these are not recorded one by one");
            for one in self.unreported.drain(..) {
                crate::report::close(&self.progress, one.monitor, one.epoch, one.slot);
            }
        }
    }

    /// The usual rate of checks, which the pace of making up follows.
    fn measure(&mut self) {
        self.rate =
            self.table.iter().filter(|(_, entry)| self.holds(entry.shard)).map(|(_, entry)| per_second(entry.schedule.interval_ms)).sum();
    }
}

fn per_second(interval_ms: Millis) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "intervals are far below 2^52 ms")]
    let interval_ms = interval_ms.max(1) as f64;
    1000.0 / interval_ms
}

/// Reports missed slots; run by a supervised task.
pub struct Reports {
    missed: mpsc::Receiver<Vec<Missed>>,
    tools: Arc<Tools>,
}

impl Reports {
    pub(super) fn new(missed: mpsc::Receiver<Vec<Missed>>, tools: Arc<Tools>) -> Self {
        Self { missed, tools }
    }

    /// Runs until the engine is gone.
    pub async fn run(mut self) {
        while let Some(missed) = self.missed.recv().await {
            service::crash_point!("pinger::missed_found");
            for (n, one) in missed.into_iter().enumerate() {
                if n % AT_ONCE == AT_ONCE - 1 {
                    tokio::time::sleep(PAUSE).await;
                }
                self.tools.reporter.report(&self.tools.missed_result(&one), false).await;
            }
        }
    }
}
