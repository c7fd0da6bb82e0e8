//! A flush that goes wrong in a rebalance: what it took is committed by nobody before it is in history.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use testkit::{Stack, eventually};

use crate::support::{Running, checks_in_history, committed, counted, produce, producer, results};

const MONITORS: u128 = 40;
const CHECKS: i64 = 40 * 2 * 60;
const PATIENCE: Duration = Duration::from_secs(30);

/// The processor as a process of its own, armed with a crash point.
async fn process(stack: &Stack, failpoints: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_processor"))
        .envs(stack.environment().await)
        .envs([("FLUSH_SECONDS", "600"), ("FAILPOINTS", failpoints)])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the processor")
}

/// How it ended by itself within a while, or else how it drained.
async fn ended(mut child: Child) -> ExitStatus {
    for _ in 0..100 {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Command::new("kill").arg(child.id().to_string()).status().expect("a signal");
    child.wait().expect("a child")
}

/// How a processor ends whose first flush, that of a rebalance, goes wrong.
async fn goes_wrong(failpoints: &str) -> ExitStatus {
    let stack = Stack::new();
    let topics = stack.create_topics(4).await;
    produce(&producer(&stack), &topics, &results(MONITORS)).await;
    let first = process(&stack, failpoints).await;
    let checks = u64::try_from(CHECKS).expect("small");
    eventually("everything is folded", PATIENCE, || async { (counted(&stack).await == checks).then_some(()) }).await;
    let second = Running::start(&stack, &[]).await;
    let status = ended(first).await;
    committed(&stack, &topics).await;
    second.stop().await;
    assert_eq!(checks_in_history(&stack).await, CHECKS, "what is committed is in history");
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_that_panics_ends_the_process_and_loses_nothing() {
    let status = goes_wrong("processor::before_flush=1*panic").await;
    assert_eq!(status.code(), Some(1), "without the crash points (`--features service/failpoints`) nothing panics");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_that_outlasts_the_rebalance_loses_nothing() {
    // The group waits five seconds for it; the drain finds it still under way.
    let status = goes_wrong("processor::before_flush=1*sleep(12000)").await;
    assert!(status.success(), "{status}");
}
