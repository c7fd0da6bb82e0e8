//! What is told of one monitor, held against its history: pure, so that each lie it must see is a test here.

use std::collections::BTreeSet;

use model::{Outcome, Slot};

use crate::log::INTERVAL_MS;
use crate::rows::alerts::copies::{OPENED, RESOLVED};

/// One alert as PostgreSQL has it.
pub(super) struct Alert {
    pub kind: String,
    /// Of the result that made it.
    pub slot: Slot,
    /// Of its delivery.
    pub state: String,
}

/// What history says of a monitor: its verdicts in order, and the slots that two pingers checked with opposite ones.
pub(super) struct Truth<'a> {
    pub verdicts: &'a [(Slot, Outcome)],
    pub contradicted: &'a BTreeSet<Slot>,
}

impl Truth<'_> {
    /// I6: what is wrong with a monitor's alerts, in order; and how often an incident was opened again, which it may only be where a slot
    /// of it came a second time with the opposite verdict.
    pub fn judge(&self, alerts: &[Alert]) -> (Vec<String>, usize) {
        let (mut faults, mut reopened) = (Vec::new(), 0);
        for run in self.verdicts.chunk_by(|a, b| a.1 == b.1).filter(|run| run.len() > 1 && run[0].1 == Outcome::Down) {
            let (first, last) = (run[0].0, run[run.len() - 1].0);
            let opened = alerts.iter().filter(|alert| alert.kind == OPENED && (first..=last).contains(&alert.slot)).count();
            let disputed = self.contradicted.range(first..=last + INTERVAL_MS).count();
            reopened += opened.saturating_sub(1);
            if !(1..=1 + disputed).contains(&opened) {
                faults.push(format!("down from {first} to {last}, opened {opened} times"));
            }
        }
        // Nothing is told but what a check showed: no false DOWN, no recovery of what is still down.
        for alert in alerts.iter().filter(|alert| !self.contradicted.contains(&alert.slot)) {
            let told = self.verdicts.binary_search_by_key(&alert.slot, |(slot, _)| *slot).ok().map(|at| self.verdicts[at].1);
            let shown = told.is_some_and(|outcome| (outcome == Outcome::Down) == (alert.kind == OPENED));
            if !shown {
                faults.push(format!("{} at {}, where history says {told:?}", alert.kind, alert.slot));
            }
        }
        if alerts.windows(2).any(|pair| pair[0].kind == pair[1].kind) || alerts.first().is_some_and(|first| first.kind != OPENED) {
            faults.push(format!("alerts do not alternate: {:?}", alerts.iter().map(|alert| &alert.kind).collect::<Vec<_>>()));
        }
        let open = alerts.last().is_some_and(|last| last.kind == OPENED);
        let down = self.verdicts.last().is_some_and(|last| last.1 == Outcome::Down);
        if open != down {
            faults.push(format!("it is {}, its last alert {:?}", if down { "down" } else { "up" }, alerts.last().map(|last| &last.kind)));
        }
        (faults, reopened)
    }
}

/// Of one monitor and one kind of alert, what Slack has of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Heard {
    pub copies: usize,
    /// Of these, those that say they may be repeats.
    pub repeats: usize,
}

impl Heard {
    /// I8: more messages than alerts, that do not say they may be repeats.
    pub fn beyond(self, alerts: &[Alert], kind: &str) -> bool {
        self.copies - self.repeats.min(self.copies) > alerts.iter().filter(|alert| alert.kind == kind).count()
    }

    /// I7: how many were sent and are not there. A group may have counted them instead.
    pub fn lacking(self, alerts: &[Alert], kind: &str) -> usize {
        alerts.iter().filter(|alert| alert.kind == kind && alert.state == "sent").count().saturating_sub(self.copies)
    }
}

/// Both kinds, in the order in which they come.
pub(super) const KINDS: [&str; 2] = [OPENED, RESOLVED];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(n: i64) -> Slot {
        n * INTERVAL_MS
    }

    fn alerts(of: &[(&str, i64)]) -> Vec<Alert> {
        of.iter().map(|(kind, n)| Alert { kind: (*kind).to_owned(), slot: at(*n), state: "sent".to_owned() }).collect()
    }

    fn faults(down: std::ops::Range<i64>, told: &[(&str, i64)], contradicted: &[i64]) -> usize {
        let verdicts: Vec<_> = (0..10).map(|n| (at(n), if down.contains(&n) { Outcome::Down } else { Outcome::Up })).collect();
        let contradicted = contradicted.iter().map(|n| at(*n)).collect();
        Truth { verdicts: &verdicts, contradicted: &contradicted }.judge(&alerts(told)).0.len()
    }

    #[test]
    fn what_is_told_as_it_was_is_no_fault() {
        assert_eq!(faults(3..6, &[(OPENED, 3), (RESOLVED, 6)], &[]), 0);
        assert_eq!(faults(3..10, &[(OPENED, 4)], &[]), 0);
        assert_eq!(faults(0..0, &[], &[]), 0);
        // Slot 4 came down and up: history keeps the worse, the alerter saw the other first.
        assert_eq!(faults(3..6, &[(OPENED, 3), (RESOLVED, 4), (OPENED, 5), (RESOLVED, 6)], &[4]), 0);
    }

    #[test]
    fn each_lie_about_alerts_is_seen() {
        assert!(faults(0..0, &[(OPENED, 3), (RESOLVED, 4)], &[]) > 0, "a false DOWN and its end");
        assert!(faults(3..6, &[(OPENED, 3), (RESOLVED, 5)], &[]) > 0, "recovered while it is down");
        assert!(faults(3..6, &[], &[]) > 0, "an outage that nobody told");
        assert!(faults(3..6, &[(OPENED, 3)], &[]) > 0, "a recovery that nobody told");
        assert!(faults(3..6, &[(OPENED, 3), (RESOLVED, 4), (OPENED, 5), (RESOLVED, 6)], &[]) > 0, "opened twice");
        assert!(faults(3..6, &[(OPENED, 3), (OPENED, 4), (RESOLVED, 6)], &[4]) > 0, "opened while open");
        assert!(faults(3..6, &[(OPENED, 3), (RESOLVED, 16)], &[]) > 0, "a slot that never was");
    }

    #[test]
    fn each_lie_about_messages_is_seen() {
        let told = alerts(&[(OPENED, 3), (RESOLVED, 6), (OPENED, 8)]);
        let heard = |copies, repeats| Heard { copies, repeats };
        assert_eq!((heard(2, 0).lacking(&told, OPENED), heard(2, 0).beyond(&told, OPENED)), (0, false));
        assert_eq!(heard(1, 0).lacking(&told, OPENED), 1, "a message that never came");
        assert!(heard(3, 0).beyond(&told, OPENED), "a message twice, not flagged");
        assert!(!heard(3, 1).beyond(&told, OPENED), "flagged, it is no lie");
    }
}
