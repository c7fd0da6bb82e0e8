use std::sync::Arc;

use model::history::{Block, BlockKey, Entry, HOUR_MS, hour_of};
use model::uptime::Counts;
use model::{Clock, Millis, MonitorId, Outcome, Region, SystemClock};
use store::history::{BlockCursor, HourBlock, Recorded};
use store::{Store, StoreError};
use testkit::Stack;
use uuid::Uuid;

const DAY_MS: Millis = 24 * HOUR_MS;
/// 2026-03-01T00:00:00Z.
const DAY: Millis = 1_772_323_200_000;

fn region(name: &str) -> Region {
    name.parse().expect("a region")
}

fn key(monitor: u128, hour: i64) -> BlockKey {
    BlockKey { monitor: MonitorId(Uuid::from_u128(monitor)), region: region("local"), hour: DAY + hour * HOUR_MS }
}

/// Checks at these minutes, all up.
fn block(minutes: impl IntoIterator<Item = i64>) -> Block {
    minutes
        .into_iter()
        .map(|minute| Entry::new(minute * 60_000, Outcome::Up, Some(20_000 + u32::try_from(minute).expect("minute") * 100)))
        .collect()
}

fn hour_block(monitor: u128, hour: i64, minutes: impl IntoIterator<Item = i64>) -> HourBlock {
    HourBlock { key: key(monitor, hour), block: Arc::new(block(minutes)) }
}

async fn all_rows(store: &Store) -> Vec<String> {
    let sql = "SELECT format('%s %s %s %s/%s/%s/%s/%s/%s %s %s %s %s ', monitor_id, hour AT TIME ZONE 'UTC', region, up, degraded, down, unknown,
               missed, maintenance, p50_us, p95_us, p99_us, max_us) || encode(block, 'hex') FROM history_blocks ORDER BY monitor_id, hour, region";
    sqlx::query_scalar(sql).fetch_all(store.pool()).await.expect("rows")
}

