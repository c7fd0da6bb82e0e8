use std::collections::BTreeMap;
use std::time::Duration;

use cache::{LiveResult, redis};
use model::Outcome;
use testkit::Stack;

use crate::support::{Running, committed, live, produce, producer, result, results};

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
