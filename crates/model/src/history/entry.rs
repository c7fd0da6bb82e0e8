//! One check of an hour in eight bytes, ordered by slot.

use crate::clock::Millis;
use crate::history::HOUR_MS;
use crate::outcome::Outcome;

/// (offset in the hour, outcome, latency), packed: 24 bits of offset, 8 of outcome, 32 of latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry(u64);

/// Latencies are kept in steps of 100 µs.
const STEP_US: u32 = 100;
const NO_LATENCY: u32 = u32::MAX;

impl Entry {
    /// `offset_ms` is clamped into the hour; `latency_us` is rounded to the nearest 100 µs.
    pub fn new(offset_ms: Millis, outcome: Outcome, latency_us: Option<u32>) -> Self {
        let steps = latency_us.map(|us| us / STEP_US + u32::from(us % STEP_US >= STEP_US / 2));
        Self::from_steps(u32::try_from(offset_ms.clamp(0, HOUR_MS - 1)).unwrap_or(0), outcome, steps)
    }

    pub(super) fn from_steps(offset_ms: u32, outcome: Outcome, steps: Option<u32>) -> Self {
        Self(u64::from(offset_ms) << 40 | u64::from(outcome.code()) << 32 | u64::from(steps.unwrap_or(NO_LATENCY)))
    }

    /// Milliseconds since the beginning of the hour.
    pub fn offset_ms(self) -> u32 {
        (self.0 >> 40) as u32
    }

    pub fn outcome(self) -> Outcome {
        // Only codes of outcomes are ever packed.
        Outcome::from_code((self.0 >> 32 & 0xff) as u8).unwrap_or(Outcome::Unknown)
    }

    /// In steps of 100 µs.
    #[expect(clippy::cast_possible_truncation, reason = "the low half is the latency")]
    pub(super) fn steps(self) -> Option<u32> {
        let steps = self.0 as u32;
        (steps != NO_LATENCY).then_some(steps)
    }

    /// Rounded to 100 µs.
    pub fn latency_us(self) -> Option<u32> {
        self.steps().map(|steps| steps.saturating_mul(STEP_US))
    }

    /// Which of two entries of one slot stands: the outcome that outranks, then the lower latency
    /// (none is the highest). Total, so that merging commutes.
    #[must_use]
    pub fn winner(self, other: Self) -> Self {
        let rank = |entry: Self| (entry.outcome().merge_rank(), std::cmp::Reverse(entry.steps().unwrap_or(NO_LATENCY)));
        if rank(other) > rank(self) { other } else { self }
    }
}
