//! History and live state built anew from the log, beside a processor that goes on.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cache::redis;
use kafka::Producer;
use model::history::{Entry, HOUR_MS, hour_of};
use model::{CheckResult, Clock, Outcome, SystemClock};
use processor::Settings;
use processor::replay::{Options, Place, Progress, ReplayError, Report, run};
use service::Env;
use store::history::HourBlock;
use testkit::{Stack, eventually, within};

use crate::support::{Running, checks_in_history, committed, history, live, produce_then, producer, result, rollups};

const PATIENCE: Duration = Duration::from_secs(60);

pub async fn settings(stack: &Stack) -> Settings {
    Settings::read(&Env::from_map(stack.environment().await)).expect("settings")
}

pub async fn replay_telling(stack: &Stack, options: Options, tell: &(dyn Fn(&Progress) + Send + Sync)) -> Result<Report, ReplayError> {
    let settings = settings(stack).await;
    within("a replay", PATIENCE, run(&settings, options, Arc::new(SystemClock), tell)).await
}

pub async fn replay(stack: &Stack, check: bool) -> Report {
    replay_telling(stack, Options { check }, &|_| {}).await.expect("a replay")
}

/// Checks of each minute since three hours ago, by monitor and region, oldest first.
pub fn since_three_hours(monitors: u128) -> Vec<CheckResult> {
    let now = SystemClock.now_ms();
    let start = hour_of(now) - 3 * HOUR_MS;
    let mut all = Vec::new();
    for minute in 0.. {
        for monitor in 0..monitors {
            for region in ["eu", "us"] {
                let slot = start + minute * 60_000 + i64::try_from(monitor).expect("small");
                if slot > now {
                    return all;
                }
                let outcome = if minute % 17 == 3 { Outcome::Down } else { Outcome::Up };
                let latency = u32::try_from(20_000 + minute * 150).expect("small");
                all.push(result(monitor, region, slot, outcome, Some(latency)));
            }
        }
    }
    all
}

/// A processor that has flushed three hours of five monitors.
pub async fn three_hours(stack: &Stack) -> (Running, Producer, Vec<CheckResult>) {
    let topics = stack.create_topics(3).await;
    let producer = producer(stack);
    let all = since_three_hours(5);
    produce_then(&producer, &topics, &all).await;
    let running = Running::start(stack, &[]).await;
    committed(stack, &topics).await;
    (running, producer, all)
}

