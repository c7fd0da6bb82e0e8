//! Whatever is written when, and wherever it dies: the same incidents.

use std::collections::BTreeMap;

use model::monitor::{AlertPolicy, ProbeSpec, TcpProbe};
use model::{MonitorSpec, Outcome, Phases, ScheduleSegment, WorkspaceId};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const MINUTE: i64 = 60_000;
const T: i64 = 1_800_000_000_000;

fn monitor() -> Arc<Monitor> {
    Arc::new(Monitor {
        id: Uuid::from_u128(1).into(),
        workspace: WorkspaceId(Uuid::from_u128(2)),
        revision: 1,
        created_at: T,
        updated_at: T,
        spec: MonitorSpec {
            name: "Shop".to_owned(),
            probe: ProbeSpec::Tcp(TcpProbe { host: "a".to_owned(), port: 1, send: None, expect: None }),
            interval_seconds: 60,
            timeout_ms: 1000,
            regions: vec!["local".parse().expect("a region")],
            assertions: Vec::new(),
            alert: AlertPolicy::default(),
            paused: false,
            tags: BTreeMap::new(),
        },
        segments: Vec::new(),
    })
}

fn result(n: usize, outcome: Outcome) -> CheckResult {
    let slot = T + i64::try_from(n).expect("few") * MINUTE;
    CheckResult {
        monitor: monitor().id,
        region: "local".parse().expect("a region"),
        slot,
        interval_ms: MINUTE,
        outcome,
        cause: None,
        detail: None,
        latency_us: None,
        phases: Phases::default(),
        status: None,
        certificate_expires_at: None,
        attempts: 1,
        started_at: slot,
        epoch: 1,
        pinger: String::new(),
        revision: 1,
        suspect: false,
    }
}

/// PostgreSQL, as far as the desk knows it.
#[derive(Default)]
struct Committed {
    next_offset: i64,
    states: BTreeMap<MonitorId, StateRow>,
    transitions: Vec<Transition>,
}

impl Committed {
    fn desk(&self) -> Desk {
        let mut desk = Desk::default();
        let states = self.states.values().map(|row| StoredState {
            monitor: row.monitor,
            partition: row.partition,
            state: serde_json::from_value(row.state.clone()).expect("a state"),
        });
        desk.open(vec![TakenPartition { partition: 0, next_offset: self.next_offset, epoch: 1, judged: 0 }], states.collect());
        desk
    }

    fn commit(&mut self, desk: &mut Desk, now: Millis, decided: Option<Decided>) {
        let (offsets, states, _) = desk.rows(now);
        self.next_offset = offsets[0].next_offset;
        for row in &states {
            self.states.insert(row.monitor, row.clone());
        }
        self.transitions.extend(decided.map(|decided| decided.transition));
        desk.committed(&offsets, &states, now);
    }
}

/// What happens beside the results: nothing, a periodic commit, a death.
#[derive(Debug, Clone, Copy)]
enum Beside {
    Nothing,
    Commit,
    Death,
}

fn run(log: &[Outcome], beside: impl Fn(usize) -> Beside) -> Committed {
    let mut committed = Committed::default();
    let mut desk = committed.desk();
    let mut steps = 0;
    while let Some(offset) = desk.position(0)
        && let Ok(n) = usize::try_from(offset)
        && n < log.len()
    {
        let one = result(n, log[n]);
        let (_, decided) = desk.judge(0, &monitor(), &one);
        desk.advance(0, offset + 1);
        let is_transition = decided.is_some();
        steps += 1;
        match beside(steps) {
            // Dies before the commit: the transition was never seen by anyone.
            Beside::Death if steps < 10 * log.len() => desk = committed.desk(),
            Beside::Nothing if !is_transition => {}
            _ => committed.commit(&mut desk, one.slot, decided),
        }
    }
    committed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn deaths_and_seldom_writes_change_no_incident(
        log in prop::collection::vec(prop_oneof![6 => Just(Outcome::Up), 3 => Just(Outcome::Down), 1 => Just(Outcome::Unknown)], 1..120),
        events in prop::collection::vec(prop_oneof![6 => Just(Beside::Nothing), 3 => Just(Beside::Commit), 2 => Just(Beside::Death)], 1..50),
    ) {
        let straight = run(&log, |_| Beside::Commit);
        let shaken = run(&log, |step| events[step % events.len()]);
        prop_assert_eq!(straight.transitions, shaken.transitions);
    }
}

#[test]
fn a_steady_monitor_is_written_seldom() {
    let mut committed = Committed::default();
    let mut desk = committed.desk();
    let mut writes = 0;
    for n in 0..60 {
        let one = result(n, Outcome::Up);
        desk.judge(0, &monitor(), &one);
        desk.advance(0, 1);
        writes += desk.rows(one.slot).1.len();
        committed.commit(&mut desk, one.slot, None);
    }
    assert!((12..=14).contains(&writes), "{writes} writes in an hour");
}

