//! Out of order: shuffled, repeated and up to an hour late, the same results come to the same state, the
//! same incident and the same statistics; and what is late opens nothing by itself.

#![expect(clippy::expect_used, reason = "a test stops where it cannot go on")]

use std::collections::BTreeMap;

use model::alerting::{Folded, MonitorState, Note, Policy, TransitionKind, Verdict, close, fold};
use model::history::{Block, Entry, hour_of};
use model::uptime::Counts;
use model::{CheckResult, Millis, MonitorId, Outcome, Phases, Region, Slot};
use proptest::prelude::*;
use uuid::Uuid;

const MINUTE: Millis = 60_000;
/// The beginning of an hour.
const T: Slot = 1_800_000_000_000;
const REGIONS: [&str; 3] = ["a", "b", "c"];
/// Two and a half hours, so that what is an hour late falls into an hour that is over.
const SLOTS: i64 = 150;
const RESULTS: usize = 450;

fn policy(quorum: usize, failures: u8, successes: u8) -> Policy {
    Policy {
        failures_to_open: failures,
        successes_to_close: successes,
        regions: REGIONS.iter().map(|name| name.parse().expect("a region")).collect(),
        quorum,
        interval_ms: MINUTE,
        timeout_ms: 10_000,
        active: true,
    }
}

fn result(at: usize, n: i64, outcome: Outcome) -> CheckResult {
    CheckResult {
        monitor: MonitorId(Uuid::from_u128(7)),
        region: REGIONS[at].parse().expect("a region"),
        slot: T + n * MINUTE,
        interval_ms: MINUTE,
        outcome,
        cause: None,
        detail: None,
        latency_us: outcome.is_verdict().then(|| 1_000 + u32::try_from(n).expect("small") * 7),
        phases: Phases::default(),
        status: None,
        certificate_expires_at: None,
        attempts: 1,
        started_at: T + n * MINUTE,
        epoch: 1,
        pinger: "p".to_owned(),
        revision: 1,
        suspect: false,
    }
}

/// One result, how late it is delivered, and whether twice.
#[derive(Debug, Clone)]
struct Sent {
    result: CheckResult,
    /// Minutes after its slot.
    late: i64,
    again: Option<i64>,
    tie: u32,
}

/// Which outcome, how late, whether and when again, who comes first.
type Drawn = (u8, Option<i64>, Option<i64>, u32);

/// Phases of up and down with noise, some of it up to an hour late, some of it twice.
fn sent() -> impl Strategy<Value = Vec<Sent>> {
    let one = (0..100_u8, prop::option::weighted(0.15, 0..59_i64), prop::option::weighted(0.2, 0..59_i64), any::<u32>());
    (prop::collection::vec(one, RESULTS), prop::collection::vec(5..40_i64, 12)).prop_map(|(drawn, phases)| {
        let mut minutes: Vec<bool> = phases.iter().enumerate().flat_map(|(n, length)| (0..*length).map(move |_| n % 2 == 1)).collect();
        minutes.resize(usize::try_from(SLOTS).expect("small"), false);
        let places = (0..REGIONS.len()).flat_map(|at| (0..SLOTS).zip(minutes.clone()).map(move |(n, bad)| (at, n, bad)));
        let send = |((at, n, bad), (dice, late, again, tie)): ((usize, i64, bool), Drawn)| {
            let outcome = match dice {
                0..3 => Outcome::Unknown,
                3..6 => Outcome::Missed,
                6..12 => Outcome::Down,
                12..18 => Outcome::Up,
                18..22 => Outcome::Degraded,
                _ if bad => Outcome::Down,
                _ => Outcome::Up,
            };
            Sent { result: result(at, n, outcome), late: late.unwrap_or(0), again, tie }
        };
        places.zip(drawn).map(send).collect()
    })
}

/// In the order of the slots, once each.
fn in_order(sent: &[Sent]) -> Vec<CheckResult> {
    let mut results: Vec<CheckResult> = sent.iter().map(|one| one.result.clone()).collect();
    results.sort_by(|a, b| (a.slot, &a.region).cmp(&(b.slot, &b.region)));
    results
}

/// As they arrive: late ones after what overtook them, repeated ones again.
fn as_delivered(sent: &[Sent]) -> Vec<CheckResult> {
    arrivals(sent).into_iter().map(|(_, result)| result).collect()
}

