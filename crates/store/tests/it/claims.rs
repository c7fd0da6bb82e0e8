//! Which deliveries a sender is given, and which are told by another's message.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{ChannelId, Clock as _, IncidentId, Millis, MonitorId, SystemClock, WorkspaceId};
use store::Store;
use store::incidents::{Again, AlertRow, AlertingCommit, ClaimedDelivery, DeliveryRow, IncidentRow, SentMessage, Settlement, Steady};
use testkit::Stack;
use uuid::Uuid;

/// 2026-03-01T00:00:00Z.
pub const BEGIN: Millis = 1_772_323_200_000;
pub const MINUTE: Millis = 60_000;
pub const LEASE: Duration = Duration::from_secs(15);
pub const CHANNEL: ChannelId = ChannelId(Uuid::from_u128(9));

/// Outages as the alerter commits them.
#[derive(Default)]
pub struct Told {
    pub incidents: Vec<IncidentRow>,
    pub alerts: Vec<AlertRow>,
    pub deliveries: Vec<DeliveryRow>,
}

impl Told {
    /// The `nth` outage of a monitor: down at `down`, up again at `up` if it is over.
    pub fn outage(&mut self, monitor: u128, nth: u128, down: Millis, up: Option<Millis>) {
        let id = IncidentId(Uuid::from_u128(monitor << 16 | nth << 8));
        self.incidents.push(IncidentRow {
            id,
            monitor: MonitorId(Uuid::from_u128(monitor)),
            workspace: WorkspaceId(Uuid::nil()),
            monitor_name: format!("m{monitor}"),
            target: String::new(),
            state: if up.is_some() { "resolved" } else { "open" },
            sequence: if up.is_some() { 2 } else { 1 },
            opened_at: down,
            resolved_at: up,
            cause: None,
            detail: None,
            regions: Vec::new(),
            note: None,
            acknowledged_at: None,
        });
        for (sequence, kind, at) in [(1, "opened", Some(down)), (2, "resolved", up)] {
            let Some(at) = at else { continue };
            let alert = Uuid::from_u128(id.0.as_u128() + u128::try_from(sequence).expect("small"));
            self.alerts.push(AlertRow {
                id: alert,
                incident: id,
                kind,
                sequence,
                slot: at,
                at,
                record_key: Vec::new(),
                record: Vec::new(),
                traceparent: None,
            });
            self.deliveries.push(DeliveryRow {
                id: alert,
                alert,
                incident: id,
                channel: CHANNEL,
                channel_kind: "webhook",
                channel_name: String::new(),
                kind,
                sequence,
                due_at: BEGIN,
                held_partition: None,
            });
        }
    }

    pub async fn commit(self, store: &Store) {
        let commit = AlertingCommit {
            consumer: "alerter",
            topic: "results",
            owner: Uuid::nil(),
            now: BEGIN,
            made_at: BEGIN,
            offsets: Vec::new(),
            states: Vec::new(),
            forgotten: Vec::new(),
            incidents: self.incidents,
            alerts: self.alerts,
            deliveries: self.deliveries,
            released: Vec::new(),
        };
        store.commit_alerting(&commit).await.expect("committed");
    }
}

/// Of one monitor: an outage that is over, and one that goes on.
fn one_over_and_one_open() -> Told {
    let mut told = Told::default();
    told.outage(1, 0, BEGIN, Some(BEGIN + MINUTE));
    told.outage(1, 1, BEGIN + 10 * MINUTE, None);
    told
}

async fn claim(store: &Store, owner: u128) -> Vec<ClaimedDelivery> {
    claim_at(store, owner, BEGIN + 60 * MINUTE).await
}

async fn claim_at(store: &Store, owner: u128, now: Millis) -> Vec<ClaimedDelivery> {
    claim_as(store, owner, now, &mut long_here(LEASE)).await
}

async fn claim_as(store: &Store, owner: u128, now: Millis, steady: &mut Steady) -> Vec<ClaimedDelivery> {
    store.claim_deliveries(Uuid::from_u128(owner), &[], 10_000, LEASE, now, steady).await.expect("claimed")
}

/// PostgreSQL has answered it for longer than a lease.
pub fn long_here(lease: Duration) -> Steady {
    let (mut steady, now) = (Steady::default(), SystemClock.now_ms());
    let from = now - Millis::try_from(lease.as_millis()).expect("short") - 7_000;
    for at in (from..now).step_by(5_000) {
        steady.answered(at, lease);
    }
    steady
}

/// All claims of so far have run out.
pub async fn run_out(store: &Store) {
    sqlx::query("UPDATE deliveries SET lease_until = clock_timestamp() WHERE state = 'sending'").execute(store.pool()).await.expect("aged");
}