#[tokio::test]
async fn a_flush_inserts_merges_and_tells_what_it_found() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    store.ensure_history_days([DAY]).await.expect("partition");
    let first = store.flush_history(&[hour_block(1, 0, 0..10)]).await.expect("flushed");
    assert_eq!((first.written, first.grown.len()), (1, 0));
    let again = store.flush_history(&[hour_block(1, 0, 0..10)]).await.expect("flushed");
    assert_eq!((again.written, again.grown.len()), (0, 0), "nothing new, nothing written");
    // Another process, which began later, knows other minutes.
    let other = store.flush_history(&[hour_block(1, 0, 8..20), hour_block(2, 0, 0..1)]).await.expect("flushed");
    assert_eq!(other.written, 2);
    assert_eq!(other.grown.len(), 1);
    assert_eq!(*other.grown[0].block, block(0..20));
    // A part of what is there writes nothing but learns the rest.
    let part = store.flush_history(&[hour_block(1, 0, 3..4)]).await.expect("flushed");
    assert_eq!((part.written, part.grown.len()), (0, 1));

    let read = store.blocks(key(1, 0).monitor, None, DAY + 5 * 60_000, DAY + HOUR_MS).await.expect("read");
    assert_eq!(read, [(key(1, 0), block(0..20))]);
    assert!(store.blocks(key(1, 0).monitor, Some(&region("elsewhere")), DAY, DAY + HOUR_MS).await.expect("read").is_empty());
    assert!(store.blocks(key(1, 0).monitor, None, DAY + HOUR_MS, DAY + DAY_MS).await.expect("read").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_at_once_in_any_order_leave_the_same_rows() {
    let stack = Stack::new();
    let database = stack.database().await;
    let store = &database.store;
    store.ensure_history_days([DAY]).await.expect("partition");
    let monitors = 40;
    let minutes = 60;
    let writers = 6;
    let mut tasks = Vec::new();
    for writer in 0..writers {
        let store = database.connect(3);
        tasks.push(tokio::spawn(async move {
            // Every writer flushes all blocks several times, each time with other minutes, in another order.
            for round in 0..5 {
                let mut blocks: Vec<HourBlock> = (0..monitors)
                    .flat_map(|monitor| (0..2).map(move |hour| (monitor, hour)))
                    .map(|(monitor, hour)| {
                        hour_block(
                            monitor,
                            hour,
                            (0..minutes).filter(|minute| (minute * 7 + writer) % 5 == round || minute % writers == writer),
                        )
                    })
                    .collect();
                let turn = usize::try_from(writer * 13 + round * 29).expect("small") % blocks.len();
                blocks.rotate_left(turn);
                store.flush_history(&blocks).await.expect("flushed");
            }
        }));
    }
    for task in tasks {
        task.await.expect("writer");
    }
    let rows = all_rows(store).await;

    // One writer that has everything at once.
    let alone = Stack::new();
    let reference = &alone.database().await.store;
    reference.ensure_history_days([DAY]).await.expect("partition");
    let whole: Vec<HourBlock> = (0..monitors).flat_map(|monitor| (0..2).map(move |hour| hour_block(monitor, hour, 0..minutes))).collect();
    reference.flush_history(&whole).await.expect("flushed");
    assert_eq!(rows.len(), 80);
    assert_eq!(rows, all_rows(reference).await);
}

#[tokio::test]
async fn roll_ups_are_recomputed_when_their_day_changed_and_only_then() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    store.ensure_history_days([DAY, DAY + DAY_MS]).await.expect("partitions");
    store.flush_history(&[hour_block(1, 0, 0..60), hour_block(1, 23, 0..30), hour_block(2, 30, 0..5)]).await.expect("flushed");
    assert_eq!(store.roll_up().await.expect("rolled"), 2);
    assert_eq!(store.roll_up().await.expect("rolled"), 0);
    let rollups = store.rollups(key(1, 0).monitor, None, DAY, DAY + 2 * DAY_MS).await.expect("read");
    assert_eq!(rollups.len(), 1);
    assert_eq!((rollups[0].day, rollups[0].counts.up, rollups[0].counts.total()), (DAY, 90, 90));
    let mut latencies: Vec<u32> = [block(0..60), block(0..30)].iter().flat_map(Block::answered_us).collect();
    assert_eq!(rollups[0].latencies, model::uptime::Latencies::of(&mut latencies));

    // A late result makes its day due again.
    store
        .flush_history(&[HourBlock { key: key(1, 3), block: Arc::new([Entry::new(7, Outcome::Down, None)].into_iter().collect()) }])
        .await
        .expect("flushed");
    assert_eq!(store.roll_up().await.expect("rolled"), 1);
    let rollups = store.rollups(key(1, 0).monitor, Some(&region("local")), DAY + 5, DAY + 6).await.expect("read");
    assert_eq!((rollups[0].counts.up, rollups[0].counts.down), (90, 1));
}

#[tokio::test]
async fn old_days_go_as_partitions_and_roll_ups_stay_longer() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    let days = [DAY, DAY + DAY_MS, DAY + 2 * DAY_MS];
    store.ensure_history_days(days).await.expect("partitions");
    store.ensure_history_days(days).await.expect("again");
    store.flush_history(&[hour_block(1, 0, 0..5), hour_block(1, 24, 0..5), hour_block(1, 48, 0..5)]).await.expect("flushed");
    let ago = |instant: Millis| SystemClock.now_ms() - instant;
    assert_eq!(store.expire_history(ago(DAY + 2 * DAY_MS + 5), ago(DAY + DAY_MS)).await.expect("expired"), 0, "not rolled up yet");
    store.roll_up().await.expect("rolled");
    store.flush_history(&[hour_block(1, 25, 0..5)]).await.expect("flushed");
    assert_eq!(
        store.expire_history(ago(DAY + 2 * DAY_MS + 5), ago(DAY + DAY_MS)).await.expect("expired"),
        1,
        "the second day changed since"
    );
    store.roll_up().await.expect("rolled");
    assert_eq!(store.expire_history(ago(DAY + 2 * DAY_MS + 5), ago(DAY + DAY_MS)).await.expect("expired"), 1);
    let left = store.blocks(key(1, 0).monitor, None, DAY, DAY + 3 * DAY_MS).await.expect("read");
    assert_eq!(left.iter().map(|(key, _)| key.hour).collect::<Vec<_>>(), [DAY + 2 * DAY_MS]);
    let rollups = store.rollups(key(1, 0).monitor, None, DAY, DAY + 3 * DAY_MS).await.expect("read");
    assert_eq!(rollups.iter().map(|rollup| rollup.day).collect::<Vec<_>>(), days[1..]);
    assert_eq!(store.expire_history(ago(DAY + 2 * DAY_MS + 5), ago(DAY + 5)).await.expect("expired"), 0);
}

