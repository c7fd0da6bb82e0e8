//! Whether the probers of a region can see. Pure, like alerting: [`RegionSight::fold`] takes one
//! statement of one pinger and says whether the region went blind or sees again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Millis;
use crate::ids::Region;

/// A pinger that said nothing for so long, while others of its region spoke, is gone.
const SILENT_MS: Millis = 60_000;

/// What a pinger says of its own sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SightState {
    Sees,
    /// What it does not reach says nothing about the targets.
    Blind,
    /// It stopped, in good order.
    Left,
}

/// What blinds a pinger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlindReason {
    /// Neither the canaries nor the other targets can be reached.
    Network,
    /// Its resolver does not answer.
    Resolver,
    /// Out of descriptors, ports or memory.
    Resources,
}

impl BlindReason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Resolver => "resolver",
            Self::Resources => "resources",
        }
    }
}

/// One statement of a pinger about itself, on the log and in Redis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProberStatus {
    pub region: Region,
    pub pinger: String,
    /// When it was said.
    pub at: Millis,
    pub state: SightState,
    /// Since when the state is what it is.
    pub since: Millis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<BlindReason>,
    /// Slots that became unknown in this blindness so far; when it sees, in the last one.
    #[serde(default)]
    pub slots_unknown: u64,
    /// Shards held, of 64.
    #[serde(default)]
    pub shards: u32,
    /// Results that wait on its disk for Kafka.
    #[serde(default)]
    pub spool_records: u64,
    #[serde(default)]
    pub spool_bytes: u64,
}

/// The last statement of one pinger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    at: Millis,
    /// Absent while it sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blind: Option<BlindReason>,
    since: Millis,
    unknown: u64,
}

/// A blindness of a region that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blindness {
    pub since: Millis,
    pub reason: BlindReason,
    /// Of pingers whose part in it is over.
    #[serde(default)]
    unknown: u64,
}

/// All that is known of a region's sight.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionSight {
    pingers: BTreeMap<String, Said>,
    #[serde(default)]
    pub blind: Option<Blindness>,
}

/// A region went blind, or sees again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SightChange {
    /// The blindness, the same at its beginning and its end.
    pub id: Uuid,
    pub since: Millis,
    /// Absent at the beginning.
    pub until: Option<Millis>,
    pub reason: BlindReason,
    pub slots_unknown: u64,
}

/// The same blindness for ever: UUID v5 of the region and the instant it began.
pub fn blindness_id(region: &Region, since: Millis) -> Uuid {
    let mut name = region.as_str().as_bytes().to_vec();
    name.extend_from_slice(&since.to_be_bytes());
    Uuid::new_v5(&Uuid::from_u128(0x5f0e_9d1c_52e0_5b0c_8a39_7369_6768_7421), &name)
}

impl RegionSight {
    /// What is left where all but an open blindness is lost: it lasts until whoever is heard sees, and at least as long as
    /// a pinger heard at `at` might still be blind.
    pub fn from_blindness(since: Millis, reason: BlindReason, at: Millis) -> Self {
        // Nobody has this name.
        let someone = (String::new(), Said { at, blind: Some(reason), since, unknown: 0 });
        Self { pingers: BTreeMap::from([someone]), blind: Some(Blindness { since, reason, unknown: 0 }) }
    }

    /// Takes a statement. A region is blind while any of its pingers is: part of its slots are unknown.
    pub fn fold(&mut self, said: &ProberStatus) -> Option<SightChange> {
        if self.pingers.get(&said.pinger).is_some_and(|known| known.at >= said.at) {
            return None;
        }
        let before = self.pingers.get(&said.pinger).filter(|known| known.blind.is_some()).map(|known| known.unknown);
        let reason = match said.state {
            SightState::Blind => Some(said.reason.unwrap_or(BlindReason::Network)),
            SightState::Sees | SightState::Left => None,
        };
        let now = Said { at: said.at, blind: reason, since: said.since, unknown: said.slots_unknown };
        if let (Some(open), Some(before), None) = (&mut self.blind, before, reason) {
            // Its last word on this blindness may have more than the one before.
            open.unknown += before.max(said.slots_unknown);
        }
        if said.state == SightState::Left {
            self.pingers.remove(&said.pinger);
        } else {
            self.pingers.insert(said.pinger.clone(), now);
        }
        self.forget_silent(said.at);
        let first = self.pingers.values().filter_map(|one| Some((one.since, one.blind?))).min();
        match (&self.blind, first) {
            (None, Some((since, reason))) => {
                self.blind = Some(Blindness { since, reason, unknown: 0 });
                Some(SightChange { id: blindness_id(&said.region, since), since, until: None, reason, slots_unknown: said.slots_unknown })
            }
            (Some(open), None) => {
                let until = if reason.is_none() && said.state == SightState::Sees { said.since } else { said.at };
                let change = SightChange {
                    id: blindness_id(&said.region, open.since),
                    since: open.since,
                    until: Some(until.max(open.since)),
                    reason: open.reason,
                    slots_unknown: open.unknown,
                };
                self.blind = None;
                Some(change)
            }
            _ => None,
        }
    }

