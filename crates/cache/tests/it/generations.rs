//! Generations of live state: written beside what is shown, shown by one key, followed by readers.

use bytes::Bytes;
use cache::{BoardKey, Cache, Depth, LiveWrite};
use model::history::{Block, Entry, HOUR_MS, hour_of};
use model::{Clock, MonitorId, Outcome, SystemClock};

use crate::fresh;

fn write(slot: &str, minutes: i64) -> LiveWrite {
    let block: Block = (0..minutes).map(|minute| Entry::new(minute * 60_000, Outcome::Up, None)).collect();
    LiveWrite {
        monitor: MonitorId(uuid::Uuid::from_u128(1)),
        region: "local".parse().expect("a region"),
        hour: hour_of(SystemClock.now_ms()),
        expected: Bytes::new(),
        block: block.encode().into(),
        counts: block.counts(),
        latest: Some(format!(r#"{{"slot":{slot},"outcome":"up","started_at":1,"revision":1}}"#).into()),
    }
}

async fn shown(cache: &Cache) -> (usize, String) {
    let write = write("1772323200000", 1);
    let key = BoardKey { monitor: write.monitor, blocks: vec![(write.region, write.hour)] };
    let rows = cache.boards(&[key], Depth::Whole).await.expect("a board");
    let block = rows[0].blocks[0].as_ref().map_or(0, |bytes| Block::decode(bytes).expect("a block").len());
    (block, rows[0].live.values().map(|json| String::from_utf8_lossy(json).into_owned()).collect())
}

#[tokio::test]
async fn readers_follow_what_is_shown_and_what_was_staged_is_unseen_until_then() {
    let cache = fresh();
    cache.write_live(&[write("1772323200000", 2)]).await.expect("written");
    let next = cache.in_generation("r1");
    next.stage_live(&[write("1772323200005", 5)]).await.expect("staged");
    // Staged again with more, as the log goes on: written over.
    next.stage_live(&[write("1772323200007", 7)]).await.expect("staged");
    assert_eq!(shown(&cache).await.0, 2);
    assert!(!cache.show_live_generation("other", "r1").await.expect("an answer"), "another was shown than believed");
    assert!(cache.show_live_generation("", "r1").await.expect("shown"));
    assert!(cache.show_live_generation("", "r1").await.expect("shown"), "told twice is told once");
    let (block, latest) = shown(&cache).await;
    assert_eq!(block, 7);
    assert!(latest.contains("1772323200007"), "{latest}");
    assert_eq!(cache.forget_live_generation("").await.expect("forgotten"), 3, "latest results, counts, a block");
    assert_eq!(shown(&cache).await.0, 7);
    // Redis lost the key: readers are where they began.
    assert!(cache.show_live_generation("r1", "").await.expect("shown"));
    assert_eq!(shown(&cache).await.0, 0);
    let lasting: i64 = cache.query(cache::redis::cmd("TTL").arg(next.keys().live(write("1772323200007", 1).monitor))).await.expect("TTL");
    assert!(lasting > 0 && lasting <= (8 * 24 * HOUR_MS + 5 * HOUR_MS) / 1000, "{lasting}");
}