#[tokio::test]
async fn recent_blocks_come_page_by_page_and_all() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    store.ensure_history_days([DAY]).await.expect("partition");
    let blocks: Vec<HourBlock> = (0..25).flat_map(|monitor| (0..3).map(move |hour| hour_block(monitor, hour, 0..3))).collect();
    store.flush_history(&blocks).await.expect("flushed");
    let mut cursor = BlockCursor::since(DAY + HOUR_MS + 1);
    let mut seen = Vec::new();
    loop {
        let page = store.next_blocks(&mut cursor, 10).await.expect("page");
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 20);
        seen.extend(page.into_iter().map(|(key, _)| key));
    }
    let mut expected: Vec<BlockKey> = (0..25).flat_map(|monitor| [key(monitor, 1), key(monitor, 2)]).collect();
    expected.sort_by_key(|key| (key.monitor, key.hour));
    assert_eq!(seen, expected);
    assert_eq!(hour_of(DAY + 5), DAY);
}

#[tokio::test]
async fn one_damaged_block_keeps_no_other_from_being_read_rolled_up_or_written() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    store.ensure_history_days([DAY]).await.expect("partition");
    let damaged = [hour_block(1, 0, 0..5), hour_block(1, 1, 0..5), hour_block(2, 0, 0..5)];
    store.flush_history(&damaged).await.expect("flushed");
    sqlx::query("UPDATE history_blocks SET block = '\\x0109' WHERE monitor_id = $1 AND hour = to_timestamp($2::float8 / 1000)")
        .bind(Uuid::from_u128(1))
        .bind(DAY)
        .execute(store.pool())
        .await
        .expect("spoilt");
    let read = store.blocks(key(1, 0).monitor, None, DAY, DAY + DAY_MS).await.expect("read");
    assert_eq!(read.iter().map(|(key, _)| key.hour).collect::<Vec<_>>(), [DAY + HOUR_MS]);
    // A page of which nothing can be read is not the last one.
    let (mut cursor, mut pages) = (BlockCursor::since(DAY), Vec::new());
    while let page = store.next_blocks(&mut cursor, 1).await.expect("page")
        && !page.is_empty()
    {
        pages.extend(page.into_iter().map(|(key, _)| (key.monitor, key.hour)));
    }
    assert_eq!(pages, [(key(1, 1).monitor, DAY + HOUR_MS), (key(2, 0).monitor, DAY)]);
    assert_eq!(store.roll_up().await.expect("rolled"), 1);
    let rolled = async |monitor| {
        let days = store.rollups(key(monitor, 0).monitor, None, DAY, DAY + DAY_MS).await.expect("read");
        days.iter().map(|day| day.counts.up).collect::<Vec<_>>()
    };
    assert_eq!((rolled(1).await, rolled(2).await), (vec![5], vec![5]));
    // What is flushed takes the place of what nobody can read.
    let flushed = store.flush_history(&[hour_block(1, 0, 3..9), hour_block(2, 0, 3..9)]).await.expect("flushed");
    assert_eq!(flushed.written, 2);
    let read = store.blocks(key(1, 0).monitor, None, DAY, DAY + HOUR_MS).await.expect("read");
    assert_eq!(read, [(key(1, 0), block(3..9))]);
}