#[tokio::test]
async fn however_many_outages_are_over_each_monitor_is_told_of_once() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    let mut told = Told::default();
    for monitor in 1..=1_100 {
        for nth in 0..3 {
            let down = BEGIN + 10 * MINUTE * i64::try_from(nth).expect("small");
            told.outage(monitor, nth, down, Some(down + MINUTE));
        }
    }
    told.commit(store).await;
    // Two at once: neither takes what the other is still folding.
    let (mut claimed, others) = tokio::join!(claim(store, 1), claim(store, 2));
    claimed.extend(others);
    let mut per_monitor: BTreeMap<MonitorId, Vec<(i32, Millis, bool)>> = BTreeMap::new();
    for one in &claimed {
        per_monitor.entry(one.monitor).or_default().push((one.earlier_times, one.earlier_ms, one.tells_opening));
    }
    assert_eq!(per_monitor.len(), 1_100);
    assert!(per_monitor.values().all(|told| *told == [(2, 2 * MINUTE, true)]), "{:?}", per_monitor.first_key_value());
}

#[tokio::test]
async fn outages_that_cannot_be_folded_take_no_room_from_those_that_can() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    let mut told = Told::default();
    // Ended by a pause, then once more down and up: of each monitor two messages, and nothing to fold.
    for monitor in 1..=1_001 {
        told.outage(monitor, 0, BEGIN, Some(BEGIN + MINUTE));
        told.incidents.last_mut().expect("one").note = Some("paused");
        told.outage(monitor, 1, BEGIN + 10 * MINUTE, Some(BEGIN + 11 * MINUTE));
    }
    for nth in 0..3 {
        let down = BEGIN + 10 * MINUTE * i64::try_from(nth).expect("small");
        told.outage(2_000, nth, down, Some(down + MINUTE));
    }
    told.commit(store).await;
    let claimed = claim(store, 1).await;
    let last: Vec<_> =
        claimed.iter().filter(|one| one.monitor.0.as_u128() == 2_000).map(|one| (one.earlier_times, one.earlier_ms)).collect();
    assert_eq!(last, [(2, 2 * MINUTE)]);
}

#[tokio::test]
async fn an_outage_is_not_folded_into_one_that_a_pause_ended() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    let mut told = Told::default();
    told.outage(1, 0, BEGIN, Some(BEGIN + MINUTE));
    told.outage(1, 1, BEGIN + 10 * MINUTE, Some(BEGIN + 11 * MINUTE));
    told.incidents.last_mut().expect("one").note = Some("paused");
    told.commit(store).await;
    // Slack is not told of the second at all.
    let claimed = claim(store, 1).await;
    assert_eq!(claimed.iter().map(|one| (one.note.as_deref(), one.tells_opening)).collect::<Vec<_>>(), [(None, true)]);
}

#[tokio::test]
async fn the_outage_before_the_one_that_lasts_is_told_with_it() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    one_over_and_one_open().commit(store).await;
    let claimed = claim(store, 1).await;
    assert_eq!(
        claimed.iter().map(|one| (one.kind.as_str(), one.earlier_times, one.earlier_ms)).collect::<Vec<_>>(),
        [("opened", 1, MINUTE)]
    );
}

#[tokio::test]
async fn an_outage_is_not_told_while_the_one_before_is_on_its_way() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    let mut told = Told::default();
    told.outage(1, 0, BEGIN, None);
    told.commit(store).await;
    let sent = |one: &ClaimedDelivery| (one.id, one.attempt, Settlement::Sent { message: SentMessage::default(), found: false });
    let opened = claim(store, 1).await;
    let ends: Vec<_> = opened.iter().map(sent).collect();
    store.settle_deliveries(Uuid::from_u128(1), &ends, BEGIN).await.expect("settled");

    let mut told = Told::default();
    told.outage(1, 0, BEGIN, Some(BEGIN + MINUTE));
    told.outage(1, 1, BEGIN + 5 * MINUTE, None);
    told.outage(2, 0, BEGIN, None);
    told.commit(store).await;
    let kinds = |claimed: &[ClaimedDelivery]| {
        let mut kinds: Vec<_> = claimed.iter().map(|one| (one.monitor.0.as_u128(), one.kind.clone())).collect();
        kinds.sort();
        kinds
    };
    let first = claim(store, 1).await;
    assert_eq!(kinds(&first), [(1, "resolved".to_owned()), (2, "opened".to_owned())]);
    assert_eq!(kinds(&claim(store, 2).await), [], "another sender does not overtake it");
    let ends: Vec<_> = first.iter().map(sent).collect();
    store.settle_deliveries(Uuid::from_u128(1), &ends, BEGIN).await.expect("settled");
    assert_eq!(kinds(&claim(store, 2).await), [(1, "opened".to_owned())]);
}

