//! What runs when: a heap of due instants on the wall clock, 24 bytes per monitor.
//!
//! No timer wheel such as tokio-util's DelayQueue: that counts from the monotonic clock, and a step of the wall clock, by which slots are
//! due, would mean every entry anew. How late it runs: P6, P7l and P10 of docs/performance.md, beside a bare loop over a heap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use model::{Millis, Slot};

/// A slot that will be run. Ordered by `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    /// When; later than `slot` where the slot is made up for.
    pub(crate) at: Millis,
    pub(crate) slot: Slot,
    /// Which entry of the table, and of which generation.
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl Due {
    /// Opened already and to be run later than its slot; anything else is opened when it is due.
    pub(crate) fn made_up_for(&self) -> bool {
        self.at != self.slot
    }
}

#[derive(Debug, Default)]
pub(crate) struct Timeline {
    heap: BinaryHeap<Reverse<Due>>,
}

impl Timeline {
    pub(crate) fn push(&mut self, due: Due) {
        self.heap.push(Reverse(due));
    }

    /// The next one that is due by `now`.
    pub(crate) fn pop(&mut self, now: Millis) -> Option<Due> {
        self.heap.peek().filter(|Reverse(due)| due.at <= now)?;
        self.heap.pop().map(|Reverse(due)| due)
    }

    pub(crate) fn next_at(&self) -> Option<Millis> {
        self.heap.peek().map(|Reverse(due)| due.at)
    }

    /// Empties it.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Due> {
        self.heap.drain().map(|Reverse(due)| due)
    }
}

/// Spreads what is made up for (after a take-over, a start, a stall), so that it does not all run at once.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    next_us: i64,
}

impl Pace {
    /// The next free instant of so many per second, at `now` or later.
    pub(crate) fn take(&mut self, now: Millis, per_second: f64) -> Millis {
        let at = self.next_us.max(now * 1000);
        #[expect(clippy::cast_possible_truncation, reason = "microseconds between two of at least one per second")]
        let step = (1_000_000.0 / per_second.max(1.0)) as i64;
        self.next_us = at + step.max(1);
        at / 1000
    }

    /// The instant `take` would give.
    pub(crate) fn peek(&self, now: Millis) -> Millis {
        self.next_us.max(now * 1000) / 1000
    }

    /// After a step of the clock.
    pub(crate) fn reset(&mut self) {
        self.next_us = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_nothing_before_its_time() {
        let due = |at| Due { at, slot: at, index: 0, generation: 0 };
        let mut timeline = Timeline::default();
        for at in [30, 10, 20] {
            timeline.push(due(at));
        }
        assert_eq!(timeline.next_at(), Some(10));
        assert_eq!(timeline.pop(9), None);
        assert_eq!([timeline.pop(25), timeline.pop(25), timeline.pop(25)], [Some(due(10)), Some(due(20)), None]);
    }

    #[test]
    fn what_is_made_up_for_is_spread() {
        let mut pace = Pace::default();
        let times: Vec<_> = (0..5).map(|_| pace.take(1_000, 100.0)).collect();
        assert_eq!(times, [1_000, 1_010, 1_020, 1_030, 1_040]);
        assert_eq!(pace.take(5_000, 1_000.0), 5_000);
        assert_eq!(pace.take(5_000, 1_000.0), 5_001);
    }
}
