//! The promises of the fold, over every order of arrival.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::ids::{MonitorId, Region};
use crate::outcome::{Cause, Outcome};
use crate::result::{CheckResult, Phases};
use crate::schedule::Slot;

const MINUTE: i64 = 60_000;
const T: Slot = 1_800_000_000_000;

fn region(name: &str) -> Region {
    name.parse().expect("a region")
}

fn monitor() -> MonitorId {
    MonitorId(Uuid::from_u128(7))
}

fn policy(regions: &[&str], quorum: usize, failures: u8, successes: u8) -> Policy {
    Policy {
        failures_to_open: failures,
        successes_to_close: successes,
        regions: regions.iter().map(|name| region(name)).collect(),
        quorum,
        interval_ms: MINUTE,
        timeout_ms: 10_000,
        active: true,
    }
}

fn result(at: &str, slot: Slot, outcome: Outcome) -> CheckResult {
    CheckResult {
        monitor: monitor(),
        region: region(at),
        slot,
        interval_ms: MINUTE,
        outcome,
        cause: (outcome == Outcome::Down).then_some(Cause::Status),
        detail: None,
        latency_us: None,
        phases: Phases::default(),
        status: None,
        certificate_expires_at: None,
        attempts: 1,
        started_at: slot,
        epoch: 1,
        pinger: "p".to_owned(),
        revision: 1,
        suspect: false,
    }
}

fn run(policy: &Policy, results: &[CheckResult]) -> (MonitorState, Vec<Transition>) {
    let mut state = MonitorState::default();
    let transitions = results
        .iter()
        .filter_map(|one| match fold(&mut state, policy, one) {
            Folded::Taken(transition) => transition.map(|boxed| *boxed),
            _ => None,
        })
        .collect();
    (state, transitions)
}

fn slots(at: &str, text: &str) -> Vec<CheckResult> {
    text.chars()
        .enumerate()
        .filter_map(|(n, letter)| {
            let slot = T + i64::try_from(n).expect("few") * MINUTE;
            let outcome = match letter {
                'u' => Outcome::Up,
                'd' => Outcome::Down,
                '?' => Outcome::Unknown,
                'm' => Outcome::Missed,
                'g' => Outcome::Degraded,
                _ => return None,
            };
            Some(result(at, slot, outcome))
        })
        .collect()
}

fn story(text: &str) -> Vec<(TransitionKind, i64)> {
    let (_, transitions) = run(&policy(&["a"], 1, 2, 2), &slots("a", text));
    transitions.iter().map(|one| (one.kind, (one.slot - T) / MINUTE)).collect()
}

#[test]
fn two_failures_open_and_two_successes_close() {
    use TransitionKind::{Opened, Resolved};
    assert_eq!(story("uudduu"), [(Opened, 3), (Resolved, 5)]);
    assert_eq!(story("ududud"), []);
    assert_eq!(story("ddudud"), [(Opened, 1)]);
    assert_eq!(story("dd"), [(Opened, 1)]);
    assert_eq!(story("dgdg"), [], "degraded is not down");
    assert_eq!(story("ud?md"), [(Opened, 4)], "what says nothing neither counts nor resets");
    assert_eq!(story("ud??uu"), []);
    assert_eq!(story("dduudduu"), [(Opened, 1), (Resolved, 3), (Opened, 5), (Resolved, 7)]);
}

#[test]
fn a_transition_says_since_when_and_has_a_number() {
    let (_, transitions) = run(&policy(&["a"], 1, 3, 2), &slots("a", "udddduu"));
    let [opened, resolved] = transitions.as_slice() else { panic!("two transitions, not {transitions:?}") };
    assert_eq!((opened.sequence, opened.since, opened.slot, opened.cause), (1, T + MINUTE, T + 3 * MINUTE, Some(Cause::Status)));
    assert_eq!(opened.incident, incident_id(monitor(), T + 3 * MINUTE));
    assert_eq!((resolved.incident, resolved.sequence), (opened.incident, 2));
    assert_eq!((resolved.since, resolved.until), (T + MINUTE, Some(T + 5 * MINUTE)));
    assert_eq!(resolved.regions, [region("a")]);
}

