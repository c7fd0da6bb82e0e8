use std::collections::BTreeMap;
use std::time::Duration;

use cache::{LiveResult, redis};
use model::history::{Block, Entry, HOUR_MS, hour_of};
use model::{MonitorId, Outcome};
use testkit::Stack;

use crate::support::{Running, committed, live, produce, producer, region, result, results};

type Live = BTreeMap<String, Vec<(Vec<u8>, Vec<u8>)>>;

/// Empties this test's corner of Redis, as FLUSHALL empties all of it.
async fn empty(stack: &Stack) {
    let cache = stack.cache().await;
    let keys: Vec<String> = cache.query(redis::cmd("KEYS").arg(format!("{}:*", stack.redis_prefix))).await.expect("keys");
    cache.query::<()>(redis::cmd("DEL").arg(&keys)).await.expect("emptied");
}

async fn restored(stack: &Stack, expected: &Live) {
    testkit::eventually("live state is back", Duration::from_secs(20), || async { (live(stack).await == *expected).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_redis_is_filled_again_while_running_and_after_a_restart() {
    let stack = Stack::new();
    let topics = stack.create_topics(2).await;
    let producer = producer(&stack);
    let all = results(5);
    let running = Running::start(&stack, &[]).await;
    produce(&producer, &topics, &all).await;
    committed(&stack, &topics).await;
    let expected = {
        // The last write may still be on its way.
        tokio::time::sleep(Duration::from_millis(300)).await;
        live(&stack).await
    };
    assert!(!expected.is_empty());
    empty(&stack).await;
    restored(&stack, &expected).await;
    // Nor need it be empty: whoever left something out of it lets it say so.
    let cache = stack.cache().await;
    let hours = expected.iter().find(|(key, _)| key.starts_with("hours:")).expect("counts");
    cache.query::<()>(redis::cmd("HDEL").arg(format!("{}:{}", stack.redis_prefix, hours.0)).arg(&hours.1[0].0)).await.expect("gone");
    cache.query::<()>(redis::cmd("INCR").arg(cache.keys().owed())).await.expect("told");
    restored(&stack, &expected).await;
    running.stop().await;

    // Nobody was there when it was emptied: blocks and counts come from PostgreSQL.
    empty(&stack).await;
    let running = Running::start(&stack, &[]).await;
    let blocks = |live: &Live| -> Live {
        live.iter().filter(|(key, _)| !key.starts_with("live:")).map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    testkit::eventually("blocks and counts are back", Duration::from_secs(20), || async {
        (blocks(&live(&stack).await) == blocks(&expected)).then_some(())
    })
    .await;
    // The latest results are back with slot and outcome; the rest of them was in Redis only.
    let now = live(&stack).await;
    for (key, fields) in expected.iter().filter(|(key, _)| key.starts_with("live:")) {
        for ((region, before), (_, after)) in fields.iter().zip(&now[key]) {
            let read = |json: &[u8]| serde_json::from_slice::<LiveResult>(json).expect("a live result");
            let (before, after) = (read(before), read(after));
            assert_eq!((before.slot, before.outcome), (after.slot, after.outcome), "{key} {region:?}");
        }
    }
    // A live result of a later slot replaces them.
    let next = result(0, "eu", all.iter().map(|result| result.slot).max().expect("some") + 60_000, Outcome::Down, None);
    produce(&producer, &topics, std::slice::from_ref(&next)).await;
    testkit::eventually("the next result is the latest", Duration::from_secs(10), || async {
        let start = format!(r#"{{"slot":{}"#, next.slot);
        let latest = &live(&stack).await[&format!("live:{}", next.monitor)];
        latest.iter().any(|(_, json)| json.starts_with(start.as_bytes())).then_some(())
    })
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_another_type_stop_nobody_and_what_they_replaced_comes_back() {
    let all = results(4);
    let hour = hour_of(all[0].slot);
    // Every key of the four monitors is written to once more.
    let next: Vec<_> = (0..4)
        .flat_map(|monitor| [hour + 30_000, hour + HOUR_MS].map(|slot| result(monitor, "eu", slot, Outcome::Up, Some(20_000))))
        .collect();
    let mut states = Vec::new();
    for spoilt in [false, true] {
        let stack = Stack::new();
        let topics = stack.create_topics(2).await;
        let producer = producer(&stack);
        let running = Running::start(&stack, &[]).await;
        produce(&producer, &topics, &all).await;
        committed(&stack, &topics).await;
        if spoilt {
            let cache = stack.cache().await;
            let (keys, id) = (cache.keys(), |n| MonitorId(uuid::Uuid::from_u128(n)));
            for key in [keys.hours(id(0)), keys.live(id(1)), keys.block(id(2), &region("eu"), hour)] {
                cache.query::<()>(redis::cmd("DEL").arg(&key)).await.expect("removed");
                cache.query::<()>(redis::cmd("SADD").arg(&key).arg("none of ours")).await.expect("spoilt");
            }
        }
        produce(&producer, &topics, &next).await;
        committed(&stack, &topics).await;
        // Of the latest results, history knows slot and outcome.
        let state = async || -> Live {
            let short =
                |json: &[u8]| serde_json::from_slice::<LiveResult>(json).map_or(json.to_vec(), |live| live.slot.to_be_bytes().to_vec());
            live(&stack).await.into_iter().map(|(key, of)| (key, of.into_iter().map(|(k, v)| (k, short(&v))).collect())).collect()
        };
        if let Some(expected) = states.first() {
            testkit::eventually("all is back", Duration::from_secs(20), || async { (state().await == *expected).then_some(()) }).await;
        } else {
            tokio::time::sleep(Duration::from_millis(300)).await;
            states.push(state().await);
        }
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_restored_while_one_block_is_not() {
    let stack = Stack::new();
    let topics = stack.create_topics(2).await;
    let running = Running::start(&stack, &[]).await;
    produce(&producer(&stack), &topics, &results(2)).await;
    committed(&stack, &topics).await;
    running.stop().await;
    let cache = stack.cache().await;
    let marker = async || -> Option<String> { cache.query(redis::cmd("GET").arg(cache.keys().restored())).await.expect("a marker") };
    cache.query::<()>(redis::cmd("DEL").arg(cache.keys().restored())).await.expect("to be restored");
    let state = live(&stack).await;
    let (block, _) = state.iter().find(|(key, _)| key.starts_with("block:")).expect("a block");
    let block = format!("{}:{block}", stack.redis_prefix);
    // Others change it, each time before it can be written with what was found: Redis is never without one of them.
    let theirs = (100..300).map(|n| [Entry::new(n, Outcome::Up, None)].into_iter().collect::<Block>().encode());
    let mut change = redis::cmd("EVAL");
    change.arg(
        "redis.call('SET', KEYS[1], ARGV[redis.call('INCR', KEYS[2]) % #ARGV + 1])
         for _ = 1, 3000 do redis.call('GET', KEYS[1]) end",
    );
    change.arg(2).arg(&block).arg(format!("{}:turns", stack.redis_prefix)).arg(theirs.collect::<Vec<_>>());
    let others: Vec<_> = (0..8)
        .map(|_| {
            let (cache, change) = (cache.clone(), change.clone());
            tokio::spawn(async move {
                let mut connection = cache.pooled().await.expect("a connection");
                loop {
                    cache.within(change.query_async::<()>(&mut connection)).await.expect("changed");
                }
            })
        })
        .collect();
    let running = Running::start(&stack, &[]).await;
    for _ in 0..60 {
        assert_eq!(marker().await, None);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    others.iter().for_each(tokio::task::JoinHandle::abort);
    testkit::eventually("restored", Duration::from_secs(20), || async { marker().await }).await;
    let bytes: Vec<u8> = cache.query(redis::cmd("GET").arg(&block)).await.expect("a block");
    // Besides what the last restore found, each of its attempts may have kept what it came upon.
    let (theirs, history): (Vec<_>, Vec<_>) =
        Block::decode(&bytes).expect("a block").samples(0).map(|sample| sample.slot).partition(|offset| (100..300).contains(offset));
    assert_eq!(history.len(), 60, "all of history's");
    assert!(!theirs.is_empty(), "the last of theirs");
    running.stop().await;
}
