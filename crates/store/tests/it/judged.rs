//! How far all partitions are judged, whatever the clocks of those who say so.

use model::{Clock as _, Millis, SystemClock};
use store::Store;
use store::incidents::{AlertingCommit, Committed, JudgedThrough, OffsetRow};
use testkit::Stack;
use uuid::Uuid;

const HOUR: Millis = 3_600_000;
/// Between two statements, and between PostgreSQL's clock and ours.
const SLACK: Millis = 10_000;

async fn take(store: &Store, cluster: &str, partitions: &[i32]) -> Vec<OffsetRow> {
    let taken = store.take_partitions("alerter", "results", partitions, cluster, Uuid::nil()).await.expect("taken");
    taken
        .into_iter()
        .map(|one| OffsetRow { partition: one.partition, epoch: one.epoch, next_offset: one.next_offset, judged: one.judged })
        .collect()
}

/// Says that `offsets` are judged up to `judged`.
async fn commit(store: &Store, offsets: &[OffsetRow], judged: Millis) {
    let commit = AlertingCommit {
        consumer: "alerter",
        topic: "results",
        owner: Uuid::nil(),
        now: judged,
        made_at: judged,
        offsets: offsets.iter().map(|row| OffsetRow { judged, ..row.clone() }).collect(),
        states: Vec::new(),
        forgotten: Vec::new(),
        incidents: Vec::new(),
        alerts: Vec::new(),
        deliveries: Vec::new(),
        released: Vec::new(),
    };
    assert_eq!(store.commit_alerting(&commit).await.expect("committed"), Committed::Done);
}

async fn judged(store: &Store) -> JudgedThrough {
    store.judged_through("alerter", "results").await.expect("asked").expect("somebody has partitions")
}

/// As a version before this one left it.
async fn leave(store: &Store, partition: i32, ahead: Millis) {
    let sql = "UPDATE consumer_offsets SET updated_at = now() + make_interval(secs => $2 / 1000) WHERE partition = $1";
    let left = sqlx::query(sql).bind(partition).bind(f64::from(i32::try_from(ahead).expect("small"))).execute(store.pool()).await;
    assert_eq!(left.expect("left").rows_affected(), 1);
}

#[tokio::test]
async fn a_clock_that_is_ahead_says_no_more_than_that_the_present_is_judged() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    assert_eq!(store.judged_through("alerter", "results").await.expect("asked"), None);
    let offsets = take(store, "one", &[0, 1]).await;
    assert_eq!(offsets.iter().map(|row| row.judged).collect::<Vec<_>>(), [0, 0], "never judged");
    let now = SystemClock.now_ms();
    commit(store, &offsets, now + 10 * HOUR).await;
    let found = judged(store).await;
    assert!((0..SLACK).contains(&found.age) && (now - SLACK..now + SLACK).contains(&found.at), "{found:?}");
    // Whoever takes it next knows up to when it was judged, also where the row is from before.
    leave(store, 0, 10 * HOUR).await;
    let again = take(store, "one", &[0, 1]).await;
    assert!(again.iter().all(|row| (now - SLACK..now + SLACK).contains(&row.judged)), "{again:?}");
    // And a commit heals it, too.
    leave(store, 0, 10 * HOUR).await;
    commit(store, &again, now).await;
    let found = judged(store).await;
    assert!((0..SLACK).contains(&found.age), "{found:?}");
}

#[tokio::test]
async fn a_row_of_a_clock_that_was_ahead_hides_no_partition_and_names_no_log() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    let offsets = take(store, "one", &[0, 1]).await;
    let now = SystemClock.now_ms();
    commit(store, &offsets, now).await;
    // Nobody took it over: whoever left it said that the hours to come are judged.
    leave(store, 1, 10 * HOUR).await;
    assert_eq!(judged(store).await.at, 0);
    // The log began anew, with one partition less.
    let offsets = take(store, "another", &[0]).await;
    commit(store, &offsets, now).await;
    let found = judged(store).await;
    assert!((0..SLACK).contains(&found.age), "the log that is no more: {found:?}");
    leave(store, 0, -HOUR).await;
    let found = judged(store).await;
    assert!((HOUR..HOUR + SLACK).contains(&found.age), "{found:?}");
}