#[test]
fn suspect_results_are_no_evidence() {
    let mut results = slots("a", "uddd");
    for one in &mut results {
        one.suspect = true;
    }
    assert_eq!(run(&policy(&["a"], 1, 1, 1), &results).1, []);
}

/// Of one slot that two pingers checked, the failure comes after the recovery was told: the outage was one.
#[test]
fn a_contradiction_that_comes_late_tells_no_outage_twice() {
    let slot = |n: i64, outcome| result("a", T + n * MINUTE, outcome);
    for (failures, successes) in [(1, 1), (1, 2), (2, 1)] {
        let policy = policy(&["a"], 1, failures, successes);
        let mut results: Vec<_> = [Outcome::Up, Outcome::Down, Outcome::Down].into_iter().zip(0..).map(|(one, n)| slot(n, one)).collect();
        results.extend((3..3 + i64::from(successes)).map(|n| slot(n, Outcome::Up)));
        let last = 2 + i64::from(successes);
        let kinds = |results: &[CheckResult]| run(&policy, results).1.iter().map(|one| one.kind).collect::<Vec<_>>();
        assert_eq!(kinds(&results), [TransitionKind::Opened, TransitionKind::Resolved]);
        for corrected in 3..=last {
            let mut again = results.clone();
            again.push(slot(corrected, Outcome::Down));
            let mut over = again.clone();
            over.extend((1..4).map(|n| slot(last + n, Outcome::Up)));
            assert_eq!(kinds(&over).len(), 2, "slot {corrected} of {last}, {failures} to open, {successes} to close");
            // It goes on: then people are told so, by what comes after.
            let mut on = again.clone();
            on.extend((1..4).map(|n| slot(last + n, Outcome::Down)));
            assert_eq!(kinds(&on), [TransitionKind::Opened, TransitionKind::Resolved, TransitionKind::Opened]);
        }
    }
}

#[test]
fn a_late_result_opens_nothing_until_a_timely_one_confirms() {
    let policy = policy(&["a"], 1, 2, 2);
    let (mut state, _) = run(&policy, &[result("a", T + 20 * MINUTE, Outcome::Down)]);
    let late = fold(&mut state, &policy, &result("a", T, Outcome::Down));
    assert_eq!(late, Folded::Taken(None));
    let timely = fold(&mut state, &policy, &result("a", T + 21 * MINUTE, Outcome::Down));
    assert!(matches!(timely, Folded::Taken(Some(opened)) if opened.kind == TransitionKind::Opened));
}

#[test]
fn a_pause_closes_with_a_note_and_forgets() {
    let policy = policy(&["a"], 1, 1, 1);
    let (mut state, _) = run(&policy, &slots("a", "d"));
    let closed = close(&mut state, Note::Paused, T + MINUTE).expect("an open incident");
    assert_eq!((closed.kind, closed.note, closed.sequence), (TransitionKind::Resolved, Some(Note::Paused), 2));
    assert_eq!(close(&mut state, Note::Paused, T + MINUTE), None);
    assert_eq!(state.newest(), None);
    let paused = Policy { active: false, ..policy };
    assert_eq!(fold(&mut state, &paused, &result("a", T + 2 * MINUTE, Outcome::Down)), Folded::Ignored);
}

#[test]
fn an_acknowledgement_counts_once_and_for_its_incident() {
    let policy = policy(&["a"], 1, 1, 1);
    let (mut state, opened) = run(&policy, &slots("a", "d"));
    let id = opened[0].incident;
    assert_eq!(acknowledge(&mut state, incident_id(monitor(), 1), T), None);
    assert_eq!(acknowledge(&mut state, id, T).map(|one| (one.kind, one.sequence)), Some((TransitionKind::Acknowledged, 2)));
    assert_eq!(acknowledge(&mut state, id, T), None);
}

