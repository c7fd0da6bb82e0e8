//! Whose turn it is: a monitor's messages go out in order, and a sender that is given nothing knows until when to sleep.

use std::collections::BTreeMap;
use std::time::Duration;

use model::Millis;
use store::Store;
use store::incidents::{Again, ClaimedDelivery, SentMessage, Settlement};
use testkit::Stack;
use uuid::Uuid;

use crate::claims::{BEGIN, LEASE, MINUTE, Told, long_here, run_out};

const SECOND: Millis = 1000;

async fn claim(store: &Store, owner: u128, now: Millis) -> Vec<ClaimedDelivery> {
    claim_for(store, owner, LEASE, now).await
}

async fn claim_for(store: &Store, owner: u128, lease: Duration, now: Millis) -> Vec<ClaimedDelivery> {
    store.claim_deliveries(Uuid::from_u128(owner), &[], 2, lease, now, &mut long_here(lease)).await.expect("claimed")
}

async fn settle(store: &Store, owner: u128, one: &ClaimedDelivery, end: Settlement, now: Millis) {
    let ours = store.settle_deliveries(Uuid::from_u128(owner), &[(one.id, one.attempt, end)], now).await.expect("settled");
    assert_eq!(ours, 1);
}

async fn next(store: &Store, now: Millis) -> Option<Millis> {
    store.next_delivery_due(&[], now).await.expect("asked").map(|wait| now + wait)
}

fn sent() -> Settlement {
    Settlement::Sent { message: SentMessage::default(), found: false }
}

fn again(due_at: Millis) -> Settlement {
    Settlement::Retry { due_at, why: Again::Failed, error: String::new() }
}

#[tokio::test]
async fn a_recovery_behind_a_message_under_way_falls_due_with_its_lease() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    let mut told = Told::default();
    told.outage(1, 0, BEGIN, None);
    told.commit(store).await;
    assert_eq!(next(store, BEGIN).await, Some(BEGIN));
    assert_eq!(claim(store, 1, BEGIN).await.len(), 1);
    let mut over = Told::default();
    over.outage(1, 0, BEGIN, Some(BEGIN + MINUTE));
    over.commit(store).await;
    let lease_ends = next(store, BEGIN).await.expect("one waits");
    assert!((BEGIN + SECOND..=BEGIN + 15 * SECOND).contains(&lease_ends), "{lease_ends}");
    assert_eq!(claim(store, 2, BEGIN).await, []);
    run_out(store).await;
    // The beginning is in doubt; the end tells it.
    let claimed = claim(store, 2, BEGIN).await;
    assert_eq!(claimed.iter().map(|one| (one.kind.as_str(), one.tells_opening)).collect::<Vec<_>>(), [("resolved", true)]);
}

#[tokio::test]
async fn an_outage_behind_one_that_waits_falls_due_with_it() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    let mut told = Told::default();
    told.outage(1, 0, BEGIN, None);
    told.commit(store).await;
    let opened = claim(store, 1, BEGIN).await;
    settle(store, 1, &opened[0], sent(), BEGIN).await;
    let mut told = Told::default();
    told.outage(1, 0, BEGIN, Some(BEGIN + MINUTE));
    told.outage(1, 1, BEGIN + 2 * MINUTE, None);
    told.commit(store).await;
    let resolved = claim(store, 1, BEGIN).await;
    assert_eq!(resolved.iter().map(|one| one.kind.as_str()).collect::<Vec<_>>(), ["resolved"]);
    settle(store, 1, &resolved[0], again(BEGIN + MINUTE), BEGIN).await;
    assert_eq!(claim(store, 2, BEGIN).await, []);
    assert_eq!(next(store, BEGIN).await, Some(BEGIN + MINUTE));
    // Held until its partition has caught up, nothing of it falls due, nor what is behind it.
    sqlx::query("UPDATE deliveries SET held_partition = 0 WHERE kind = 'resolved'").execute(store.pool()).await.expect("held");
    assert_eq!((claim(store, 2, BEGIN + MINUTE).await, next(store, BEGIN).await), (vec![], None));
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % 10
    }
}

