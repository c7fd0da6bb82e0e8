//! Counts per outcome and the ratios made of them.

use crate::outcome::Outcome;

/// How many recorded slots came to each outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub up: u64,
    pub degraded: u64,
    pub down: u64,
    pub unknown: u64,
    pub missed: u64,
    pub maintenance: u64,
}

impl Counts {
    /// One more slot of this outcome.
    pub fn add(&mut self, outcome: Outcome) {
        self.add_many(outcome, 1);
    }

    pub fn add_many(&mut self, outcome: Outcome, n: u64) {
        let count = match outcome {
            Outcome::Up => &mut self.up,
            Outcome::Degraded => &mut self.degraded,
            Outcome::Down => &mut self.down,
            Outcome::Unknown => &mut self.unknown,
            Outcome::Missed => &mut self.missed,
            Outcome::Maintenance => &mut self.maintenance,
        };
        *count = count.saturating_add(n);
    }

    pub fn get(&self, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Up => self.up,
            Outcome::Degraded => self.degraded,
            Outcome::Down => self.down,
            Outcome::Unknown => self.unknown,
            Outcome::Missed => self.missed,
            Outcome::Maintenance => self.maintenance,
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for outcome in Outcome::ALL {
            self.add_many(outcome, other.get(outcome));
        }
    }

    /// Slots with a verdict about the target.
    pub fn verdicts(&self) -> u64 {
        self.up + self.degraded + self.down
    }

    pub fn total(&self) -> u64 {
        self.verdicts() + self.unknown + self.missed + self.maintenance
    }
}

/// Counts that add up to what was due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub due: u64,
    pub counts: Counts,
}

impl Tally {
    /// Holds `recorded` against `due`: what is due and has no other record is missed. Where more was
    /// recorded than was due (a slot still in its grace, or run while the schedule changed), that was due too.
    pub fn new(recorded: Counts, due: u64) -> Self {
        let run = recorded.total() - recorded.missed;
        let due = due.max(run);
        Self { due, counts: Counts { missed: due - run, ..recorded } }
    }

    pub fn merge(&mut self, other: &Self) {
        self.due += other.due;
        self.counts.merge(&other.counts);
    }

    /// (up + degraded) ÷ (up + degraded + down); none where there was no verdict.
    pub fn uptime(&self) -> Option<f64> {
        ratio(self.counts.up + self.counts.degraded, self.counts.verdicts())
    }

    /// (up + degraded + down) ÷ (due − maintenance); none where nothing was due.
    pub fn coverage(&self) -> Option<f64> {
        ratio(self.counts.verdicts(), self.due - self.counts.maintenance.min(self.due))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of slots stay far below 2^53")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts() -> impl Strategy<Value = Counts> {
        prop::array::uniform6(0_u64..10_000).prop_map(|[up, degraded, down, unknown, missed, maintenance]| Counts {
            up,
            degraded,
            down,
            unknown,
            missed,
            maintenance,
        })
    }

    proptest! {
        #[test]
        fn the_six_counts_are_what_was_due(recorded in counts(), due in 0_u64..60_000) {
            let tally = Tally::new(recorded, due);
            prop_assert_eq!(tally.counts.total(), tally.due);
            prop_assert!(tally.due >= due);
        }

        #[test]
        fn ratios_are_ratios(recorded in counts(), due in 0_u64..60_000) {
            let tally = Tally::new(recorded, due);
            for ratio in [tally.uptime(), tally.coverage()].into_iter().flatten() {
                prop_assert!((0.0..=1.0).contains(&ratio));
            }
            prop_assert_eq!(tally.uptime().is_none(), recorded.verdicts() == 0);
        }

        #[test]
        fn silence_never_raises_anything(recorded in counts(), due in 0_u64..60_000, lost in 1_u64..100) {
            // Slots that left no record lower coverage and leave uptime alone.
            let whole = Tally::new(recorded, due + recorded.total());
            let silent = Tally::new(recorded, due + recorded.total() + lost);
            prop_assert_eq!(whole.uptime(), silent.uptime());
            prop_assert!(silent.coverage() <= whole.coverage() || whole.coverage().is_none());
        }

        #[test]
        fn merging_adds(a in counts(), b in counts(), due_a in 0_u64..60_000, due_b in 0_u64..60_000) {
            let (mut ab, mut ba) = (Tally::new(a, due_a), Tally::new(b, due_b));
            let (first, second) = (ab, ba);
            ab.merge(&second);
            ba.merge(&first);
            prop_assert_eq!(ab, ba);
            prop_assert_eq!(ab.counts.total(), ab.due);
        }
    }

    #[test]
    fn maintenance_leaves_both_ratios() {
        let recorded = Counts { up: 8, down: 2, maintenance: 10, ..Counts::default() };
        let tally = Tally::new(recorded, 25);
        assert_eq!(tally.counts.missed, 5);
        assert_eq!(tally.uptime(), Some(0.8));
        assert_eq!(tally.coverage(), Some(10.0 / 15.0));
    }

    #[test]
    fn nothing_due_has_no_ratio() {
        let tally = Tally::new(Counts::default(), 0);
        assert_eq!((tally.uptime(), tally.coverage()), (None, None));
        let only_maintenance = Tally::new(Counts { maintenance: 4, ..Counts::default() }, 4);
        assert_eq!((only_maintenance.uptime(), only_maintenance.coverage()), (None, None));
    }
}
