//! Catching up with the log, live state is written at a pace; all of it is written in the end.

use std::time::Duration;

use testkit::Stack;

use crate::support::{Running, counted, live, produce_then, producer, results};

const MONITORS: u128 = 50;

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_in_the_log_is_shown_whole_though_nothing_follows_it() {
    let stack = Stack::new();
    let topics = stack.create_topics(4).await;
    let all = results(MONITORS);
    let (first, rest) = all.split_at(all.len() / 2);
    // No flush sends live state along.
    let running = Running::start(&stack, &[("FLUSH_SECONDS", "600")]).await;
    let producer = producer(&stack);
    produce_then(&producer, &topics, first).await;
    testkit::eventually("the first write", Duration::from_secs(30), || async { (counted(&stack).await > 0).then_some(()) }).await;
    produce_then(&producer, &topics, rest).await;
    let slots = u64::try_from(MONITORS).expect("small") * 2 * 60;
    testkit::eventually("the last write", Duration::from_secs(30), || async { (counted(&stack).await == slots).then_some(()) }).await;
    let shown = live(&stack).await;
    running.stop().await;
    assert_eq!(shown, live(&stack).await, "the drain had nothing left to write");
}