#[tokio::test]
async fn what_is_recorded_of_a_page_of_monitors_is_counted_without_reading_more_than_the_newest_blocks() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    store.ensure_history_days([DAY - DAY_MS, DAY]).await.expect("partitions");
    let elsewhere = |hour: i64, minutes: std::ops::Range<i64>| {
        let HourBlock { key, block } = hour_block(1, hour, minutes);
        HourBlock { key: BlockKey { region: region("elsewhere"), ..key }, block }
    };
    let down: Block = [Entry::new(0, Outcome::Down, None), Entry::new(1, Outcome::Missed, None)].into_iter().collect();
    let kept = [
        hour_block(1, -1, 0..60),
        hour_block(1, 0, 0..20),
        HourBlock { key: key(1, 1), block: Arc::new(down.clone()) },
        elsewhere(0, 0..5),
        hour_block(2, -20, 0..1),
        hour_block(3, -20, 0..1),
        hour_block(4, 0, 0..1),
    ];
    store.flush_history(&kept).await.expect("flushed");
    let wanted = [(1, DAY), (2, DAY - DAY_MS), (3, DAY)].map(|(monitor, since)| (key(monitor, 0).monitor, since));
    let mut found = store.recorded_of(&wanted, DAY, DAY + DAY_MS).await.expect("read");
    found.sort_by(|a, b| (&a.key.monitor, &a.key.region).cmp(&(&b.key.monitor, &b.key.region)));
    let counts = |up, down, missed| Counts { up, down, missed, ..Counts::default() };
    let expected = [
        Recorded { key: elsewhere(0, 0..0).key, newest: block(0..5), counts: counts(5, 0, 0) },
        Recorded { key: key(1, 1), newest: down, counts: counts(20, 1, 1) },
        // Before what is counted; the third one's is too old.
        Recorded { key: key(2, -20), newest: block(0..1), counts: counts(0, 0, 0) },
    ];
    assert_eq!(found, expected);
    // Nothing is written after `to`.
    let before = store.recorded_of(&wanted[..1], DAY, DAY + HOUR_MS).await.expect("read");
    assert_eq!(before.iter().map(|one| (one.key.hour, one.counts)).max_by_key(|one| one.1.up), Some((DAY, counts(20, 0, 0))));
}

#[tokio::test]
async fn what_a_newer_version_wrote_is_neither_replaced_nor_rolled_up_without() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    store.ensure_history_days([DAY]).await.expect("partition");
    store.flush_history(&[hour_block(1, 0, 0..5), hour_block(1, 1, 0..5), hour_block(2, 0, 0..5)]).await.expect("flushed");
    assert_eq!(store.roll_up().await.expect("rolled"), 1);
    let newer = "UPDATE history_blocks SET block = '\\x0209' WHERE monitor_id = $1 AND hour = to_timestamp($2::float8 / 1000)";
    sqlx::query(newer).bind(Uuid::from_u128(1)).bind(DAY).execute(store.pool()).await.expect("written");
    let error = store.flush_history(&[hour_block(1, 0, 3..9)]).await.expect_err("it cannot be merged");
    assert!(matches!(error, StoreError::Newer { .. }) && !error.is_retryable(), "{error}");
    let stands: Vec<u8> = sqlx::query_scalar("SELECT block FROM history_blocks WHERE monitor_id = $1 ORDER BY hour LIMIT 1")
        .bind(Uuid::from_u128(1))
        .fetch_one(store.pool())
        .await
        .expect("read");
    assert_eq!(stands, [2, 9]);
    // The day changed, and is not this version's to finish: what can be read is rolled up, the other roll-up stands.
    store.flush_history(&[hour_block(2, 0, 5..9)]).await.expect("flushed");
    assert_eq!(store.roll_up().await.expect("rolled"), 0);
    let rolled = async |monitor| {
        let days = store.rollups(key(monitor, 0).monitor, None, DAY, DAY + DAY_MS).await.expect("read");
        days.iter().map(|day| day.counts.up).collect::<Vec<_>>()
    };
    assert_eq!((rolled(1).await, rolled(2).await), (vec![10], vec![9]));
    assert_eq!(store.expire_history(SystemClock.now_ms() - DAY - 2 * DAY_MS, SystemClock.now_ms()).await.expect("expired"), 0);
}
