use bytes::Bytes;
use cache::{BoardKey, Cache, Depth, LiveOutcome, LiveWrite, decode_counts, redis};
use model::history::{Block, Entry, HOUR_MS, hour_of};
use model::uptime::Counts;
use model::{Clock, Millis, MonitorId, Outcome, Region, SystemClock};

use crate::fresh;

fn region() -> Region {
    "local".parse().expect("a region")
}

fn this_hour() -> Millis {
    hour_of(SystemClock.now_ms())
}

fn block(minutes: std::ops::Range<i64>) -> Block {
    minutes.map(|minute| Entry::new(minute * 60_000, Outcome::Up, Some(20_000))).collect()
}

fn write(monitor: u128, hour: Millis, expected: &[u8], block: &Block, latest: Option<&str>) -> LiveWrite {
    LiveWrite {
        monitor: MonitorId(uuid::Uuid::from_u128(monitor)),
        region: region(),
        hour,
        expected: Bytes::copy_from_slice(expected),
        block: block.encode().into(),
        counts: block.counts(),
        latest: latest.map(|latest| Bytes::copy_from_slice(latest.as_bytes())),
    }
}

/// An hour whose block is not kept any more.
fn counts(hour: Millis, counts: Counts) -> LiveWrite {
    LiveWrite { block: Bytes::new(), counts, ..write(1, hour, b"", &block(0..1), None) }
}

fn stored(latest_stored: bool) -> LiveOutcome {
    LiveOutcome { conflict: None, latest_stored, removed: false }
}

async fn get(cache: &Cache, hour: Millis) -> Option<Vec<u8>> {
    let key = cache.keys().block(MonitorId(uuid::Uuid::from_u128(1)), &region(), hour);
    cache.query(redis::cmd("GET").arg(key)).await.expect("block")
}

#[tokio::test]
async fn a_block_is_replaced_only_by_who_knows_it() {
    let (cache, hour) = (fresh(), this_hour());
    let (first, second) = (block(0..3), block(0..5));
    assert_eq!(cache.write_live(&[write(1, hour, b"", &first, None)]).await.expect("written"), [stored(false)]);
    // Knows nothing of what is there: gets it back and has stored nothing.
    let outcome = cache.write_live(&[write(1, hour, b"", &second, None)]).await.expect("written");
    assert_eq!(outcome[0].conflict.as_deref(), Some(first.encode().as_slice()));
    assert_eq!(get(&cache, hour).await, Some(first.encode()));
    // The same bytes again are no conflict; the right expectation replaces.
    assert_eq!(cache.write_live(&[write(1, hour, b"", &first, None)]).await.expect("written"), [stored(false)]);
    assert_eq!(cache.write_live(&[write(1, hour, &first.encode(), &second, None)]).await.expect("written"), [stored(false)]);
    assert_eq!(get(&cache, hour).await, Some(second.encode()));
    // After FLUSHALL what was expected is gone: the block is simply there again.
    let key = cache.keys().block(MonitorId(uuid::Uuid::from_u128(1)), &region(), hour);
    cache.query::<()>(redis::cmd("DEL").arg(&key)).await.expect("deleted");
    assert_eq!(cache.write_live(&[write(1, hour, &first.encode(), &second, None)]).await.expect("written"), [stored(false)]);
    let left: i64 = cache.query(redis::cmd("TTL").arg(&key)).await.expect("time to live");
    assert!((3 * 3600..=4 * 3600).contains(&left), "{left}");
}

