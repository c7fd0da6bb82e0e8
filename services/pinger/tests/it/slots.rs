use std::collections::HashSet;
use std::time::Duration;

use model::{Cause, Outcome, Schedule};
use serde_json::json;
use testkit::{Behaviour, Target};

use crate::mesh::{Mesh, now};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_monitor_is_checked_at_once_and_then_on_its_slots() {
    let mesh = Mesh::new().await;
    let target = Target::start().await;
    let pinger = mesh.pinger(mesh.environment("a"));
    let old = mesh.monitor(&json!({"kind": "http", "url": target.url()}), now() - 3_600_000);
    mesh.tell(old).await;
    mesh.result("the first monitor's result", Duration::from_secs(15), old, |_| true).await;

    let created = now();
    let new = mesh.monitor(&json!({"kind": "http", "url": target.url()}), created);
    mesh.tell(new).await;
    let first = mesh.result("the new monitor's result", Duration::from_secs(5), new, |_| true).await;
    assert!(first.started_at - created < 1_000, "checked {} ms after its creation", first.started_at - created);
    assert_eq!((first.outcome, first.status, first.attempts), (Outcome::Up, Some(200), 1));
    assert!(first.phases.connect_us.is_some() && first.phases.first_byte_us.is_some());

    let second = mesh.result("the next slot", Duration::from_secs(12), new, |result| result.slot > first.slot).await;
    let schedule = Schedule::new(new, &first.region, 10_000);
    assert!(schedule.contains(first.slot) && schedule.contains(second.slot));
    assert_eq!(second.slot, first.slot + 10_000);
    assert!((0..100).contains(&(second.started_at - second.slot)), "{} ms late", second.started_at - second.slot);

    target.set(Behaviour::Reset);
    let down = mesh.result("the failure", Duration::from_secs(12), new, |result| result.outcome == Outcome::Down).await;
    assert_eq!((down.cause, down.attempts), (Some(Cause::ConnectionReset), 2));
    pinger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_pingers_slots_are_taken_over_within_ten_seconds_and_none_is_lost() {
    let mesh = Mesh::new().await;
    let target = Target::start().await;
    let created = now() - 3_600_000;
    let monitors: Vec<_> = (0..40).map(|_| mesh.monitor(&json!({"kind": "http", "url": target.url()}), created)).collect();
    let (first, second) = (mesh.pinger(mesh.environment("a")), mesh.pinger(mesh.environment("b")));
    let began = now();
    for monitor in &monitors {
        mesh.result("every monitor's first result", Duration::from_secs(20), *monitor, |_| true).await;
    }
    testkit::eventually("both to share the work", Duration::from_secs(15), || async {
        let pingers: HashSet<String> = monitors.iter().flat_map(|monitor| mesh.results(*monitor)).map(|result| result.pinger).collect();
        (pingers.len() == 2).then_some(())
    })
    .await;

    let killed = now();
    first.kill();
    // From ten seconds after the kill on, every slot runs on time again.
    tokio::time::sleep(Duration::from_secs(22)).await;
    let ended = now();
    second.stop().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let region = "local".parse().unwrap();
    for monitor in monitors {
        let results = mesh.results(monitor);
        for slot in Schedule::new(monitor, &region, 10_000).slots(began + 4_000, ended - 1_000) {
            let found: Vec<_> = results.iter().filter(|result| result.slot == slot).collect();
            assert!(!found.is_empty(), "slot {} ms after the kill has no result", slot - killed);
            assert!(
                found.iter().any(|result| result.outcome == Outcome::Up && result.started_at - slot < 10_000),
                "slot {} ms after the kill: {found:?}",
                slot - killed
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_leaves_no_slot_out() {
    let mesh = Mesh::new().await;
    let target = Target::start().await;
    let created = now() - 3_600_000;
    let monitors: Vec<_> = (0..40).map(|_| mesh.monitor(&json!({"kind": "http", "url": target.url()}), created)).collect();
    let first = mesh.pinger(mesh.environment("a"));
    for monitor in &monitors {
        mesh.result("every monitor's first result", Duration::from_secs(20), *monitor, |_| true).await;
    }
    let began = now();
    let second = mesh.pinger(mesh.environment("b"));
    tokio::time::sleep(Duration::from_secs(5)).await;
    first.stop().await;
    let third = mesh.pinger(mesh.environment("a"));
    tokio::time::sleep(Duration::from_secs(5)).await;
    second.stop().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let ended = now();
    third.stop().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let region = "local".parse().unwrap();
    for monitor in monitors {
        let results = mesh.results(monitor);
        for slot in Schedule::new(monitor, &region, 10_000).slots(began, ended - 500) {
            let best = results.iter().find(|result| result.slot == slot && result.outcome == Outcome::Up);
            let late = best.map(|result| result.started_at - slot);
            assert!(late.is_some_and(|late| late < 4_000), "slot {} ms after the start: {late:?} ms late", slot - began);
        }
    }
}