#[tokio::test]
async fn a_claim_that_nobody_works_on_runs_out_though_its_owner_lives() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    let mut told = Told::default();
    told.outage(1, 0, BEGIN, None);
    told.outage(2, 0, BEGIN, None);
    told.commit(store).await;
    let owner = Uuid::from_u128(1);
    let claimed = claim(store, 1).await;
    let (kept, left) = (claimed[0].id, claimed[1].id);
    run_out(store).await;
    assert_eq!(store.renew_claims(owner, &[kept], LEASE).await.expect("renewed"), [kept], "nobody took it meanwhile");
    let again = claim(store, 1).await;
    assert_eq!(again.iter().map(|one| (one.id, one.doubtful)).collect::<Vec<_>>(), [(left, true)]);
    run_out(store).await;
    assert_eq!(claim(store, 2).await.len(), 2);
    assert!(store.renew_claims(owner, &[kept, left], LEASE).await.expect("asked").is_empty(), "another has them");
}

#[tokio::test]
async fn a_sender_whose_clock_is_ahead_takes_nobodys_claim() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    let mut told = Told::default();
    told.outage(1, 0, BEGIN, None);
    told.commit(store).await;
    assert_eq!(claim_at(store, 1, BEGIN).await.len(), 1);
    let mut over = Told::default();
    over.outage(1, 0, BEGIN, Some(BEGIN + MINUTE));
    over.commit(store).await;
    // Neither is it given, nor folded into the recovery.
    let far_ahead = BEGIN + 1_000_000 * MINUTE;
    assert_eq!(claim_at(store, 2, far_ahead).await, []);
    // A clock that is behind makes no claim shorter.
    run_out(store).await;
    assert_eq!(store.renew_claims(Uuid::from_u128(1), &[Uuid::from_u128(1 << 16 | 1)], LEASE).await.expect("renewed").len(), 1);
    assert_eq!(claim_at(store, 2, far_ahead).await, []);
}

#[tokio::test]
async fn after_an_absence_of_postgresql_claims_that_ran_out_are_left_to_their_owners_for_a_lease() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    let mut told = Told::default();
    told.outage(1, 0, BEGIN, None);
    told.commit(store).await;
    let opened = claim(store, 1).await;
    let mut over = Told::default();
    over.outage(1, 0, BEGIN, Some(BEGIN + MINUTE));
    over.commit(store).await;
    run_out(store).await;
    // It last answered the other sender a minute ago.
    let mut steady = Steady::default();
    let _ = [76, 69, 62, 60].map(|ago| steady.answered(SystemClock.now_ms() - ago * 1000, LEASE));
    let claimed = claim_as(store, 2, BEGIN + 60 * MINUTE, &mut steady).await;
    assert_eq!(claimed, [], "neither claimed nor folded");
    let sent = Settlement::Sent { message: SentMessage::default(), found: false };
    let ends = [(opened[0].id, opened[0].attempt, sent)];
    assert_eq!(store.settle_deliveries(Uuid::from_u128(1), &ends, BEGIN).await.expect("settled"), 1);
    let claimed = claim_as(store, 2, BEGIN + 60 * MINUTE, &mut steady).await;
    assert_eq!(claimed.iter().map(|one| (one.kind.as_str(), one.tells_opening)).collect::<Vec<_>>(), [("resolved", false)]);
}

#[tokio::test]
async fn a_sender_that_has_just_come_leaves_claims_that_ran_out_to_their_owners_for_a_lease_and_takes_what_is_nobodys() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    let mut told = Told::default();
    told.outage(1, 0, BEGIN, None);
    told.commit(store).await;
    let opened = claim(store, 1).await;
    let mut later = Told::default();
    later.outage(1, 0, BEGIN, Some(BEGIN + MINUTE));
    later.outage(2, 0, BEGIN, None);
    later.commit(store).await;
    // PostgreSQL was away: the owner could neither renew nor record.
    run_out(store).await;
    let now = BEGIN + 60 * MINUTE;
    let new = claim_as(store, 2, now, &mut Steady::default()).await;
    assert_eq!(new.iter().map(|one| one.monitor.0.as_u128()).collect::<Vec<_>>(), [2], "neither claimed nor folded");
    // One that was here all the time waits no longer than the claim.
    let taken = claim_at(store, 3, now).await;
    assert_eq!(taken.iter().map(|one| (one.incident, one.tells_opening)).collect::<Vec<_>>(), [(opened[0].incident, true)]);
}

