//! A replay that dies anywhere leaves the old generation or the new one, whole.

use std::time::Duration;

use cache::redis;
use model::{Clock, Outcome, SystemClock};
use processor::replay::{Options, Phase};
use testkit::{Stack, eventually};
use tokio::sync::Notify;

use crate::replay::{replay, replay_telling, three_hours};
use crate::support::{checks_in_history, committed, history, live, produce_then, result};

#[tokio::test(flavor = "multi_thread")]
async fn dying_before_the_commit_leaves_what_stood() {
    let stack = Stack::new();
    let (running, producer, all) = three_hours(&stack).await;
    // Something for a swap to change.
    let store = &stack.database().await.store;
    sqlx::query("DELETE FROM history_blocks WHERE hour = (SELECT max(hour) FROM history_blocks)")
        .execute(store.pool())
        .await
        .expect("deleted");
    let (rows, state) = (history(&stack).await, live(&stack).await);
    for phase in [Phase::Reading, Phase::Comparing, Phase::Staging, Phase::Swapping] {
        let reached = Notify::new();
        let tell = |progress: &processor::replay::Progress| {
            if progress.phase == phase {
                reached.notify_one();
            }
        };
        tokio::select! {
            biased;
            () = reached.notified() => {}
            report = replay_telling(&stack, Options::default(), &tell) => panic!("{phase:?} was never reached: {report:?}"),
        }
        assert_eq!(rows, history(&stack).await, "{phase:?}");
        assert_eq!(state, live(&stack).await, "{phase:?}");
        assert_eq!(store.history_generation().await.expect("stands"), "", "{phase:?}");
        // The connection that held the locks is gone a moment later.
        eventually("the next one may begin", Duration::from_secs(10), || async {
            replay_telling(&stack, Options { check: true }, &|_| {}).await.ok()
        })
        .await;
    }
    let next = result(0, "eu", SystemClock.now_ms(), Outcome::Down, None);
    produce_then(&producer, &stack.topics(), std::slice::from_ref(&next)).await;
    committed(&stack, &stack.topics()).await;
    replay(&stack, false).await;
    assert_eq!(checks_in_history(&stack).await, i64::try_from(all.len()).expect("small") + 1);
    // Nor is anything left of those that died.
    let shown = store.history_generation().await.expect("stands");
    let pattern = format!("{}:r????????????:*", stack.redis_prefix);
    let keys: Vec<String> = stack.cache().await.query(redis::cmd("KEYS").arg(pattern)).await.expect("keys");
    assert!(!keys.is_empty() && keys.iter().all(|key| key.contains(&shown)), "{keys:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_after_the_commit_leaves_the_new_generation_for_the_processors_to_show() {
    let stack = Stack::new();
    let (running, _, _) = three_hours(&stack).await;
    let store = &stack.database().await.store;
    sqlx::query("DELETE FROM history_blocks WHERE hour = (SELECT max(hour) FROM history_blocks)")
        .execute(store.pool())
        .await
        .expect("deleted");
    let state = live(&stack).await;
    let reached = Notify::new();
    let tell = |progress: &processor::replay::Progress| {
        if progress.phase == Phase::Tidying {
            reached.notify_one();
        }
    };
    tokio::select! {
        biased;
        () = reached.notified() => {}
        report = replay_telling(&stack, Options::default(), &tell) => panic!("it was never reached: {report:?}"),
    }
    let stands = store.history_generation().await.expect("stands");
    assert_ne!(stands, "");
    // Nobody has a reason to flush: a processor that starts, or one that looks, tells Redis.
    running.stop().await;
    let running = crate::support::Running::start(&stack, &[]).await;
    let cache = stack.cache().await;
    eventually("the new generation is shown", Duration::from_secs(20), || async {
        (cache.live_generation().await.ok()? == stands).then_some(())
    })
    .await;
    assert_eq!(state, live(&stack).await);
    assert_eq!(replay(&stack, true).await.differences, 0);
    running.stop().await;
}
