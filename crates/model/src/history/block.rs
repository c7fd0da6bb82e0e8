//! The set of checks of one hour.

use crate::clock::Millis;
use crate::history::entry::Entry;
use crate::outcome::Outcome;
use crate::uptime::{Counts, Latencies, Sample};

/// Checks of one monitor in one region in one hour, at most one per slot, sorted by slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    entries: Vec<Entry>,
}

impl Block {
    pub fn new() -> Self {
        Self::default()
    }

    /// `entries` must be sorted by offset, no offset twice.
    pub(super) fn from_sorted(entries: Vec<Entry>) -> Self {
        Self { entries }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Adds one check; says whether the block is another now.
    pub fn insert(&mut self, entry: Entry) -> bool {
        // Slots mostly come in order.
        if self.entries.last().is_none_or(|last| last.offset_ms() < entry.offset_ms()) {
            self.entries.push(entry);
            return true;
        }
        match self.entries.binary_search_by_key(&entry.offset_ms(), |known| known.offset_ms()) {
            Ok(at) => {
                let stands = self.entries[at].winner(entry);
                let changed = stands != self.entries[at];
                self.entries[at] = stands;
                changed
            }
            Err(at) => {
                self.entries.insert(at, entry);
                true
            }
        }
    }

    /// Unites with another block of the same hour; says whether this one is another now.
    pub fn merge(&mut self, other: &Self) -> bool {
        if other.entries.is_empty() {
            return false;
        }
        let mut merged = Vec::with_capacity(self.entries.len().max(other.entries.len()));
        let (mut ours, mut theirs) = (self.entries.iter().peekable(), other.entries.iter().peekable());
        loop {
            let next = match (ours.peek(), theirs.peek()) {
                (Some(a), Some(b)) if a.offset_ms() == b.offset_ms() => {
                    let stands = a.winner(**b);
                    ours.next();
                    theirs.next();
                    stands
                }
                (Some(a), Some(b)) if a.offset_ms() > b.offset_ms() => {
                    let next = **b;
                    theirs.next();
                    next
                }
                (Some(a), _) => {
                    let next = **a;
                    ours.next();
                    next
                }
                (None, Some(b)) => {
                    let next = **b;
                    theirs.next();
                    next
                }
                (None, None) => break,
            };
            merged.push(next);
        }
        let changed = merged != self.entries;
        self.entries = merged;
        changed
    }

    pub fn counts(&self) -> Counts {
        let mut codes = [0_u64; Outcome::ALL.len()];
        for entry in &self.entries {
            codes[usize::from(entry.outcome().code())] += 1;
        }
        let mut counts = Counts::default();
        for outcome in Outcome::ALL {
            counts.add_many(outcome, codes[usize::from(outcome.code())]);
        }
        counts
    }

    /// Latencies of the checks whose target answered (up and degraded), µs, unsorted.
    pub fn answered_us(&self) -> Vec<u32> {
        let answered = self.entries.iter().filter(|entry| matches!(entry.outcome(), Outcome::Up | Outcome::Degraded));
        answered.filter_map(|entry| entry.latency_us()).collect()
    }

    /// Percentiles of [`Self::answered_us`].
    pub fn latencies(&self) -> Latencies {
        Latencies::of(&mut self.answered_us())
    }

    /// The checks with their absolute slots; `hour` is the beginning of the block's hour.
    pub fn samples(&self, hour: Millis) -> impl DoubleEndedIterator<Item = Sample> + '_ {
        self.entries.iter().map(move |entry| Sample {
            slot: hour + Millis::from(entry.offset_ms()),
            outcome: entry.outcome(),
            latency_us: entry.latency_us(),
        })
    }
}

impl FromIterator<Entry> for Block {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let mut block = Self::new();
        for entry in entries {
            block.insert(entry);
        }
        block
    }
}