/// Forgets everything that follows from the log.
async fn forget(stack: &Stack) {
    let store = &stack.database().await.store;
    sqlx::query("TRUNCATE history_blocks, history_days, day_rollups").execute(store.pool()).await.expect("emptied");
    let cache = stack.cache().await;
    let keys: Vec<String> = cache.query(redis::cmd("KEYS").arg(format!("{}:*", stack.redis_prefix))).await.expect("keys");
    cache.query::<()>(redis::cmd("DEL").arg(&keys)).await.expect("emptied");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_dropped_comes_back_as_the_same_bytes() {
    let stack = Stack::new();
    let (running, producer, all) = three_hours(&stack).await;
    let store = &stack.database().await.store;
    store.roll_up().await.expect("rolled up");
    let (rows, days) = (history(&stack).await, rollups(&stack).await);
    let state = eventually("live state stands still", PATIENCE, || async {
        let first = live(&stack).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        (first == live(&stack).await && !first.is_empty()).then_some(first)
    })
    .await;
    assert_eq!(replay(&stack, true).await.differences, 0);

    forget(&stack).await;
    let report = replay(&stack, true).await;
    assert!(report.differences >= rows.len() as u64, "{report:?}");
    assert!(report.swapped.is_none() && history(&stack).await.is_empty(), "a check changes nothing");

    let report = replay(&stack, false).await;
    assert_eq!(report.records, all.len() as u64);
    let swapped = report.swapped.expect("swapped");
    assert_eq!(swapped.applied.added + swapped.applied.changed, rows.len() as u64, "{swapped:?}");
    assert_eq!((rows, days), (history(&stack).await, rollups(&stack).await));
    assert_eq!(state, live(&stack).await);
    assert_eq!(stack.cache().await.live_generation().await.expect("shown"), swapped.generation);

    // The processor follows: what comes now goes to the new generation, and a restart changes nothing.
    let next = result(0, "eu", SystemClock.now_ms(), Outcome::Down, Some(77_000));
    produce_then(&producer, &stack.topics(), std::slice::from_ref(&next)).await;
    committed(&stack, &stack.topics()).await;
    assert_eq!(checks_in_history(&stack).await, i64::try_from(all.len()).expect("small") + 1);
    eventually("the gateway's keys show it", PATIENCE, || async {
        let start = format!(r#"{{"slot":{}"#, next.slot);
        live(&stack).await.get(&format!("live:{}", next.monitor))?.iter().any(|(_, json)| json.starts_with(start.as_bytes())).then_some(())
    })
    .await;
    running.stop().await;
    let running = Running::start(&stack, &[]).await;
    assert_eq!(replay(&stack, true).await.differences, 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn live_traffic_goes_on_and_nothing_is_lost() {
    let stack = Stack::new();
    let (running, producer, all) = three_hours(&stack).await;
    let second = Running::start(&stack, &[("FLUSH_SECONDS", "0.05")]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let traffic = tokio::spawn({
        let (stop, topics) = (Arc::clone(&stop), stack.topics());
        async move {
            let mut sent = Vec::new();
            while !stop.load(Ordering::SeqCst) {
                let now = SystemClock.now_ms();
                let round: Vec<CheckResult> = (0..5).map(|monitor| result(monitor, "eu", now, Outcome::Up, Some(30_000))).collect();
                produce_then(&producer, &topics, &round).await;
                sent.extend(round);
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            sent
        }
    });
    for check in [true, false, true, false] {
        let report = replay(&stack, check).await;
        assert_eq!(report.differences, 0, "{report:?}");
        assert_eq!(report.swapped.is_some(), !check);
    }
    stop.store(true, Ordering::SeqCst);
    let sent = traffic.await.expect("traffic");
    committed(&stack, &stack.topics()).await;
    let slots: HashSet<_> = all.iter().chain(&sent).map(|result| (result.monitor, result.region.clone(), result.slot)).collect();
    assert_eq!(checks_in_history(&stack).await, i64::try_from(slots.len()).expect("small"), "{} sent meanwhile", sent.len());
    let report = replay(&stack, true).await;
    assert_eq!((report.differences, report.unsettled), (0, 0), "{report:?}");
    second.stop().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_does_not_know_is_named_and_does_not_come_back() {
    let stack = Stack::new();
    let (running, producer, all) = three_hours(&stack).await;
    let rows = history(&stack).await;
    // A check that never was, in the hour the processor still has in memory, and a monitor that never was.
    let now = SystemClock.now_ms();
    let wrong = result(0, "eu", hour_of(now) + 1, Outcome::Down, None);
    let never = result(99, "eu", hour_of(now) - HOUR_MS, Outcome::Down, None);
    let store = &stack.database().await.store;
    let spoil = |result: &CheckResult| HourBlock {
        key: model::history::BlockKey::of(result.monitor, result.region.clone(), result.slot),
        block: Arc::new([Entry::new(result.slot - hour_of(result.slot), result.outcome, None)].into_iter().collect()),
    };
    store.flush_history(&[spoil(&wrong), spoil(&never)]).await.expect("flushed");
    // The processor learns of it, as its next flush finds it there; so does Redis.
    let next = result(0, "eu", now, Outcome::Up, Some(40_000));
    produce_then(&producer, &stack.topics(), std::slice::from_ref(&next)).await;
    committed(&stack, &stack.topics()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;

    let report = replay(&stack, true).await;
    let found: Vec<_> = report.found.iter().map(|found| (found.place, found.key.monitor, found.key.hour, found.surplus)).collect();
    assert!(found.contains(&(Place::History, wrong.monitor, hour_of(now), 1)), "{found:?}");
    assert!(found.contains(&(Place::LiveBlock, wrong.monitor, hour_of(now), 1)), "{found:?}");
    assert!(found.contains(&(Place::History, never.monitor, never.slot, 1)), "{found:?}");
    assert_eq!(found.len(), 3, "{found:?}");

    let swapped = replay(&stack, false).await.swapped.expect("swapped");
    assert_eq!((swapped.applied.added, swapped.applied.changed, swapped.applied.removed), (0, 1, 1));
    let later = result(0, "eu", SystemClock.now_ms(), Outcome::Up, Some(40_000));
    produce_then(&producer, &stack.topics(), std::slice::from_ref(&later)).await;
    committed(&stack, &stack.topics()).await;
    assert_eq!(history(&stack).await.len(), rows.len());
    assert_eq!(checks_in_history(&stack).await, i64::try_from(all.len()).expect("small") + 2);
    assert_eq!(replay(&stack, true).await.differences, 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_older_than_the_log_are_kept() {
    let stack = Stack::new();
    // What an earlier log brought: an hour long ago, the beginning of the log's first hour, a latest result.
    let store = &stack.database().await.store;
    let first = hour_of(SystemClock.now_ms()) - 3 * HOUR_MS;
    let old = |hour: i64, minutes: std::ops::Range<i64>| HourBlock {
        key: model::history::BlockKey::of(result(0, "eu", hour, Outcome::Up, None).monitor, "eu".parse().expect("a region"), hour),
        block: Arc::new(minutes.map(|minute| Entry::new(minute * 60_000 + 7, Outcome::Down, None)).collect()),
    };
    let kept = [old(first - 30 * HOUR_MS, 0..60), old(first - HOUR_MS, 0..60), old(first, 0..20)];
    store.ensure_history_days(kept.iter().map(|block| block.key.hour)).await.expect("partitions");
    store.flush_history(&kept).await.expect("flushed");
    let silent = result(50, "eu", first - HOUR_MS, Outcome::Up, Some(1000));
    let cache = stack.cache().await;
    let json = serde_json::to_vec(&cache::LiveResult::from(silent.clone())).expect("JSON");
    cache.query::<()>(redis::cmd("HSET").arg(cache.keys().live(silent.monitor)).arg("eu").arg(&json)).await.expect("stored");

    let (running, _, all) = three_hours(&stack).await;
    let rows = history(&stack).await;
    let before = live(&stack).await;
    let checks = checks_in_history(&stack).await;
    assert_eq!(checks, i64::try_from(all.len()).expect("small") + 60 + 60 + 20);
    let report = replay(&stack, false).await;
    assert_eq!(report.covered_from, first + HOUR_MS);
    assert_eq!(report.differences, 0, "{report:?}");
    let swapped = report.swapped.expect("swapped");
    assert_eq!((swapped.applied, swapped.carried), (store::history::Applied::default(), 1));
    assert_eq!(rows, history(&stack).await);
    assert_eq!(before, live(&stack).await);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_log_and_a_second_replay_are_refused_in_words() {
    let stack = Stack::new();
    stack.create_topics(2).await;
    let error = replay_telling(&stack, Options::default(), &|_| {}).await.expect_err("an empty log");
    assert!(error.to_string().contains("is empty"), "{error}");
    let other = store::history::Rebuild::begin(&settings(&stack).await.database).await.expect("a connection");
    assert!(other.is_some());
    let error = replay_telling(&stack, Options::default(), &|_| {}).await.expect_err("two at once");
    assert!(matches!(error, ReplayError::Busy), "{error}");
    drop(other);
}