    fn forget_silent(&mut self, now: Millis) {
        let Self { pingers, blind } = self;
        pingers.retain(|_, one| {
            let heard = one.at >= now - SILENT_MS;
            if let (false, Some(open), Some(_)) = (heard, blind.as_mut(), one.blind) {
                open.unknown += one.unknown;
            }
            heard
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Millis = 1_800_000_000_000;

    fn said(pinger: &str, at: Millis, state: SightState, since: Millis, unknown: u64) -> ProberStatus {
        ProberStatus {
            region: "eu".parse().expect("a region"),
            pinger: pinger.to_owned(),
            at: T + at,
            state,
            since: T + since,
            reason: (state == SightState::Blind).then_some(BlindReason::Network),
            slots_unknown: unknown,
            shards: 64,
            spool_records: 0,
            spool_bytes: 0,
        }
    }

    fn changes(all: &[ProberStatus]) -> Vec<(bool, Millis, Option<Millis>, u64)> {
        let mut sight = RegionSight::default();
        let changes = all.iter().filter_map(|one| sight.fold(one));
        changes.map(|one| (one.until.is_none(), one.since - T, one.until.map(|until| until - T), one.slots_unknown)).collect()
    }

    #[test]
    fn a_region_is_blind_once_however_often_it_is_said_and_by_how_many() {
        use SightState::{Blind, Sees};
        let all = [
            said("a", 0, Sees, 0, 0),
            said("b", 1, Sees, 0, 0),
            said("a", 1_000, Blind, 900, 3),
            said("b", 1_100, Blind, 950, 2),
            said("a", 10_000, Blind, 900, 20),
            said("a", 1_500, Blind, 900, 4),
            said("b", 20_000, Sees, 19_000, 18),
            said("a", 21_000, Sees, 20_500, 22),
            said("a", 31_000, Sees, 20_500, 22),
        ];
        assert_eq!(changes(&all), [(true, 900, None, 3), (false, 900, Some(20_500), 40)]);
        let twice: Vec<_> = all.iter().flat_map(|one| [one.clone(), one.clone()]).collect();
        assert_eq!(changes(&twice), changes(&all));
    }

    #[test]
    fn a_blind_pinger_that_leaves_or_falls_silent_does_not_blind_its_region_for_ever() {
        use SightState::{Blind, Left, Sees};
        let left = [said("a", 0, Blind, 0, 5), said("a", 5_000, Left, 5_000, 7), said("b", 6_000, Sees, 1_000, 0)];
        assert_eq!(changes(&left), [(true, 0, None, 5), (false, 0, Some(5_000), 7)]);
        let silent = [said("a", 0, Blind, 0, 5), said("b", 10_000, Sees, 9_000, 0), said("b", 70_000, Sees, 9_000, 0)];
        assert_eq!(changes(&silent).len(), 2);
        assert_eq!(changes(&silent)[1].3, 5);
    }

    #[test]
    fn a_blindness_whose_pingers_are_not_known_any_more_lasts_until_all_are_heard() {
        use SightState::{Blind, Sees};
        let changes = |all: &[ProberStatus]| {
            let mut sight = RegionSight::from_blindness(T, BlindReason::Network, T + 30_000);
            let changes: Vec<_> = all.iter().filter_map(|one| sight.fold(one)).collect();
            changes.iter().map(|one| (one.id == blindness_id(&all[0].region, T), one.until.map(|until| until - T))).collect::<Vec<_>>()
        };
        // One sees; the other one may not yet, and does not.
        let both = [said("b", 31_000, Sees, 30_500, 0), said("a", 32_000, Blind, 0, 9), said("b", 92_000, Sees, 30_500, 0)];
        assert_eq!(changes(&both), []);
        let over = [said("b", 31_000, Sees, 30_500, 0), said("b", 91_000, Sees, 30_500, 0)];
        assert_eq!(changes(&over), [(true, Some(30_500))]);
    }

    #[test]
    fn a_blindness_has_the_same_id_at_its_beginning_and_its_end() {
        let mut sight = RegionSight::default();
        let begin = sight.fold(&said("a", 10, SightState::Blind, 5, 1)).expect("blind");
        let text = serde_json::to_string(&sight).expect("JSON");
        let mut sight: RegionSight = serde_json::from_str(&text).expect("the same");
        let end = sight.fold(&said("a", 20, SightState::Sees, 15, 1)).expect("sees");
        assert_eq!(begin.id, end.id);
        let again = sight.fold(&said("a", 30, SightState::Blind, 25, 1)).expect("blind again");
        assert_ne!(begin.id, again.id);
    }
}