#[test]
fn old_evidence_is_not_shown_as_up_or_down() {
    let policy = policy(&["a"], 1, 1, 1);
    for (text, fresh) in [("u", ShownState::Up), ("d", ShownState::Down), ("g", ShownState::Degraded)] {
        let (mut state, _) = run(&policy, &slots("a", text));
        assert_eq!(shown(&state, &policy, T + MINUTE).state, fresh);
        assert_eq!(shown(&state, &policy, T + 10 * MINUTE).state, ShownState::Insufficient);
        fold(&mut state, &policy, &result("a", T + 10 * MINUTE, Outcome::Unknown));
        assert_eq!(shown(&state, &policy, T + 10 * MINUTE).state, ShownState::Unknown);
    }
}

#[test]
fn up_is_not_shown_while_newer_results_say_nothing_about_the_target() {
    let policy = policy(&["a", "b", "c"], 2, 1, 1);
    let up = ["a", "b", "c"].map(|at| result(at, T, Outcome::Up));
    let (mut state, _) = run(&policy, &up);
    for (at, expected) in [("a", ShownState::Up), ("b", ShownState::Unknown), ("c", ShownState::Unknown)] {
        fold(&mut state, &policy, &result(at, T + MINUTE, Outcome::Unknown));
        assert_eq!(shown(&state, &policy, T + MINUTE).state, expected, "after {at}");
    }
    for at in ["a", "b"] {
        fold(&mut state, &policy, &result(at, T + 2 * MINUTE, Outcome::Up));
    }
    assert_eq!(shown(&state, &policy, T + 2 * MINUTE).state, ShownState::Up);
}

#[test]
fn a_state_survives_its_serialisation() {
    let (state, _) = run(&policy(&["a"], 1, 2, 2), &slots("a", "uuddgd?u"));
    let text = serde_json::to_string(&state).expect("a state");
    assert_eq!(serde_json::from_str::<MonitorState>(&text).expect("the same"), state);
}

#[test]
fn what_an_incident_tells_is_enough_to_end_it_as_it_would_have_ended() {
    let policy = policy(&["a"], 1, 2, 2);
    let (known, transitions) = run(&policy, &slots("a", "udd"));
    let incident = known.open_incident().expect("it is open").clone();
    let later = |n: i64, outcome| result("a", T + n * MINUTE, outcome);
    for outcomes in [vec![Outcome::Up, Outcome::Up], vec![Outcome::Down, Outcome::Up, Outcome::Down, Outcome::Up, Outcome::Up]] {
        let mut state = MonitorState::from_incident(incident.clone(), transitions[0].regions.clone());
        let told: Vec<_> = (3..).zip(&outcomes).map(|(n, outcome)| fold(&mut state, &policy, &later(n, *outcome))).collect();
        let (Some(Folded::Taken(Some(end))), before) = (told.last(), &told[..told.len() - 1]) else { panic!("no end: {told:?}") };
        assert!(before.iter().all(|one| *one == Folded::Taken(None)), "{before:?}");
        assert_eq!((end.kind, end.incident, end.sequence), (TransitionKind::Resolved, incident.id, 2));
        assert_eq!((end.since, end.regions.as_slice()), (incident.since, [region("a")].as_slice()));
    }
    // One that is over leaves its numbers.
    let over = Incident { open: false, sequence: 2, closed: Some(T + 4 * MINUTE), ..incident };
    let mut state = MonitorState::from_incident(over.clone(), [region("a")]);
    assert_eq!((state.regions.len(), fold(&mut state, &policy, &later(5, Outcome::Up))), (0, Folded::Taken(None)));
    assert_eq!(state.incident, Some(over));
}

