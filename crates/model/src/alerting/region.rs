//! One region's evidence: consecutive failures and successes, counted by slots and not by arrivals.

use serde::{Deserialize, Serialize};

use super::policy::Policy;
use crate::clock::Millis;
use crate::outcome::{Cause, Outcome, known_cause};
use crate::result::CheckResult;
use crate::schedule::Slot;

/// Samples older than this behind the newest are folded away: a result that is later changes nothing.
const WINDOW_MS: Millis = 3_600_000;
/// Whatever the interval, no more samples are kept.
const WINDOW_SAMPLES: usize = 512;

/// A verdict about the target in one slot. `unknown`, `missed` and `maintenance` are none, so they
/// neither count nor reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Sample(Slot, Outcome);

impl Sample {
    fn down(self) -> bool {
        self.1 == Outcome::Down
    }
}

/// What a region was confirmed to be, after enough consecutive samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    pub down: bool,
    /// The first slot of the run.
    pub since: Slot,
    /// The slot that confirmed it.
    pub at: Slot,
}

/// The newest failure of a region, in words for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub slot: Slot,
    #[serde(default, deserialize_with = "known_cause")]
    pub cause: Option<Cause>,
    pub detail: Option<String>,
}

/// Samples of one kind in a row, and what they confirmed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    down: bool,
    /// How many in a row; saturates at [`Policy::settling`].
    count: u8,
    first: Slot,
    confirmed: Option<Confirmed>,
}

impl Run {
    fn step(&mut self, policy: &Policy, sample: Sample) {
        let down = sample.down();
        if self.count > 0 && self.down == down {
            self.count = self.count.saturating_add(1);
        } else {
            *self = Self { down, count: 1, first: sample.0, confirmed: self.confirmed };
        }
        let enough = match self.confirmed {
            Some(confirmed) if confirmed.down == down => false,
            // Nothing is known to be wrong, so the first success is enough.
            None if !down => true,
            _ => self.count >= if down { policy.failures_to_open } else { policy.successes_to_close },
        };
        if enough {
            self.confirmed = Some(Confirmed { down, since: self.first, at: sample.0 });
        }
        self.count = self.count.min(policy.failures_to_open.max(policy.successes_to_close));
    }
}

/// What became of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    New,
    /// The slot is known, with this or a worse verdict.
    Duplicate,
    /// The slot is older than what later ones have settled.
    Settled,
}

/// The newest samples of one region, in slot order, over the run that older ones left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionState {
    base: Run,
    /// Samples up to here are in `base`.
    settled: Option<Slot>,
    window: Vec<Sample>,
    /// The newest slot heard of, whatever its outcome.
    heard: Option<Slot>,
    failure: Option<Failure>,
}

impl RegionState {
    /// All that an incident tells of a region it was seen in.
    pub(super) fn down(since: Slot, at: Slot, cause: Option<Cause>, detail: Option<String>) -> Self {
        let confirmed = Some(Confirmed { down: true, since, at });
        Self {
            base: Run { down: true, count: 1, first: since, confirmed },
            settled: Some(at),
            window: Vec::new(),
            heard: Some(at),
            failure: Some(Failure { slot: at, cause, detail }),
        }
    }

    /// The newest slot with a verdict about the target.
    pub fn newest(&self) -> Option<Slot> {
        self.window.last().map(|sample| sample.0).or(self.settled)
    }

    /// The newest slot of any outcome.
    pub fn heard(&self) -> Option<Slot> {
        self.heard
    }

    /// The newest sample's outcome.
    pub fn outcome(&self) -> Option<Outcome> {
        self.window.last().map(|sample| sample.1)
    }

    /// What the newest failure said.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// What the samples confirm under `policy`, independent of the order in which they came.
    pub fn confirmed(&self, policy: &Policy) -> Option<Confirmed> {
        self.run(policy).confirmed
    }

    /// Nothing but successes in sight: a state that need not be written often.
    pub fn is_steady(&self, policy: &Policy) -> bool {
        let run = self.run(policy);
        run.confirmed.is_some_and(|confirmed| !confirmed.down) && self.window.iter().all(|sample| !sample.down())
    }

    fn run(&self, policy: &Policy) -> Run {
        let mut run = self.base;
        self.window.iter().for_each(|sample| run.step(policy, *sample));
        run
    }

    /// Notes that a slot was heard of, whether or not it says something about the target.
    pub(super) fn hear(&mut self, slot: Slot) {
        self.heard = self.heard.max(Some(slot));
    }

    /// Takes a verdict about the target.
    pub(super) fn take(&mut self, policy: &Policy, result: &CheckResult) -> Taken {
        if self.settled.is_some_and(|settled| result.slot <= settled) {
            return Taken::Settled;
        }
        match self.window.binary_search_by_key(&result.slot, |sample| sample.0) {
            Ok(at) => match self.window.get_mut(at) {
                Some(known) if result.outcome.merge_rank() > known.1.merge_rank() => known.1 = result.outcome,
                _ => return Taken::Duplicate,
            },
            Err(at) => self.window.insert(at, Sample(result.slot, result.outcome)),
        }
        if result.outcome == Outcome::Down && self.failure.as_ref().is_none_or(|failure| failure.slot <= result.slot) {
            self.failure = Some(Failure { slot: result.slot, cause: result.cause, detail: result.detail.clone() });
        }
        self.trim(policy);
        Taken::New
    }

    /// Folds away what no later arrival could change: everything before a gapless run long enough to
    /// settle the region, and whatever is too old to matter.
    fn trim(&mut self, policy: &Policy) {
        let keep = policy.settling().max(3);
        let Some(newest) = self.newest() else { return };
        let mut cut = self.window.partition_point(|sample| sample.0 < newest - WINDOW_MS);
        cut = cut.max(self.window.len().saturating_sub(WINDOW_SAMPLES));
        let mut gapless = 1;
        for (i, pair) in self.window.windows(2).enumerate() {
            let [before, after] = pair else { continue };
            let continues = before.down() == after.down() && after.0 - before.0 == policy.interval_ms;
            gapless = if continues { gapless + 1 } else { 1 };
            if gapless >= keep {
                cut = cut.max(i + 2 - keep);
            }
        }
        for sample in self.window.drain(..cut) {
            self.base.step(policy, sample);
            self.settled = Some(sample.0);
        }
    }
}
