//! Slots that should have run while nobody did: after a take-over, a stall, a start, a change heard of late. One rule for all:
//! what was due since an entry's `until` gets a record, the newest by being made up for, the others as missed.

use std::sync::Arc;

use cache::Acquired;
use model::schedule::SHARDS;
use model::{Cause, Millis, Monitor, Shard, Slot};

use super::Engine;
use super::due::{due_since, due_slots, interval_at};
use super::missed::Missed;
use super::table::Table;
use super::timeline::Due;

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
pub(super) const MOST_RECORDED: usize = 400;
/// A monitor whose schedule is younger is checked at once.
const YOUNG_MS: Millis = 60_000;
/// What is made up for comes at this rate, or at an eighth of the usual rate if that is more.
const LEAST_PER_SECOND: f64 = 100.0;
/// First checks of new monitors, for which people wait, come at this rate, or at the usual rate if that is more.
const LEAST_FIRST_PER_SECOND: f64 = 1_000.0;
/// A slot is not made up for when the next one is this close.
const NEXT_IS_CLOSE_MS: Millis = 500;

impl Engine {
    /// A monitor came.
    pub(super) fn schedule_new(&mut self, index: u32, now: Millis) {
        let Some(held) = self.held_of(Table::shard_at(index)) else { return };
        let Some(entry) = self.table.get_mut(index) else { return };
        entry.until = match due_since(&entry.monitor, &self.tools.region) {
            None => now,
            Some(since) if now - entry.since < YOUNG_MS => since - 1,
            // Heard of late: what was due before the shard was ours is not ours to record.
            Some(since) => since.max(held.from) - 1,
        };
        self.look_at(index, now);
    }

    /// A monitor's segments are others than those of `before`.
    pub(super) fn reschedule(&mut self, index: u32, before: &Monitor, now: Millis) {
        let Some(held) = self.held_of(Table::shard_at(index)) else { return };
        let Some(entry) = self.table.get(index) else { return };
        let (monitor, until) = (Arc::clone(&entry.monitor), entry.until.min(now));
        // Heard of late: up to `until` the slots of `before` have a record, those that were due instead have none.
        if let Some(changed) = monitor.segments.iter().find(|segment| !before.segments.contains(segment)) {
            let region = self.tools.region.clone();
            let from = changed.from.max(held.from);
            self.miss(index, &monitor, from, until + 1, |slot| interval_at(before, &region, slot).is_none());
        }
        self.look_at(index, now);
    }

    /// Shards were acquired: every slot after `progress` is ours.
    pub(super) fn take_over(&mut self, taken: &[Acquired], now: Millis) {
        for Acquired { shard, progress, .. } in taken {
            let (known, gap) = match (*progress, self.ran.remove(shard)) {
                // While Redis was away nobody could tell it how far we came: what we ran is not missed.
                (Some(progress), Some((from, until))) if progress < until && until <= now => (Some(until), Some((progress + 1, from))),
                (progress, _) => (progress, None),
            };
            for index in self.table.of_shard(*shard) {
                self.table.outdate(index);
                if let Some((from, to)) = gap
                    && let Some(monitor) = self.table.get(index).map(|entry| Arc::clone(&entry.monitor))
                {
                    self.miss(index, &monitor, from, to, |_| true);
                }
                let Some(entry) = self.table.get_mut(index) else { continue };
                entry.until = match known {
                    Some(until) => until,
                    None if !entry.active => now,
                    // Nobody ever recorded any: of a monitor that is not much older, no slot is known to have been run.
                    None if now - entry.since < RECORDED_MS => entry.since - 1,
                    None => entry.schedule.at_or_before(now) - 1,
                };
                self.look_at(index, now);
            }
        }
    }

    /// A paused shard stays: what came due meanwhile is to be accounted for.
    pub(super) fn go_on(&mut self, shard: Shard, now: Millis) {
        for index in self.table.of_shard(shard) {
            if self.table.get(index).is_some_and(|entry| entry.next.is_none()) {
                self.look_at(index, now);
            }
        }
    }

    /// The clock was set back: what comes again is run again (slots run twice merge), and what was to be made up for still is.
    pub(super) fn follow_back(&mut self, now: Millis) {
        let queued: Vec<Due> = self.timeline.drain().collect();
        for shard in (0..SHARDS).map(Shard).filter(|shard| self.held_of(*shard).is_some()).collect::<Vec<_>>() {
            for index in self.table.of_shard(shard) {
                if let Some(entry) = self.table.get_mut(index) {
                    entry.until = entry.until.min(now);
                }
                self.look_at(index, now);
            }
        }
        for Due { slot, index, generation, .. } in queued.into_iter().filter(Due::made_up_for) {
            if slot <= now && self.table.current(index, generation).is_some() {
                self.make_up(index, slot, now, Urgency::Paced);
            } else {
                self.abandon(index, generation, slot);
            }
        }
    }

    /// Has an entry looked at with the next turn, where there may be something to account for.
    fn look_at(&mut self, index: u32, now: Millis) {
        let holds = self.holds(Table::shard_at(index));
        let Some(entry) = self.table.get_mut(index) else { return };
        entry.next = None;
        if holds && (entry.active || entry.until < entry.since - 1) {
            // All alike: in the order of their slots, those of a take-over would each be made up for just before its next.
            self.queue(index, now);
        }
    }

