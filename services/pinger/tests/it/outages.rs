use std::time::Duration;

use model::{Outcome, Schedule};
use serde_json::json;
use testkit::Target;

use crate::mesh::{Mesh, now};

#[tokio::test(flavor = "multi_thread")]
async fn what_kafka_did_not_take_waits_on_disk_and_arrives_in_order_after_a_restart() {
    let mesh = Mesh::new().await;
    let target = Target::start().await;
    let created = now() - 3_600_000;
    let monitors: Vec<_> = (0..10).map(|_| mesh.monitor(&json!({"kind": "http", "url": target.url()}), created)).collect();
    let mut away = mesh.environment("a");
    away.insert("KAFKA_BROKERS".to_owned(), "127.0.0.1:1".to_owned());
    let began = now();
    let pinger = mesh.pinger(away);
    testkit::eventually("checks without Kafka", Duration::from_secs(20), || async { (target.requests() >= 20).then_some(()) }).await;
    let ended = now();
    pinger.stop().await;
    assert!(monitors.iter().all(|monitor| mesh.results(*monitor).is_empty()));

    let pinger = mesh.pinger(mesh.environment("a"));
    let region = "local".parse().unwrap();
    for monitor in monitors {
        let schedule = Schedule::new(monitor, &region, 10_000);
        // The first second went by with starting.
        let slots: Vec<_> = schedule.slots(began + 4_500, ended - 500).collect();
        for slot in &slots {
            let found = mesh.result("a spooled result", Duration::from_secs(15), monitor, |result| result.slot == *slot).await;
            assert_eq!(found.outcome, Outcome::Up);
            assert!(found.started_at - slot < 2_000, "run when it was due, told later");
        }
        let told: Vec<_> = mesh.results(monitor).iter().map(|result| result.slot).filter(|slot| slots.contains(slot)).collect();
        assert!(told.is_sorted(), "in order: {told:?}");
    }
    let spool = mesh.environment("a").get("SPOOL_DIR").unwrap().to_owned();
    let left = || std::fs::read_dir(&spool).unwrap().count();
    testkit::eventually("the spool is empty", Duration::from_secs(20), || async { (left() == 0).then_some(()) }).await;
    pinger.stop().await;
    assert_eq!(left(), 0, "and stays so");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_everything_is_checked() {
    let mesh = Mesh::new().await;
    let target = Target::start().await;
    let monitor = mesh.monitor(&json!({"kind": "http", "url": target.url()}), now() - 3_600_000);
    let mut away = mesh.environment("a");
    away.insert("REDIS_URL".to_owned(), "redis://127.0.0.1:1".to_owned());
    let pinger = mesh.pinger(away);
    mesh.result("a result without Redis", Duration::from_secs(20), monitor, |result| result.outcome == Outcome::Up).await;
    pinger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_redis_changes_nothing() {
    let mesh = Mesh::new().await;
    let target = Target::start().await;
    let monitors: Vec<_> = (0..20).map(|_| mesh.monitor(&json!({"kind": "http", "url": target.url()}), now() - 3_600_000)).collect();
    let (one, two) = (mesh.pinger(mesh.environment("a")), mesh.pinger(mesh.environment("b")));
    for monitor in &monitors {
        mesh.result("every monitor's first result", Duration::from_secs(20), *monitor, |_| true).await;
    }
    let began = now();
    let cache = mesh.stack.cache().await;
    let keys: Vec<String> = cache.query(cache::redis::cmd("KEYS").arg(format!("{}:*", mesh.stack.redis_prefix))).await.unwrap();
    assert!(keys.len() > 100, "leases, epochs and progress: {}", keys.len());
    cache.query::<()>(cache::redis::cmd("DEL").arg(keys)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(22)).await;
    let ended = now();
    one.stop().await;
    two.stop().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let region = "local".parse().unwrap();
    for monitor in monitors {
        let results = mesh.results(monitor);
        for slot in Schedule::new(monitor, &region, 10_000).slots(began, ended - 1_000) {
            let run = results.iter().filter(|result| result.slot == slot && result.outcome == Outcome::Up).count();
            assert!((1..=2).contains(&run), "slot {} ms after the emptying was run {run} times", slot - began);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_resolver_is_never_the_targets_down() {
    let mesh = Mesh::new().await;
    let monitor = mesh.monitor(&json!({"kind": "http", "url": "http://example.test/"}), now());
    let mut mute = mesh.environment("a");
    mute.insert("NAME_SERVERS".to_owned(), "127.0.0.1:1".to_owned());
    let pinger = mesh.pinger(mute);
    let result = mesh.result("a result without a resolver", Duration::from_secs(20), monitor, |_| true).await;
    assert_eq!((result.outcome, result.cause), (Outcome::Unknown, Some(model::Cause::Resolver)));
    pinger.stop().await;
}
