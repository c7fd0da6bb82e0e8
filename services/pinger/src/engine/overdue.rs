//! Slots that should have run while nobody did: after a take-over, a stall, a start. The newest is made
//! up for, the others are recorded as missed.

use std::sync::Arc;
use std::time::Duration;

use cache::Acquired;
use model::schedule::{SHARDS, segment_windows};
use model::{Cause, Millis, MonitorId, Schedule, Shard, Slot};
use tokio::sync::mpsc;

use super::table::Table;
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

/// How soon a slot is made up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// The first check of a monitor that somebody has just made.
    WaitedFor,
    /// One of many after a take-over, a start, a stall.
    Paced,
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
/// What is made up for comes at this rate, or at an eighth of the usual rate if that is more.
const LEAST_PER_SECOND: f64 = 100.0;
/// First checks of new monitors, for which people wait, come at this rate, or at the usual rate if that is more.
const LEAST_FIRST_PER_SECOND: f64 = 1_000.0;
/// A slot is not made up for when the next one is this close.
const NEXT_IS_CLOSE_MS: Millis = 500;

impl Engine {
    /// A monitor came, or its schedule changed.
    pub(super) fn schedule_new(&mut self, index: u32, now: Millis) {
        let Some(entry) = self.table.get(index) else { return };
        let since = entry.since;
        let Some(held) = self.held_of(entry.shard) else { return };
        if held.paused {
            self.queue_next(index, now);
        } else if now - since < YOUNG_MS {
            self.catch_up(index, since, now, Urgency::WaitedFor);
        } else {
            // Heard of late: what was due by it since then was not run, as far as it was ours.
            self.catch_up(index, since.max(held.from), now, Urgency::Paced);
        }
    }

    /// Shards were acquired: every slot after `progress` is ours.
    pub(super) fn take_over(&mut self, taken: &[Acquired], now: Millis) {
        // Together, since the pace follows the rate of them all.
        self.measure();
        for Acquired { shard, progress, .. } in taken {
            for index in self.table.of_shard(*shard) {
                self.table.outdate(index);
                let Some(entry) = self.table.get(index) else { continue };
                let from = match *progress {
                    Some(progress) => progress + 1,
                    // Nobody ever recorded any: of a monitor that is not much older, no slot is known to have been run.
                    None if now - entry.since < RECORDED_MS => entry.since,
                    None => entry.schedule.at_or_before(now),
                };
                self.catch_up(index, from, now, Urgency::Paced);
            }
        }
    }

    /// Accounts for every slot from `from` on: the newest is run, those before it are missed.
    fn catch_up(&mut self, index: u32, from: Millis, now: Millis, urgency: Urgency) {
        let Some(entry) = self.table.get(index) else { return };
        let (schedule, since, shard) = (entry.schedule, entry.since, entry.shard);
        let newest = schedule.at_or_before(now);
        if from < since {
            self.miss_earlier(index, from.max(now - RECORDED_MS));
        }
        let first = schedule.at_or_after(from.max(since).max(newest - RECORDED_MS));
        if first < newest {
            self.tools.metrics.due.inc_by(schedule.count(first, newest));
            self.miss_range(index, first, newest, Cause::NotRun);
        }
        // A person waits for a new one: its latest slot, whoever else ran it.
        if newest >= first || now - since < YOUNG_MS {
            self.progress.open(shard, newest);
            self.tools.metrics.due.inc();
            self.make_up(index, newest, now, urgency);
        } else {
            self.queue_next(index, now);
        }
    }

    /// Runs an open slot as soon as the pace allows, or records it as missed where the next is near.
    pub(super) fn make_up(&mut self, index: u32, slot: Slot, now: Millis, urgency: Urgency) {
        let Some(entry) = self.table.get(index) else { return };
        let (schedule, generation, shard, since) = (entry.schedule, entry.generation, entry.shard, entry.since);
        let next = schedule.after(slot.max(now));
        let (pace, per_second) = match urgency {
            Urgency::WaitedFor => (&mut self.first_pace, self.rate.max(LEAST_FIRST_PER_SECOND)),
            Urgency::Paced => (&mut self.pace, (self.rate / 8.0).max(LEAST_PER_SECOND)),
        };
        if pace.peek(now) + NEXT_IS_CLOSE_MS >= next {
            if slot < since {
                // Of a new monitor: due before it was made, so not missed either.
                self.progress.close(shard, self.epoch(shard).unwrap_or_default(), slot);
            } else if let Some(missed) = self.missed(index, slot, Cause::NotRun) {
                self.report_missed([missed]);
            }
            self.timeline.push(Due { at: next, slot: next, index, generation });
            return;
        }
        // One tick later at least, so that it is told apart from a slot on time.
        let at = pace.take(now, per_second).max(slot + 1);
        self.timeline.push(Due { at, slot, index, generation });
    }

    pub(super) fn queue_next(&mut self, index: u32, now: Millis) {
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
        self.open_missed(shard, missed);
    }

    /// The same of slots since `from` that were due by the schedules before the present one.
    fn miss_earlier(&mut self, index: u32, from: Millis) {
        let Some(entry) = self.table.get(index) else { return };
        let (Some(epoch), shard, region) = (self.epoch(entry.shard), entry.shard, &self.tools.region) else { return };
        let (monitor, revision) = (entry.monitor.id, entry.monitor.revision);
        let missed: Vec<Missed> = segment_windows(&entry.monitor.segments, from, entry.since)
            .filter(|(segment, ..)| segment.active && segment.regions.contains(region))
            .flat_map(|(segment, start, end)| {
                let interval_ms = segment.interval_ms;
                let slots = Schedule::new(monitor, region, interval_ms).slots(start, end);
                slots.map(move |slot| Missed { monitor, revision, interval_ms, epoch, slot, cause: Cause::NotRun })
            })
            .take(MOST_RECORDED)
            .collect();
        self.tools.metrics.due.inc_by(missed.len() as u64);
        self.open_missed(shard, missed);
    }

    fn open_missed(&mut self, shard: Shard, missed: Vec<Missed>) {
        for one in &missed {
            self.progress.open(shard, one.slot);
        }
        self.report_missed(missed);
    }

    /// An open slot will not be run: it is missed, or not waited for any more.
    pub(super) fn give_up(&mut self, index: u32, generation: u32, slot: Slot, cause: Cause) {
        if self.table.current(index, generation).is_some() {
            let missed = self.missed(index, slot, cause);
            self.report_missed(missed);
        } else {
            self.abandon(index, generation, slot);
        }
    }

    /// What was opened for an entry that is gone, or has another schedule now, is not waited for any more.
    pub(super) fn abandon(&mut self, index: u32, generation: u32, slot: Slot) {
        let shard = Table::shard_at(index);
        if let Some(held) = self.held_of(shard).filter(|held| held.opened(generation)) {
            self.progress.close(shard, held.epoch, slot);
        }
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
    pub(super) fn measure(&mut self) {
        self.rate = (0..SHARDS).map(Shard).filter(|shard| self.holds(*shard)).map(|shard| self.table.rate(shard)).sum();
    }
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