    pub(super) fn queue(&mut self, index: u32, at: Millis) {
        let Some(entry) = self.table.get_mut(index) else { return };
        entry.next = Some(at);
        self.timeline.push(Due { at, slot: at, index, generation: entry.generation });
    }

    /// Accounts for every slot due since the entry's `until`: the newest is run, those before it are missed.
    pub(super) fn catch_up(&mut self, index: u32, now: Millis) {
        let Some(entry) = self.table.get_mut(index) else { return };
        let until = std::mem::replace(&mut entry.until, now).min(now);
        let (shard, schedule, since, active) = (entry.shard, entry.schedule, entry.since, entry.active);
        let monitor = Arc::clone(&entry.monitor);
        let newest = schedule.at_or_before(now);
        let waited_for = std::mem::take(&mut entry.fresh) && now - entry.since < YOUNG_MS;
        let runs = active
            && match interval_at(&monitor, &self.tools.region, newest) {
                Some(_) => newest > until,
                // A person waits for a new one: its latest slot, though it was not due.
                None => waited_for && entry.last != Some(newest),
            };
        self.miss(index, &monitor, until + 1, now + 1, |slot| !runs || slot != newest);
        if runs {
            self.progress.open(shard, newest);
            self.tools.metrics.due.inc();
            self.make_up(index, newest, now, if waited_for { Urgency::WaitedFor } else { Urgency::Paced });
        }
        let next = if now < since {
            // The clock was set back to before the last change: what was due until then comes again.
            let mut again = due_slots(&monitor, &self.tools.region, now + 1, since);
            Some(again.next().map_or(since, |(slot, _)| slot))
        } else {
            active.then(|| schedule.after(now))
        };
        if let Some(next) = next {
            self.queue(index, next);
        }
    }

    /// Runs an open slot as soon as the pace allows, or gives it up where the next is near.
    pub(super) fn make_up(&mut self, index: u32, slot: Slot, now: Millis, urgency: Urgency) {
        let Some(entry) = self.table.get(index) else { return };
        let (next, generation) = (entry.schedule.after(slot.max(now)), entry.generation);
        let (pace, per_second) = match urgency {
            Urgency::WaitedFor => (&mut self.first_pace, self.rate.max(LEAST_FIRST_PER_SECOND)),
            Urgency::Paced => (&mut self.pace, (self.rate / 8.0).max(LEAST_PER_SECOND)),
        };
        if pace.peek(now) + NEXT_IS_CLOSE_MS >= next {
            self.give_up(index, generation, slot, Cause::NotRun);
            return;
        }
        // One tick later at least, so that it is told apart from a slot on time.
        let at = pace.take(now, per_second).max(slot + 1);
        self.timeline.push(Due { at, slot, index, generation });
    }

    /// Records as missed what was due in `[from, to)` and is `wanted`, opening each.
    fn miss(&mut self, index: u32, monitor: &Monitor, from: Millis, to: Millis, wanted: impl Fn(Slot) -> bool) {
        let shard = Table::shard_at(index);
        let Some(epoch) = self.epoch(shard) else { return };
        let missed: Vec<Missed> = due_slots(monitor, &self.tools.region, from.max(to - RECORDED_MS), to)
            .filter(|(slot, _)| wanted(*slot))
            .take(MOST_RECORDED)
            .map(|(slot, interval_ms)| Missed::new(monitor, epoch, slot, interval_ms, Cause::NotRun))
            .collect();
        self.tools.metrics.due.inc_by(missed.len() as u64);
        for one in &missed {
            self.progress.open(shard, one.slot);
        }
        self.report_missed(missed);
    }

    /// An open slot will not be run: it is missed, or, where it was not due or is nobody's any more, not waited for.
    pub(super) fn give_up(&mut self, index: u32, generation: u32, slot: Slot, cause: Cause) {
        let Some(entry) = self.table.current(index, generation) else {
            self.abandon(index, generation, slot);
            return;
        };
        let (shard, monitor) = (entry.shard, Arc::clone(&entry.monitor));
        let Some(epoch) = self.epoch(shard) else { return };
        match interval_at(&monitor, &self.tools.region, slot) {
            Some(interval_ms) => self.report_missed([Missed::new(&monitor, epoch, slot, interval_ms, cause)]),
            None => self.progress.close(shard, epoch, slot),
        }
    }

    /// What was opened for an entry that is gone, or comes again, is not waited for any more.
    pub(super) fn abandon(&mut self, index: u32, generation: u32, slot: Slot) {
        let shard = Table::shard_at(index);
        if let Some(held) = self.held_of(shard).filter(|held| held.opened(generation)) {
            self.progress.close(shard, held.epoch, slot);
        }
    }

    /// The usual rate of checks, which the pace of making up follows.
    pub(super) fn measure(&mut self) {
        self.rate = (0..SHARDS).map(Shard).filter(|shard| self.holds(*shard)).map(|shard| self.table.rate(shard)).sum();
    }
}
