//! Why checks were not up. History keeps outcome and latency of every slot and Redis the reason of the newest result alone,
//! so each gateway remembers the reasons that live updates told it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use model::{MonitorId, Outcome, Region, Slot};

use crate::api::{Check, LatestResult, ResultItem};

/// Reasons kept at once, over all monitors; the one heard first goes first. One takes about 300 bytes.
const MAX: usize = 50_000;

#[derive(Debug, Default)]
struct Inner {
    of: HashMap<MonitorId, BTreeMap<(Slot, Region), LatestResult>>,
    /// In the order they were heard.
    order: VecDeque<(MonitorId, Slot, Region)>,
}

/// The reasons this gateway heard. After a restart it knows those that come.
#[derive(Debug, Default)]
pub(crate) struct Reasons(Mutex<Inner>);

impl Reasons {
    /// Remembers a result that is not up. Of two for one slot the later one stays: it was published because it won.
    pub(crate) fn hear(&self, item: &ResultItem) {
        if item.result.outcome == Outcome::Up {
            return;
        }
        let inner = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (slot, region) = (item.result.slot, item.region.clone());
        if inner.of.entry(item.monitor).or_default().insert((slot, region.clone()), item.result.clone()).is_some() {
            return;
        }
        inner.order.push_back((item.monitor, slot, region));
        if inner.order.len() > MAX
            && let Some((monitor, slot, region)) = inner.order.pop_front()
            && let Some(heard) = inner.of.get_mut(&monitor)
        {
            heard.remove(&(slot, region));
            if heard.is_empty() {
                inner.of.remove(&monitor);
            }
        }
    }

    /// Adds what was heard to checks that came to the same outcome.
    pub(crate) fn explain(&self, monitor: MonitorId, checks: &mut [Check]) {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(heard) = inner.of.get(&monitor) else { return };
        for check in checks.iter_mut().filter(|check| check.outcome != Outcome::Up) {
            if let Some(result) = heard.get(&(check.slot, check.region.clone())) {
                check.explain(result);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use model::Cause;
    use uuid::Uuid;

    use super::*;

    fn monitor(n: u128) -> MonitorId {
        Uuid::from_u128(n).into()
    }

    fn local() -> Region {
        "local".parse().expect("a region")
    }

    fn item(n: u128, slot: Slot, outcome: Outcome, detail: &str) -> ResultItem {
        let result = LatestResult {
            slot,
            outcome,
            cause: Some(Cause::Timeout),
            detail: Some(detail.to_owned()),
            latency_us: None,
            phases: None,
            status: Some(503),
            certificate_expires_at: None,
            started_at: slot,
            revision: 1,
        };
        ResultItem { monitor: monitor(n), region: local(), result }
    }

    fn explained(reasons: &Reasons, n: u128, slot: Slot, outcome: Outcome) -> Option<String> {
        let check = Check { slot, region: local(), outcome, latency_us: None, cause: None, detail: None, status: None, phases: None };
        let mut checks = [check];
        reasons.explain(monitor(n), &mut checks);
        let [check] = checks;
        assert_eq!(check.cause.is_some(), check.status.is_some());
        check.detail
    }

    #[test]
    fn a_reason_belongs_to_its_slot_and_its_outcome() {
        let reasons = Reasons::default();
        reasons.hear(&item(1, 20, Outcome::Down, "late"));
        reasons.hear(&item(1, 10, Outcome::Unknown, "early"));
        reasons.hear(&item(1, 10, Outcome::Down, "won"));
        reasons.hear(&item(1, 30, Outcome::Up, "nothing to say"));
        assert_eq!(explained(&reasons, 1, 20, Outcome::Down).as_deref(), Some("late"));
        assert_eq!(explained(&reasons, 1, 10, Outcome::Down).as_deref(), Some("won"));
        assert_eq!(explained(&reasons, 1, 10, Outcome::Unknown), None, "history says otherwise");
        assert_eq!(explained(&reasons, 1, 30, Outcome::Up), None);
        assert_eq!(explained(&reasons, 2, 20, Outcome::Down), None, "another monitor's");
    }

    #[test]
    fn what_was_heard_first_goes_first() {
        let reasons = Reasons::default();
        reasons.hear(&item(1, 1, Outcome::Down, "first"));
        // Said again it takes no further place.
        reasons.hear(&item(1, 1, Outcome::Down, "first"));
        let max = Slot::try_from(MAX).expect("small");
        for slot in 2..=max {
            reasons.hear(&item(2, slot, Outcome::Down, "more"));
        }
        assert!(explained(&reasons, 1, 1, Outcome::Down).is_some());
        reasons.hear(&item(2, max + 1, Outcome::Down, "one too many"));
        assert_eq!(explained(&reasons, 1, 1, Outcome::Down), None);
        let inner = reasons.0.lock().expect("no panic");
        assert_eq!((inner.order.len(), inner.of.len(), inner.of[&monitor(2)].len()), (MAX, 1, MAX));
    }
}