#[test]
fn what_was_deleted_is_the_next_owners_to_end_where_the_partition_is_lost() {
    let mut desk = Committed::default().desk();
    for n in 0..2 {
        desk.judge(0, &monitor(), &result(n, Outcome::Down));
    }
    let decided = desk.delete(monitor().id, T).expect("an incident that ends");
    assert_eq!(decided.transition.note, Some(Note::Deleted));
    assert_eq!(desk.rows(T).2, [monitor().id]);
    // Fenced, or revoked before the commit: its end was not written, so neither is its state to be removed.
    desk.shut(&[0]);
    desk.open(vec![TakenPartition { partition: 1, next_offset: 0, epoch: 1, judged: 0 }], Vec::new());
    assert_eq!(desk.rows(T).2, []);
}

#[test]
fn a_partition_is_judged_up_to_its_newest_check_and_where_nothing_is_to_be_judged_up_to_now() {
    let mut desk = Committed::default().desk();
    let judged = |desk: &Desk, now: Millis| desk.rows(now).0[0].judged;
    assert_eq!(judged(&desk, T), 0, "nobody has looked yet what there is to judge");
    assert_eq!((desk.shortest_interval(), judged(&desk, T)), (None, T));
    desk.judge(0, &monitor(), &result(0, Outcome::Up));
    desk.judged_through(0, T);
    assert_eq!(desk.shortest_interval(), Some(MINUTE));
    assert_eq!(judged(&desk, T + 2 * MINUTE), T + 2 * MINUTE, "between two checks");
    assert_eq!(judged(&desk, T + 2 * MINUTE + 1), T, "nothing came");
    // A monitor that is paused is not waited for.
    let mut paused = Monitor { revision: 2, ..(*monitor()).clone() };
    paused.spec.paused = true;
    desk.reconfigure(&Arc::new(paused), T);
    assert_eq!((desk.shortest_interval(), judged(&desk, T + 60 * MINUTE)), (None, T + 60 * MINUTE));
}

#[test]
fn a_partition_of_rare_checks_is_in_the_present_when_it_is_taken_over_from_there() {
    let mut hourly = (*monitor()).clone();
    hourly.spec.interval_seconds = 3600;
    let hourly = Arc::new(hourly);
    let mut desk = Desk::default();
    // Its check was 40 minutes ago; whoever had it judged it up to half a minute ago.
    let state = StoredState { monitor: hourly.id, partition: 0, state: MonitorState::default() };
    desk.open(vec![TakenPartition { partition: 0, next_offset: 7, epoch: 2, judged: T - 30_000 }], vec![state]);
    desk.reconfigure(&hourly, T);
    assert_eq!(desk.shortest_interval(), Some(60 * MINUTE));
    assert_eq!(desk.rows(T).0[0].judged, T);
    // Nothing comes: it is the past in the end.
    assert_eq!(desk.rows(T + 121 * MINUTE).0[0].judged, T - 30_000);
}

#[test]
fn the_newest_judged_slot_of_each_region_is_told_while_it_grows() {
    let [local, eu]: [Region; 2] = ["local", "eu"].map(|name| name.parse().expect("a region"));
    let mut desk = Committed::default().desk();
    assert_eq!(desk.newest_judged(), None);
    desk.judge(0, &monitor(), &result(2, Outcome::Up));
    // What comes late, and what says nothing about the target: both were judged, neither is older news.
    desk.judge(0, &monitor(), &result(1, Outcome::Up));
    desk.judge(0, &monitor(), &CheckResult { region: eu.clone(), ..result(1, Outcome::Unknown) });
    assert_eq!(desk.newest_judged(), Some(vec![(eu.clone(), T + MINUTE), (local.clone(), T + 2 * MINUTE)]));
    assert_eq!(desk.newest_judged(), None);
    desk.judge(0, &monitor(), &result(2, Outcome::Up));
    assert_eq!(desk.newest_judged(), None);
    desk.judge(0, &monitor(), &result(3, Outcome::Up));
    let all = Some(vec![(eu, T + MINUTE), (local, T + 3 * MINUTE)]);
    assert_eq!(desk.newest_judged(), all);
    // Redis may have been emptied.
    desk.all_shown(T);
    assert_eq!((desk.newest_judged(), desk.newest_judged()), (all, None));
}

#[test]
fn a_clock_that_is_ahead_at_a_pause_makes_nobody_deaf_to_what_comes_after_it() {
    let mut desk = Committed::default().desk();
    desk.judge(0, &monitor(), &result(0, Outcome::Up));
    let at = |minutes: i64, paused: bool| {
        let mut changed = (*monitor()).clone();
        (changed.revision, changed.spec.paused) = (1 + minutes, paused);
        let segment = |from, active| ScheduleSegment { from, interval_ms: MINUTE, regions: changed.spec.regions.clone(), active };
        changed.segments = vec![segment(T, true), segment(T + 90_000, false)];
        if !paused {
            changed.segments.push(segment(T + minutes * MINUTE, true));
        }
        Arc::new(changed)
    };
    // Paused after a minute and a half; an hour ahead, somebody hears of it.
    desk.reconfigure(&at(2, true), T + 62 * MINUTE);
    let resumed = at(5, false);
    desk.reconfigure(&resumed, T + 5 * MINUTE);
    let late = desk.judge(0, &resumed, &result(1, Outcome::Down));
    assert_eq!(late.0, Folded::Settled, "from before the pause");
    let outcomes: Vec<_> = (5..7).map(|n| desk.judge(0, &resumed, &result(n, Outcome::Down)).1.is_some()).collect();
    assert_eq!(outcomes, [false, true]);
}
