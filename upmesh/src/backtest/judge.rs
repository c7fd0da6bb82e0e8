//! The alerter's fold over the log, with another policy.

use std::collections::HashMap;

use model::alerting::{Folded, MonitorState, Note, Policy, Transition, TransitionKind, close, fold};
use model::monitor::AlertPolicy;
use model::{Cause, CheckResult, IncidentId, Millis, Monitor, MonitorId, Region};

/// An incident the policy would have opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WouldBe {
    pub id: IncidentId,
    pub monitor: MonitorId,
    pub name: String,
    /// The first failing slot.
    pub since: Millis,
    /// The slot that opened it.
    pub detected: Millis,
    /// The first passing slot; absent while it is open.
    pub until: Option<Millis>,
    pub cause: Option<Cause>,
    pub regions: Vec<Region>,
    pub paused: bool,
}

struct Case {
    name: String,
    /// The policy from each instant on, oldest first: interval and regions were others before.
    policies: Vec<(Millis, Policy)>,
    state: MonitorState,
    /// The newest slot that was judged.
    newest: Millis,
}

impl Case {
    fn new(monitor: &Monitor, alert: &AlertPolicy) -> Self {
        let mut tested = monitor.clone();
        tested.spec.alert = alert.clone();
        let now = Policy::of(&tested);
        let policies = monitor.segments.iter().map(|segment| {
            let mut then = tested.clone();
            then.spec.regions.clone_from(&segment.regions);
            then.spec.paused = !segment.active;
            (segment.from, Policy { interval_ms: segment.interval_ms, ..Policy::of(&then) })
        });
        let mut policies: Vec<(Millis, Policy)> = policies.collect();
        if policies.is_empty() {
            policies.push((0, now));
        }
        Self { name: monitor.spec.name.clone(), policies, state: MonitorState::default(), newest: Millis::MIN }
    }

    /// The policy in force at an instant; the first one for what is older.
    fn policy_at(&self, slot: Millis) -> Option<&Policy> {
        let at = self.policies.partition_point(|(from, _)| *from <= slot);
        self.policies.get(at.saturating_sub(1)).map(|(_, policy)| policy)
    }

    /// When the monitor was paused after `after` and until `slot`.
    fn paused_between(&self, after: Millis, slot: Millis) -> Option<Millis> {
        self.policies.iter().find(|(from, policy)| !policy.active && *from > after && *from <= slot).map(|(from, _)| *from)
    }
}

/// Every monitor's case, and what came of them.
pub struct Judge {
    cases: HashMap<MonitorId, Case>,
    incidents: Vec<WouldBe>,
    /// Where an incident stands in the list.
    places: HashMap<IncidentId, usize>,
}

impl Judge {
    pub fn new(monitors: HashMap<MonitorId, Monitor>, alert: &AlertPolicy) -> Self {
        let cases = monitors.into_iter().map(|(id, monitor)| (id, Case::new(&monitor, alert))).collect();
        Self { cases, incidents: Vec::new(), places: HashMap::new() }
    }

    pub fn knows(&self, monitor: MonitorId) -> bool {
        self.cases.contains_key(&monitor)
    }

    /// The ids, to tell early which records matter.
    pub fn monitors(&self) -> impl Iterator<Item = MonitorId> {
        self.cases.keys().copied()
    }

    /// Folds one result, in the order of the log.
    pub fn take(&mut self, result: &CheckResult) {
        let Some(case) = self.cases.get_mut(&result.monitor) else { return };
        let mut made = Vec::new();
        if let Some(at) = case.paused_between(case.newest, result.slot).filter(|_| case.newest > Millis::MIN) {
            made.extend(close(&mut case.state, Note::Paused, at));
        }
        case.newest = case.newest.max(result.slot);
        let Some(policy) = case.policy_at(result.slot).cloned() else { return };
        if let Folded::Taken(Some(transition)) = fold(&mut case.state, &policy, result) {
            made.push(*transition);
        }
        let name = if made.is_empty() { String::new() } else { case.name.clone() };
        for transition in made {
            self.note(result.monitor, &name, transition);
        }
    }

    fn note(&mut self, monitor: MonitorId, name: &str, transition: Transition) {
        match transition.kind {
            TransitionKind::Opened => {
                let fresh = WouldBe {
                    id: transition.incident,
                    monitor,
                    name: name.to_owned(),
                    since: transition.since,
                    detected: transition.slot,
                    until: None,
                    cause: transition.cause,
                    regions: transition.regions,
                    paused: false,
                };
                // A correction of the past may open the same incident again.
                if let Some(known) = self.places.get(&transition.incident).and_then(|at| self.incidents.get_mut(*at)) {
                    known.until = None;
                } else {
                    self.places.insert(transition.incident, self.incidents.len());
                    self.incidents.push(fresh);
                }
            }
            TransitionKind::Resolved => {
                if let Some(known) = self.places.get(&transition.incident).and_then(|at| self.incidents.get_mut(*at)) {
                    known.until = transition.until;
                    known.paused = transition.note.is_some();
                }
            }
            TransitionKind::Acknowledged => {}
        }
    }

    /// What came of it: incidents whose first failing slot lies in `[from, to)`, oldest first.
    pub fn incidents(&self, from: Millis, to: Millis) -> Vec<WouldBe> {
        let mut within: Vec<WouldBe> = self.incidents.iter().filter(|incident| (from..to).contains(&incident.since)).cloned().collect();
        within.sort_by(|a, b| (a.since, &a.name, a.id.0).cmp(&(b.since, &b.name, b.id.0)));
        within
    }
}