#[tokio::test]
async fn the_newest_slot_is_the_latest_result_and_the_worse_of_one_slot() {
    let (cache, hour) = (fresh(), this_hour());
    let json = |slot: Millis, outcome: &str| format!(r#"{{"slot":{slot},"outcome":"{outcome}","started_at":{slot},"revision":1}}"#);
    let put = async |latest: String| {
        let outcome = cache.write_live(&[write(1, hour, b"", &block(0..1), Some(&latest))]).await.expect("written");
        outcome[0].latest_stored
    };
    assert!(put(json(hour + 60_000, "up")).await);
    assert!(!put(json(hour, "down")).await, "an older slot");
    assert!(!put(json(hour + 60_000, "up")).await, "the same");
    assert!(put(json(hour + 60_000, "down")).await, "the worse of one slot");
    assert!(!put(json(hour + 60_000, "unknown")).await);
    assert!(put(json(hour + 61_000, "up")).await);
    // An hour whose block is not kept any more still has a latest result.
    let old = LiveWrite { block: Bytes::new(), ..write(2, hour - 50 * HOUR_MS, b"", &block(0..1), Some(&json(hour, "up"))) };
    assert_eq!(cache.write_live(&[old]).await.expect("written"), [stored(true)]);
}

#[tokio::test]
async fn counts_follow_the_block_and_a_day_later_go() {
    let (cache, hour) = (fresh(), this_hour());
    let monitor = MonitorId(uuid::Uuid::from_u128(1));
    let old = counts(hour - 26 * HOUR_MS, Counts { up: 7, ..Counts::default() });
    let recent = LiveWrite { hour: hour - 5 * HOUR_MS, ..old.clone() };
    cache.write_live(&[old, recent]).await.expect("written");
    cache.write_live(&[write(1, hour, b"", &block(0..3), None)]).await.expect("written");
    let hours: std::collections::BTreeMap<String, Vec<u8>> =
        cache.query(redis::cmd("HGETALL").arg(cache.keys().hours(monitor))).await.expect("hours");
    let read: Vec<(String, u64)> = hours.into_iter().map(|(field, counts)| (field, decode_counts(&counts).expect("counts").up)).collect();
    assert_eq!(read, [(format!("local:{}", hour - 5 * HOUR_MS), 7), (format!("local:{hour}"), 3)]);
    let left: i64 = cache.query(redis::cmd("TTL").arg(cache.keys().hours(monitor))).await.expect("time to live");
    assert!((26 * 3600..=29 * 3600).contains(&left), "{left}");
}

#[tokio::test]
async fn counts_without_a_block_never_go_back() {
    let (cache, hour) = (fresh(), this_hour() - 5 * HOUR_MS);
    let up = |up: u64, down: u64| Counts { up, down, ..Counts::default() };
    let put = async |write: LiveWrite| {
        cache.write_live(&[write]).await.expect("written");
        let key = cache.keys().hours(MonitorId(uuid::Uuid::from_u128(1)));
        let stored: Vec<u8> = cache.query(redis::cmd("HGET").arg(key).arg(format!("local:{hour}"))).await.expect("counts");
        decode_counts(&stored).expect("counts")
    };
    assert_eq!(put(counts(hour, up(5, 0))).await, up(5, 0));
    assert_eq!(put(counts(hour, up(7, 0))).await, up(7, 0));
    // Whoever read its page before the others wrote comes after them.
    assert_eq!(put(counts(hour, up(5, 0))).await, up(7, 0));
    assert_eq!(put(LiveWrite { block: block(0..3).encode().into(), ..counts(hour, up(3, 0)) }).await, up(7, 0), "an expired block");
    assert_eq!(put(counts(hour, up(6, 1))).await, up(6, 1), "the worse verdict on a slot stands");
    assert_eq!(put(counts(hour, up(7, 0))).await, up(6, 1));
}

#[tokio::test]
async fn a_key_of_another_type_goes_and_says_that_something_is_missed() {
    let (cache, hour) = (fresh(), this_hour());
    let latest = format!(r#"{{"slot":{hour},"outcome":"up","started_at":{hour},"revision":1}}"#);
    let writes: Vec<LiveWrite> = (1..=4).map(|n| write(n, hour, b"", &block(0..3), Some(&latest))).collect();
    let (keys, id) = (cache.keys(), |n: u128| MonitorId(uuid::Uuid::from_u128(n)));
    for key in [keys.block(id(1), &region(), hour), keys.live(id(2)), keys.hours(id(3))] {
        cache.query::<()>(redis::cmd("SADD").arg(key).arg("none of ours")).await.expect("spoilt");
    }
    let removed: Vec<bool> = cache.write_live(&writes).await.expect("written").iter().map(|outcome| outcome.removed).collect();
    assert_eq!(removed, [true, true, true, false]);
    let owed: Option<u64> = cache.query(redis::cmd("GET").arg(keys.owed())).await.expect("a number");
    assert_eq!(owed, Some(3));
    for n in 1..=4 {
        let key = BoardKey { monitor: id(n), blocks: vec![(region(), hour)] };
        let row = cache.boards(&[key], Depth::Whole).await.expect("a board").remove(0);
        assert_eq!(row.blocks[0].as_deref(), Some(block(0..3).encode().as_slice()), "{n}");
        assert_eq!((row.live["local"].as_ref(), row.hours.len()), (latest.as_bytes(), 1), "{n}");
    }
    assert!(cache.write_live(&writes).await.expect("written").iter().all(|outcome| *outcome == stored(false)));
}

#[tokio::test]
async fn many_writes_keep_their_order_and_a_forgotten_script_is_loaded_again() {
    let (cache, hour) = (fresh(), this_hour());
    let writes: Vec<LiveWrite> = (0..1000).map(|n| write(n, hour, b"", &block(0..1), None)).collect();
    cache.query::<()>(redis::cmd("SCRIPT").arg("FLUSH")).await.expect("forgotten");
    assert!(cache.write_live(&writes).await.expect("written").iter().all(|outcome| outcome.conflict.is_none()));
    let mut other: Vec<LiveWrite> = writes;
    for write in other.iter_mut().step_by(7) {
        write.block = block(1..2).encode().into();
    }
    let outcomes = cache.write_live(&other).await.expect("written");
    assert!(outcomes.iter().enumerate().all(|(n, outcome)| outcome.conflict.is_some() == (n % 7 == 0)));
}
