//! Whether the silence of a canary says anything. One that stays silent beside targets that answer is dead
//! itself, or forbidden to us; it is reported, and asked on, and heard again once it answers.

use std::time::{Duration, Instant};

/// A canary that is silent alone is distrusted after so long.
const ALONE: Duration = Duration::from_secs(60);
/// All of several together: that is far likelier our own network.
const TOGETHER: Duration = Duration::from_secs(300);
/// Silent looks in a row; one may be a lost packet.
const LOOKS: u32 = 3;
/// Checks that were answered meanwhile.
const ANSWERS: u64 = 2;

/// What is known of each canary.
#[derive(Debug, Default)]
pub struct Trust(Vec<Option<Silence>>);

#[derive(Debug, Clone, Copy)]
struct Silence {
    since: Instant,
    looks: u32,
    /// Checks of targets since then that were answered, and that were not.
    answered: u64,
    failed: u64,
    distrusted: bool,
}

impl Trust {
    pub fn of(canaries: usize) -> Self {
        Self(vec![None; canaries])
    }

    /// Whether its silence counts.
    pub fn trusts(&self, canary: usize) -> bool {
        !matches!(self.0.get(canary), Some(Some(Silence { distrusted: true, .. })))
    }

    pub fn distrusted(&self) -> usize {
        self.0.iter().flatten().filter(|silence| silence.distrusted).count()
    }

    /// A check of a target ended.
    pub fn checked(&mut self, answered: bool) {
        for silence in self.0.iter_mut().flatten() {
            *(if answered { &mut silence.answered } else { &mut silence.failed }) += 1;
        }
    }

    /// All canaries were asked at `now`; `answers` in their order. Gives those whose trust changed, and to what.
    pub fn asked(&mut self, answers: &[bool], now: Instant) -> Vec<(usize, bool)> {
        let lone = answers.iter().any(|answered| *answered) || self.0.len() - self.distrusted() <= 1;
        let mut changed = Vec::new();
        for (n, (known, answered)) in self.0.iter_mut().zip(answers).enumerate() {
            if *answered {
                if known.take().is_some_and(|silence| silence.distrusted) {
                    changed.push((n, true));
                }
                continue;
            }
            let silence = known.get_or_insert(Silence { since: now, looks: 0, answered: 0, failed: 0, distrusted: false });
            silence.looks += 1;
            let silent = now.saturating_duration_since(silence.since) >= if lone { ALONE } else { TOGETHER };
            // A storm takes a part of the targets with it; a cut takes nearly all.
            let answers = silence.answered >= ANSWERS && silence.failed * 3 <= silence.answered;
            if !silence.distrusted && silent && silence.looks >= LOOKS && answers {
                silence.distrusted = true;
                changed.push((n, false));
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks for `seconds`, one each ten, with `answered` and `failed` checks between two of them.
    fn look(trust: &mut Trust, answers: &[bool], seconds: u64, answered: u64, failed: u64) -> Vec<(usize, bool)> {
        let begin = Instant::now();
        let mut changed = Vec::new();
        for n in 0..=seconds / 10 {
            changed.extend(trust.asked(answers, begin + Duration::from_secs(n * 10)));
            (0..answered).for_each(|_| trust.checked(true));
            (0..failed).for_each(|_| trust.checked(false));
        }
        changed
    }

    #[test]
    fn a_dead_canary_beside_targets_that_answer_is_distrusted_and_heard_again() {
        let mut trust = Trust::of(1);
        assert_eq!(look(&mut trust, &[false], 50, 5, 0), []);
        assert!(trust.trusts(0), "not yet");
        assert_eq!(look(&mut Trust::of(1), &[false], 60, 5, 1), [(0, false)], "a storm beside it changes nothing");
        let mut trust = Trust::of(3);
        assert_eq!(look(&mut trust, &[true, false, true], 60, 1, 0), [(1, false)]);
        assert_eq!((trust.trusts(0), trust.trusts(1), trust.distrusted()), (true, false, 1));
        assert_eq!(trust.asked(&[true, true, true], Instant::now()), [(1, true)]);
        assert!(trust.trusts(1));
    }

    #[test]
    fn a_cut_distrusts_nobody() {
        assert_eq!(look(&mut Trust::of(1), &[false], 600, 0, 5), []);
        assert_eq!(look(&mut Trust::of(1), &[false], 600, 0, 0), [], "nothing answers");
        // Our own uplink gone, with half of the targets on this side of it.
        assert_eq!(look(&mut Trust::of(3), &[false; 3], 600, 5, 5), []);
        assert_eq!(look(&mut Trust::of(3), &[false; 3], 290, 5, 0), [], "all of them together: patience");
        assert_eq!(look(&mut Trust::of(3), &[false; 3], 300, 5, 0).len(), 3, "a rule forbids us the canaries alone");
    }
}
