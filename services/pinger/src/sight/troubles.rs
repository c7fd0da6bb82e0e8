//! Monitors whose last check failed by a trouble of ours. Where they are half of those checked lately,
//! it is not one monitor's settings.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use model::MonitorId;
use model::sight::BlindReason;

/// Checks older than this say nothing any more.
const WINDOW: Duration = Duration::from_secs(90);
/// One monitor in trouble is that monitor's.
const FEWEST: usize = 2;

#[derive(Debug, Default)]
pub struct Troubles {
    checked: HashMap<MonitorId, Checked>,
    /// Of `checked`; zero spares the walk.
    troubled: usize,
}

#[derive(Debug)]
struct Checked {
    at: Instant,
    reason: Option<BlindReason>,
    /// Checks in trouble in a row.
    streak: u64,
}

impl Troubles {
    pub fn note(&mut self, monitor: MonitorId, reason: Option<BlindReason>, now: Instant) {
        let known = self.checked.entry(monitor).or_insert(Checked { at: now, reason: None, streak: 0 });
        let was = known.reason.is_some();
        known.at = now;
        known.streak = if reason.is_some() { known.streak + 1 } else { 0 };
        known.reason = reason;
        self.troubled = self.troubled + usize::from(reason.is_some()) - usize::from(was);
    }

    /// Why we see nothing, if half of the monitors checked lately say so; and how many checks that were.
    pub fn blind(&mut self, now: Instant) -> Option<(BlindReason, u64)> {
        if self.troubled == 0 {
            return None;
        }
        self.checked.retain(|_, one| now.saturating_duration_since(one.at) < WINDOW);
        self.troubled = self.checked.values().filter(|one| one.reason.is_some()).count();
        if self.troubled < FEWEST || self.troubled * 2 < self.checked.len() {
            return None;
        }
        let mut by_reason: HashMap<BlindReason, usize> = HashMap::new();
        let mut slots = 0;
        for one in self.checked.values() {
            if let Some(reason) = one.reason {
                *by_reason.entry(reason).or_default() += 1;
                slots += one.streak;
            }
        }
        by_reason.into_iter().max_by_key(|(reason, count)| (*count, *reason)).map(|(reason, _)| (reason, slots))
    }

    /// The network is back: what failed by it is checked again in its own time.
    pub fn forget(&mut self, reason: BlindReason) {
        for one in self.checked.values_mut().filter(|one| one.reason == Some(reason)) {
            (one.reason, one.streak) = (None, 0);
            self.troubled -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn half_of_the_monitors_and_at_least_two_make_a_blindness() {
        let (mut troubles, now) = (Troubles::default(), Instant::now());
        let monitor = |n| MonitorId(Uuid::from_u128(n));
        troubles.note(monitor(0), Some(BlindReason::Resolver), now);
        assert_eq!(troubles.blind(now), None, "one is that monitor's");
        troubles.note(monitor(0), Some(BlindReason::Resolver), now);
        troubles.note(monitor(1), Some(BlindReason::Resolver), now);
        assert_eq!(troubles.blind(now), Some((BlindReason::Resolver, 3)));
        for n in 2..5 {
            troubles.note(monitor(n), None, now);
        }
        assert_eq!(troubles.blind(now), None, "two of five");
        troubles.note(monitor(2), Some(BlindReason::Resources), now);
        assert_eq!(troubles.blind(now).map(|(reason, _)| reason), Some(BlindReason::Resolver));
        troubles.forget(BlindReason::Resolver);
        assert_eq!(troubles.blind(now), None);
        assert_eq!(troubles.blind(now + WINDOW), None);
        assert!(troubles.checked.is_empty());
    }
}