/// The same, with the minute of each arrival.
fn arrivals(sent: &[Sent]) -> Vec<(i64, CheckResult)> {
    let mut arrivals: Vec<(i64, u32, &CheckResult)> = Vec::new();
    for one in sent {
        let minute = (one.result.slot - T) / MINUTE;
        arrivals.push((minute + one.late, one.tie, &one.result));
        arrivals.extend(one.again.map(|again| (minute + one.late.max(again), one.tie ^ 1, &one.result)));
    }
    arrivals.sort_by_key(|(minute, tie, _)| (*minute, *tie));
    arrivals.into_iter().map(|(minute, _, result)| (minute, result.clone())).collect()
}

/// What history keeps: a block per region and hour, as bytes, with its counts.
fn history(results: &[CheckResult]) -> BTreeMap<(Region, Millis), (Vec<u8>, Counts)> {
    let mut blocks: BTreeMap<(Region, Millis), Block> = BTreeMap::new();
    for one in results {
        let hour = hour_of(one.slot);
        blocks.entry((one.region.clone(), hour)).or_default().insert(Entry::new(one.slot - hour, one.outcome, one.latency_us));
    }
    blocks.into_iter().map(|(key, block)| (key, (block.encode(), block.counts()))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_same_results_in_any_order_come_to_the_same_state_and_statistics(
        sent in sent(), quorum in 1..=3_usize, failures in 1..4_u8, successes in 1..4_u8, down_at_last in any::<bool>(),
    ) {
        let policy = policy(quorum, failures, successes);
        let last = if down_at_last { Outcome::Down } else { Outcome::Up };
        // Opening waits for a timely result; by the end each region has had some, and all late ones are in.
        let end: Vec<CheckResult> = (SLOTS + 60..SLOTS + 64).flat_map(|n| (0..3).map(move |at| result(at, n, last))).collect();
        let run = |results: Vec<CheckResult>| {
            let mut state = MonitorState::default();
            for one in results.iter().chain(&end) {
                fold(&mut state, &policy, one);
            }
            state
        };
        let (one, other) = (run(in_order(&sent)), run(as_delivered(&sent)));
        let now = T + (SLOTS + 63) * MINUTE;
        // Since when it is so may differ: a result that comes after later ones have settled its region cannot split a
        // run in two any more.
        let (judged, same) = (one.judge(&policy, now), other.judge(&policy, now));
        prop_assert_eq!((judged.verdict, &judged.down), (same.verdict, &same.down));
        prop_assert_eq!(judged.verdict, if down_at_last { Verdict::Down } else { Verdict::Up });
        prop_assert_eq!((one.open_incident().is_some(), other.open_incident().is_some()), (down_at_last, down_at_last));
        for (region, known) in &one.regions {
            let same = other.regions.get(region).expect("the same regions");
            let facts = |state: &model::alerting::RegionState| (state.newest(), state.heard(), state.confirmed(&policy).map(|one| one.down));
            prop_assert_eq!(facts(known), facts(same));
        }
        prop_assert_eq!(history(&in_order(&sent)), history(&as_delivered(&sent)));
    }

    #[test]
    fn what_is_late_opens_nothing_by_itself(sent in sent(), quorum in 1..=3_usize, failures in 1..4_u8) {
        let policy = policy(quorum, failures, 2);
        let (mut state, mut newest) = (MonitorState::default(), None::<Slot>);
        for one in as_delivered(&sent) {
            let late = newest.is_some_and(|newest| policy.is_late(one.slot, newest));
            if let Folded::Taken(Some(transition)) = fold(&mut state, &policy, &one) {
                prop_assert!(!(late && transition.kind == TransitionKind::Opened), "{:?} opened {:?}", one, transition);
            }
            if one.outcome.is_verdict() {
                newest = newest.max(Some(one.slot));
            }
        }
    }

    /// Paused and resumed in the middle, with results from before under way.
    #[test]
    fn what_comes_from_before_a_pause_opens_nothing_after_it(sent in sent(), failures in 1..4_u8, pause in 0..SLOTS, length in 0..30_i64) {
        let policy = policy(1, failures, 2);
        let (mut state, mut paused) = (MonitorState::default(), false);
        let end = T + pause * MINUTE;
        for (arrived, one) in arrivals(&sent) {
            if arrived >= pause && !paused {
                paused = true;
                close(&mut state, Note::Paused, end);
            }
            if (pause..pause + length).contains(&arrived) {
                continue;
            }
            let folded = fold(&mut state, &policy, &one);
            if paused && one.slot <= end {
                prop_assert!(!matches!(folded, Folded::Taken(_)), "{one:?} was taken");
            }
            if let Folded::Taken(Some(transition)) = folded {
                prop_assert!(!paused || transition.since > end, "{transition:?} goes back beyond the pause");
            }
        }
    }

    /// History merged from parts in any order, as two processors or a replay would.
    #[test]
    fn blocks_merged_from_any_parts_are_the_same_bytes(sent in sent(), cut in 0..RESULTS) {
        let delivered = as_delivered(&sent);
        let (first, second) = delivered.split_at(cut.min(delivered.len()));
        let mut merged: BTreeMap<(Region, Millis), Block> = BTreeMap::new();
        for part in [second, first, second] {
            for (key, (bytes, _)) in history(part) {
                let block = Block::decode(&bytes).expect("our own block");
                merged.entry(key).or_default().merge(&block);
            }
        }
        let merged: BTreeMap<_, _> = merged.into_iter().map(|(key, block)| (key, (block.encode(), block.counts()))).collect();
        prop_assert_eq!(merged, history(&in_order(&sent)));
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Says {
    Up,
    Down,
    StaleUp,
    StaleDown,
    Absent,
}

/// 3 regions × {up, down, stale (either), absent} × quorum × every order of arrival, from up and from down:
/// the verdict is the one of fresh evidence, and the incident moves on nothing else.
#[test]
fn a_quorum_moves_an_incident_on_fresh_evidence_only_in_whatever_order() {
    let says = [Says::Up, Says::Down, Says::StaleUp, Says::StaleDown, Says::Absent];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let mut cases = 0;
    for (quorum, was_down) in (1..=3).flat_map(|quorum| [(quorum, false), (quorum, true)]) {
        let policy = policy(quorum, 1, 1);
        for case in 0..125_usize {
            let said = [says[case % 5], says[case / 5 % 5], says[case / 25]];
            let count = |what: Says| said.iter().filter(|one| **one == what).count();
            let expected = if count(Says::Down) >= quorum {
                Verdict::Down
            } else if count(Says::Up) > 3 - quorum {
                Verdict::Up
            } else {
                Verdict::Insufficient
            };
            for order in orders {
                let mut state = MonitorState::default();
                // Long ago everything was up, or down.
                for at in 0..3 {
                    fold(&mut state, &policy, &result(at, 0, if was_down { Outcome::Down } else { Outcome::Up }));
                }
                assert_eq!(state.open_incident().is_some(), was_down);
                let mut moved = 0;
                for at in order {
                    let one = match said[at] {
                        Says::Up => result(at, 100, Outcome::Up),
                        Says::Down => result(at, 100, Outcome::Down),
                        // Newer than the beginning, too old to count at the end.
                        Says::StaleUp => result(at, 90, Outcome::Up),
                        Says::StaleDown => result(at, 90, Outcome::Down),
                        Says::Absent => continue,
                    };
                    moved += usize::from(matches!(fold(&mut state, &policy, &one), Folded::Taken(Some(_))));
                }
                let what = format!("{said:?} in order {order:?}, quorum {quorum}, was down: {was_down}");
                let judged = state.judge(&policy, T + 100 * MINUTE);
                assert_eq!(judged.verdict, expected, "{what}");
                assert_eq!(judged.down.len(), count(Says::Down), "{what}");
                match expected {
                    Verdict::Down => assert!(state.open_incident().is_some(), "{what}"),
                    Verdict::Up => assert!(state.open_incident().is_none(), "{what}"),
                    // What is stale at the end may have been fresh when it came; what is absent never moves anything.
                    Verdict::Insufficient if count(Says::StaleUp) + count(Says::StaleDown) == 0 => {
                        assert_eq!((moved, state.open_incident().is_some()), (0, was_down), "{what}");
                    }
                    Verdict::Insufficient => {}
                }
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 3 * 2 * 125 * 6);
}