#[tokio::test]
async fn whatever_becomes_of_attempts_a_monitors_messages_keep_their_order_and_no_sender_wakes_for_nothing() {
    const MONITORS: u128 = 4;
    const OUTAGES: i64 = 6;
    // Claims run out by PostgreSQL's clock, the script goes by its own: what a dead sender held runs out when that says so.
    const HOUR: Duration = Duration::from_secs(3600);
    let stack = Stack::new();
    let store = &stack.database().await.store;
    // Each monitor falls and rises every 20 s, out of step.
    let mut script: Vec<(Millis, u128, i64, bool)> = Vec::new();
    for monitor in 1..=MONITORS {
        for nth in 0..OUTAGES {
            let down = BEGIN + nth * 40 * SECOND + i64::try_from(monitor).expect("small") * 7 * SECOND;
            script.extend([(down, monitor, nth, false), (down + 20 * SECOND, monitor, nth, true)]);
        }
    }
    script.sort_unstable();
    script.reverse();
    let (mut now, mut dice, mut steps) = (BEGIN, Dice(1), 0);
    let mut told: BTreeMap<u128, Vec<(Millis, i32)>> = BTreeMap::new();
    let mut under_way: BTreeMap<Uuid, (u128, Millis)> = BTreeMap::new();
    loop {
        steps += 1;
        assert!(steps < 2_000, "it does not end");
        while let Some((at, monitor, nth, over)) = script.pop_if(|(at, ..)| *at <= now) {
            let down = if over { at - 20 * SECOND } else { at };
            let mut one = Told::default();
            one.outage(monitor, u128::try_from(nth).expect("small"), down, over.then_some(at));
            one.commit(store).await;
        }
        for id in under_way.iter().filter(|(_, (_, until))| *until <= now).map(|(id, _)| *id) {
            let over = sqlx::query("UPDATE deliveries SET lease_until = clock_timestamp() WHERE id = $1 AND state = 'sending'");
            over.bind(id).execute(store.pool()).await.expect("run out");
        }
        let owner = u128::from(dice.roll() % 2) + 1;
        let claimed = claim_for(store, owner, HOUR, now).await;
        if claimed.is_empty() {
            let due = next(store, now).await;
            assert!(due.is_none_or(|due| due > now), "it is due and is given to nobody: {due:?} at {now}");
            let lease_ends = under_way.values().map(|(_, until)| *until).filter(|until| *until > now).min();
            let due = due.filter(|due| lease_ends.is_none() || *due < now + 30 * MINUTE);
            let Some(wake) = [due, lease_ends, script.last().map(|(at, ..)| *at)].into_iter().flatten().min() else { break };
            now = wake;
        }
        for one in claimed {
            let monitor = one.monitor.0.as_u128();
            under_way.retain(|id, (_, until)| *until > now && *id != one.id);
            assert!(under_way.values().all(|(other, _)| *other != monitor), "two messages of one monitor are under way");
            let last = told.entry(monitor).or_default();
            assert!(last.last().is_none_or(|last| *last < (one.opened_at, one.sequence)), "{last:?}, then {one:?}");
            match dice.roll() {
                // Its sender dies.
                0 => {
                    under_way.insert(one.id, (monitor, now + 15 * SECOND));
                }
                1..=3 => settle(store, owner, &one, again(now + 30 * SECOND), now).await,
                _ => {
                    last.push((one.opened_at, one.sequence));
                    settle(store, owner, &one, sent(), now).await;
                }
            }
        }
    }
    let last = |monitor: u128| (BEGIN + (OUTAGES - 1) * 40 * SECOND + i64::try_from(monitor).expect("small") * 7 * SECOND, 2);
    assert!((1..=MONITORS).all(|monitor| told[&monitor].last() == Some(&last(monitor))), "{told:?}");
}