#[test]
fn a_healthy_state_stays_small() {
    let (state, _) = run(&policy(&["a"], 1, 2, 2), &slots("a", &"u".repeat(500)));
    assert!(serde_json::to_string(&state).expect("a state").len() < 400);
    assert!(state.is_steady(&policy(&["a"], 1, 2, 2)));
}

/// Results of up to 50 slots in three regions, each perhaps delivered twice, and a shuffle of them.
fn shuffled() -> impl Strategy<Value = (Vec<CheckResult>, Vec<CheckResult>)> {
    let letters = prop::collection::vec((0..3_usize, 0..50_i64, 0..7_u8), 1..150);
    letters
        .prop_map(|drawn| {
            let mut results: Vec<CheckResult> = drawn
                .into_iter()
                .map(|(at, n, kind)| {
                    let outcome =
                        [Outcome::Up, Outcome::Up, Outcome::Down, Outcome::Down, Outcome::Down, Outcome::Unknown, Outcome::Degraded];
                    result(["a", "b", "c"][at], T + n * MINUTE, outcome[usize::from(kind)])
                })
                .collect();
            results.sort_by(|a, b| (a.slot, &a.region).cmp(&(b.slot, &b.region)));
            results.dedup_by(|a, b| (a.slot, &a.region) == (b.slot, &b.region));
            results
        })
        .prop_flat_map(|results| {
            let twice: Vec<CheckResult> = results.iter().chain(results.iter().step_by(3)).cloned().collect();
            (Just(results), Just(twice).prop_shuffle())
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn late_shuffled_and_repeated_results_come_to_the_same(
        (in_order, shuffled) in shuffled(), quorum in 1..=3_usize, failures in 1..4_u8, successes in 1..4_u8,
    ) {
        let policy = policy(&["a", "b", "c"], quorum, failures, successes);
        // The end of both: one timely result each, as opening waits for a timely one.
        let end = ["a", "b", "c"].map(|at| result(at, T + 50 * MINUTE, Outcome::Down));
        let [ordered, other] = [in_order, shuffled].map(|mut results| {
            results.extend(end.iter().cloned());
            run(&policy, &results).0
        });
        let kinds = |state: &MonitorState| -> Vec<_> {
            state.regions.iter().map(|(region, one)| (region.clone(), one.newest(), one.confirmed(&policy).map(|c| c.down))).collect()
        };
        prop_assert_eq!(kinds(&ordered), kinds(&other));
        let now = T + 50 * MINUTE;
        prop_assert_eq!(ordered.judge(&policy, now).verdict, other.judge(&policy, now).verdict);
        if ordered.judge(&policy, now).verdict != Verdict::Insufficient {
            prop_assert_eq!(ordered.open_incident().is_some(), other.open_incident().is_some());
        }
    }

    /// Each incident opens once and closes at most once, with numbers that follow each other.
    #[test]
    fn transitions_are_numbered_without_gaps((_, shuffled) in shuffled(), failures in 1..4_u8, successes in 1..4_u8) {
        let (_, transitions) = run(&policy(&["a", "b", "c"], 2, failures, successes), &shuffled);
        let mut last = std::collections::HashMap::new();
        for one in &transitions {
            let sequence = last.entry(one.incident).or_insert(0);
            *sequence += 1;
            prop_assert_eq!(one.sequence, *sequence);
        }
        for pair in transitions.windows(2) {
            prop_assert_ne!(pair[0].kind, pair[1].kind);
        }
    }

    /// Taking the same log again after any part of it changes nothing and opens nothing new.
    #[test]
    fn redelivery_changes_nothing((in_order, _) in shuffled(), from in 0..150_usize) {
        let policy = policy(&["a", "b", "c"], 2, 2, 2);
        let (mut state, _) = run(&policy, &in_order);
        let before = state.clone();
        for one in in_order.iter().skip(from) {
            let again = fold(&mut state, &policy, one);
            prop_assert!(!matches!(again, Folded::Taken(_)), "{:?}", again);
        }
        prop_assert_eq!(state, before);
    }
}
