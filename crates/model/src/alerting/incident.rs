//! A monitor's incident: opened and closed where the verdict and the state disagree.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::policy::Policy;
use super::region::{RegionState, Taken};
use super::verdict::{Evidence, Judged, Verdict, judge};
use crate::clock::Millis;
use crate::ids::{IncidentId, MonitorId, Region};
use crate::outcome::{Cause, Outcome, known_cause};
use crate::result::CheckResult;
use crate::schedule::Slot;

/// All the alerter knows of one monitor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitorState {
    pub regions: BTreeMap<Region, RegionState>,
    /// The last incident, open or over.
    #[serde(default)]
    pub incident: Option<Incident>,
    /// Since when the verdict is what it is; absent until there was one.
    #[serde(default)]
    pub since: Option<Slot>,
    /// When the evidence was last forgotten: what is of a slot up to then comes from before a pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgotten: Option<Millis>,
}

/// A confirmed period of not-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub id: IncidentId,
    pub open: bool,
    pub acknowledged: bool,
    /// The last transition's number, from 1.
    pub sequence: u32,
    /// The slot whose result opened it first; the identity is made of it.
    #[serde(default)]
    pub opened: Slot,
    /// The first failing slot.
    pub since: Slot,
    #[serde(default, deserialize_with = "known_cause")]
    pub cause: Option<Cause>,
    pub detail: Option<String>,
    /// The newest evidence when it was resolved; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Slot>,
}

/// What happened to an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransitionKind {
    Opened,
    Acknowledged,
    Resolved,
}

/// Why an incident ended without a recovery. Such an end is recorded and not announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    Paused,
    Deleted,
}

/// One transition. (incident, sequence) identifies it for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    pub kind: TransitionKind,
    pub incident: IncidentId,
    pub sequence: u32,
    /// The slot that made it.
    pub slot: Slot,
    /// The first failing slot.
    pub since: Slot,
    /// The first passing slot; only where it is resolved.
    pub until: Option<Slot>,
    pub cause: Option<Cause>,
    pub detail: Option<String>,
    /// Regions down; where it is resolved, those that were last seen down.
    pub regions: Vec<Region>,
    pub note: Option<Note>,
}

/// What one result did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folded {
    /// Evidence, taken; perhaps with a transition.
    Taken(Option<Box<Transition>>),
    /// The slot was known.
    Duplicate,
    /// Too old to change anything.
    Settled,
    /// Says nothing about the target.
    NoEvidence,
    /// The monitor is paused, or is not checked from this region.
    Ignored,
}

/// The same incident for ever: UUID v5 of the monitor and the slot that opened it.
pub fn incident_id(monitor: MonitorId, opened: Slot) -> IncidentId {
    IncidentId(Uuid::new_v5(&monitor.0, &opened.to_be_bytes()))
}

/// Takes one result. The state's judgement afterwards depends on the set of results taken, not on
/// their order; a late result changes it like any other but leaves opening to the next timely one, and so does
/// one that corrects the past of an incident that is over (two pingers checked the slot, and the other one was
/// heard first): the outage was told with its end, and only what comes after it can say that it goes on. What comes from
/// before a pause changes nothing after it.
pub fn fold(state: &mut MonitorState, policy: &Policy, result: &CheckResult) -> Folded {
    if !policy.active || !policy.regions.contains(&result.region) {
        return Folded::Ignored;
    }
    if state.forgotten.is_some_and(|forgotten| result.slot <= forgotten) {
        return Folded::Settled;
    }
    let newest = state.newest();
    let region = state.regions.entry(result.region.clone()).or_default();
    region.hear(result.slot);
    let corrects = region.newest().is_some_and(|newest| result.slot <= newest);
    if result.suspect || !result.outcome.is_verdict() {
        return Folded::NoEvidence;
    }
    match region.take(policy, result) {
        Taken::New => {
            let told = state.incident.as_ref().and_then(|last| last.closed).is_some_and(|closed| {
                let past = corrects && result.slot <= closed;
                // Nor is a success a reason to open again what was told with its end.
                past || result.outcome != Outcome::Down && state.no_failure_after(closed)
            });
            let late = told || newest.is_some_and(|newest| policy.is_late(result.slot, newest));
            Folded::Taken(settle(state, policy, result.monitor, late).map(Box::new))
        }
        Taken::Duplicate => Folded::Duplicate,
        Taken::Settled => Folded::Settled,
    }
}

/// Someone saw it. None where there is nothing open to acknowledge, or it was acknowledged before.
pub fn acknowledge(state: &mut MonitorState, incident: IncidentId, at: Millis) -> Option<Transition> {
    let regions = state.regions.keys().cloned().collect();
    let open = state.incident.as_mut().filter(|open| open.open && open.id == incident && !open.acknowledged)?;
    open.acknowledged = true;
    open.sequence += 1;
    Some(open.transition(TransitionKind::Acknowledged, at, regions))
}

