//! What people are shown of a monitor: the verdict at the present moment.

use serde::{Deserialize, Serialize};

use super::incident::MonitorState;
use super::policy::Policy;
use super::verdict::{Evidence, Verdict, judge};
use crate::clock::Millis;
use crate::ids::{IncidentId, Region};
use crate::outcome::{Cause, Outcome, known_cause};
use crate::schedule::Slot;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShownState {
    Up,
    Degraded,
    Down,
    /// We could not judge: the newest results are about our own trouble.
    Unknown,
    /// Too few regions have fresh evidence.
    Insufficient,
    Paused,
}

impl ShownState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Unknown => "unknown",
            Self::Insufficient => "insufficient",
            Self::Paused => "paused",
        }
    }
}

/// The verdict as it is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    pub state: ShownState,
    #[serde(default)]
    pub since: Option<Slot>,
    /// The newest evidence.
    #[serde(default)]
    pub slot: Option<Slot>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    #[serde(default, deserialize_with = "known_cause", skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    #[serde(default)]
    pub regions_down: Vec<Region>,
}

/// What to show at `now`. Old evidence is never shown as up or down.
pub fn shown(state: &MonitorState, policy: &Policy, now: Millis) -> Shown {
    let slot = state.newest();
    let judged = state.judge(policy, slot.unwrap_or(now).max(now));
    let open = state.open_incident();
    let shown = match judged.verdict {
        _ if !policy.active => ShownState::Paused,
        Verdict::Down => ShownState::Down,
        Verdict::Up if open.is_some() => ShownState::Down,
        Verdict::Up if overtaken(state, policy, now) => ShownState::Unknown,
        Verdict::Up if degraded(state, policy, now) => ShownState::Degraded,
        Verdict::Up => ShownState::Up,
        Verdict::Insufficient if ourselves(state, policy, now) => ShownState::Unknown,
        Verdict::Insufficient => ShownState::Insufficient,
    };
    Shown {
        state: shown,
        since: state.since,
        slot,
        incident: open.map(|incident| incident.id),
        cause: open.and_then(|incident| incident.cause),
        regions_down: judged.down,
    }
}

/// What said up is still fresh, but newer results of too many regions say nothing about the target.
fn overtaken(state: &MonitorState, policy: &Policy, now: Millis) -> bool {
    let current = state.regions.iter().filter(|(_, region)| region.heard() <= region.newest());
    let evidence =
        current.filter_map(|(name, region)| Some(Evidence { region: name, newest: region.newest()?, confirmed: region.confirmed(policy) }));
    judge(policy, evidence, state.newest().unwrap_or(now).max(now)).verdict != Verdict::Up
}

fn degraded(state: &MonitorState, policy: &Policy, now: Millis) -> bool {
    let mut fresh = state.regions.values().filter(|region| region.newest().is_some_and(|slot| policy.is_fresh(slot, now)));
    fresh.any(|region| region.outcome() == Some(Outcome::Degraded))
}

/// Something was heard lately, and it said nothing about the target.
fn ourselves(state: &MonitorState, policy: &Policy, now: Millis) -> bool {
    state.regions.values().any(|region| region.heard() > region.newest() && region.heard().is_some_and(|slot| policy.is_fresh(slot, now)))
}