#[tokio::test]
async fn words_that_a_channel_chose_are_recorded_whatever_they_are() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    let mut told = Told::default();
    told.outage(1, 0, BEGIN, None);
    told.outage(2, 0, BEGIN, None);
    told.outage(3, 0, BEGIN, None);
    told.commit(store).await;
    let words = format!("Slack says \u{0}\n{}", "é".repeat(9_000));
    let message = SentMessage { channel: Some("C\u{0}1".to_owned()), ts: Some("\u{0}".to_owned()), set: Some("#ops".to_owned()) };
    let ends = [
        Settlement::Retry { due_at: BEGIN, why: Again::Refused, error: words.clone() },
        Settlement::Dead { error: words },
        Settlement::Sent { message, found: false },
    ];
    let claimed = claim(store, 1).await;
    let ends: Vec<_> = claimed.iter().zip(ends).map(|(one, end)| (one.id, one.attempt, end)).collect();
    assert_eq!(store.settle_deliveries(Uuid::from_u128(1), &ends, BEGIN).await.expect("settled"), 3);
    let kept: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT last_error FROM deliveries WHERE last_error IS NOT NULL UNION SELECT error FROM delivery_attempts WHERE error IS NOT NULL")
            .fetch_all(store.pool())
            .await
            .expect("read");
    assert_eq!(kept, [format!("Slack says   {}", "é".repeat(487))]);
    assert_eq!(store.known_message_channel(CHANNEL, "#ops").await.expect("asked").as_deref(), Some("C 1"));
    assert_eq!(store.known_message_channel(CHANNEL, "#alerts").await.expect("asked"), None, "of another place");
}

#[tokio::test]
async fn the_recovery_of_an_outage_whose_beginning_was_given_up_tells_of_both() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    let mut told = Told::default();
    told.outage(1, 0, BEGIN, None);
    told.commit(store).await;
    let opened = claim(store, 1).await;
    let dead = Settlement::Dead { error: "Slack says token_revoked".to_owned() };
    store.settle_deliveries(Uuid::from_u128(1), &[(opened[0].id, opened[0].attempt, dead)], BEGIN).await.expect("settled");
    let mut over = Told::default();
    over.outage(1, 0, BEGIN, Some(BEGIN + MINUTE));
    over.commit(store).await;
    let claimed = claim(store, 1).await;
    assert_eq!(claimed.iter().map(|one| (one.kind.as_str(), one.tells_opening)).collect::<Vec<_>>(), [("resolved", true)]);
}

#[tokio::test]
async fn refusals_are_counted_from_the_first_in_a_row() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    let mut told = Told::default();
    told.outage(1, 0, BEGIN, None);
    told.commit(store).await;
    let mut seen = Vec::new();
    for (minute, why) in
        [(1, Again::Failed), (2, Again::Refused), (3, Again::Unsent), (4, Again::Refused), (5, Again::Doubtful), (6, Again::Refused)]
    {
        let one = claim(store, 1).await.pop().expect("one");
        seen.push(one.refused_since.map(|since| (since - BEGIN) / MINUTE));
        let end = Settlement::Retry { due_at: BEGIN, why, error: String::new() };
        store.settle_deliveries(Uuid::from_u128(1), &[(one.id, one.attempt, end)], BEGIN + minute * MINUTE).await.expect("settled");
    }
    seen.push(claim(store, 1).await[0].refused_since.map(|since| (since - BEGIN) / MINUTE));
    assert_eq!(seen, [None, None, Some(2), Some(2), Some(2), None, Some(6)]);
}

#[tokio::test]
async fn what_was_told_with_an_outage_is_told_with_its_end_where_that_comes_first() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    one_over_and_one_open().commit(store).await;
    let opened = claim(store, 1).await;
    assert_eq!(opened.len(), 1);
    let again = Settlement::Retry { due_at: BEGIN, why: Again::Failed, error: String::new() };
    store.settle_deliveries(Uuid::from_u128(1), &[(opened[0].id, opened[0].attempt, again)], BEGIN).await.expect("settled");
    let mut over = Told::default();
    over.outage(1, 1, BEGIN + 10 * MINUTE, Some(BEGIN + 12 * MINUTE));
    over.alerts.remove(0);
    over.deliveries.remove(0);
    over.commit(store).await;
    let claimed = claim(store, 1).await;
    let found: Vec<_> = claimed.iter().map(|one| (one.kind.as_str(), one.tells_opening, one.earlier_times, one.earlier_ms)).collect();
    assert_eq!(found, [("resolved", true, 1, MINUTE)]);
}