/// The monitor is no longer watched: what is open ends with a note, and old evidence is forgotten.
pub fn close(state: &mut MonitorState, note: Note, at: Millis) -> Option<Transition> {
    state.forgotten = state.forgotten.max(Some(at)).max(state.newest());
    let regions = std::mem::take(&mut state.regions).into_keys().collect();
    state.since = None;
    let open = state.incident.as_mut().filter(|open| open.open)?;
    open.open = false;
    open.sequence += 1;
    Some(Transition { until: Some(at.max(open.since)), note: Some(note), ..open.transition(TransitionKind::Resolved, at, regions) })
}

impl Incident {
    fn transition(&self, kind: TransitionKind, slot: Slot, regions: Vec<Region>) -> Transition {
        Transition {
            kind,
            incident: self.id,
            sequence: self.sequence,
            slot,
            since: self.since,
            until: None,
            cause: self.cause,
            detail: self.detail.clone(),
            regions,
            note: None,
        }
    }
}

impl MonitorState {
    /// What is left where all but the last incident is lost: its end is still to be told, and takes as many successes as ever in
    /// the regions where it was seen.
    pub fn from_incident(incident: Incident, seen_in: impl IntoIterator<Item = Region>) -> Self {
        let mut state = Self::default();
        if incident.open {
            let down = RegionState::down(incident.since, incident.opened, incident.cause, incident.detail.clone());
            state.regions = seen_in.into_iter().map(|region| (region, down.clone())).collect();
            state.since = Some(incident.since);
        }
        state.incident = Some(incident);
        state
    }

    /// The newest evidence over all regions: "now", in slot time.
    pub fn newest(&self) -> Option<Slot> {
        self.regions.values().filter_map(RegionState::newest).max()
    }

    /// The verdict at `as_of`.
    pub fn judge(&self, policy: &Policy, as_of: Millis) -> Judged {
        let evidence = self
            .regions
            .iter()
            .filter_map(|(region, state)| Some(Evidence { region, newest: state.newest()?, confirmed: state.confirmed(policy) }));
        judge(policy, evidence, as_of)
    }

    /// No region failed after `slot`.
    fn no_failure_after(&self, slot: Slot) -> bool {
        self.regions.values().filter_map(RegionState::failure).all(|failure| failure.slot <= slot)
    }

    /// The incident that is open.
    pub fn open_incident(&self) -> Option<&Incident> {
        self.incident.as_ref().filter(|incident| incident.open)
    }

    /// No incident and nothing but successes in sight: such a state may be written seldom, as an older
    /// one judges the results to come in the same way.
    pub fn is_steady(&self, policy: &Policy) -> bool {
        self.open_incident().is_none() && self.regions.values().all(|region| region.is_steady(policy))
    }
}

/// Brings the incident in line with the verdict.
fn settle(state: &mut MonitorState, policy: &Policy, monitor: MonitorId, late: bool) -> Option<Transition> {
    let judged = state.judge(policy, state.newest()?);
    let (since, at) = (judged.since?, judged.at?);
    match (judged.verdict, state.open_incident().is_some()) {
        (Verdict::Down, false) if !late => Some(open(state, monitor, since, at, judged.down)),
        (Verdict::Up, true) => resolve(state, since, at),
        (Verdict::Up, false) => {
            state.since.get_or_insert(since);
            None
        }
        _ => None,
    }
}

fn open(state: &mut MonitorState, monitor: MonitorId, since: Slot, at: Slot, down: Vec<Region>) -> Transition {
    // A correction of the past that opens at or before the last incident's opening is that incident again, and its
    // numbers go on. So a new identity is always of a later slot, and none is ever given twice.
    let (id, opened, sequence) = match &state.incident {
        Some(last) if at <= last.opened => (last.id, last.opened, last.sequence + 1),
        _ => (incident_id(monitor, at), at, 1),
    };
    let failure = down.iter().filter_map(|region| state.regions.get(region)?.failure()).max_by_key(|failure| failure.slot);
    let incident = Incident {
        id,
        open: true,
        acknowledged: false,
        sequence,
        opened,
        since,
        cause: failure.and_then(|failure| failure.cause),
        detail: failure.and_then(|failure| failure.detail.clone()),
        closed: None,
    };
    let transition = incident.transition(TransitionKind::Opened, at, down);
    state.incident = Some(incident);
    state.since = Some(since);
    transition
}

fn resolve(state: &mut MonitorState, since: Slot, at: Slot) -> Option<Transition> {
    let newest = state.newest();
    let incident = state.incident.as_mut()?;
    incident.open = false;
    incident.closed = newest;
    incident.sequence += 1;
    let until = since.max(incident.since);
    let regions = state.regions.iter().filter(|(_, region)| region.failure().is_some_and(|failure| failure.slot >= incident.since));
    let regions = regions.map(|(region, _)| region.clone()).collect();
    state.since = Some(until);
    Some(Transition { until: Some(until), ..incident.transition(TransitionKind::Resolved, at, regions) })
}
