//! Uptime, timeline and checks: PostgreSQL and Redis merged, each slot once.

use std::sync::Arc;
use std::time::Duration;

use model::Outcome;
use model::history::HOUR_MS;
use serde_json::{Value, json};
use store::history::HourBlock;
use testkit::eventually;

use crate::mesh::{Mesh, blocks, now, result, spec, write_live};
use crate::users::{self, Users};

/// Two hours: the first three quarters in PostgreSQL, the last hour in Redis, overlapping by half an hour.
async fn seeded() -> (Mesh, model::Monitor, i64) {
    let users = Users::start().await;
    let monitor = users.add(users::workspace(), spec("m"));
    let mesh = Mesh::with(&[], users).await;
    let end = now() - 20_000;
    let store = &mesh.stack.database().await.store;
    let old = blocks(&monitor, end - 2 * HOUR_MS + 60_000, end - HOUR_MS / 2, Outcome::Up);
    let hours: Vec<_> = old.into_iter().map(|(key, block)| HourBlock { key, block: Arc::new(block) }).collect();
    store.ensure_history_days(hours.iter().map(|hour| hour.key.hour)).await.expect("partitions");
    store.flush_history(&hours).await.expect("flushed");
    write_live(&mesh.cache().await, &monitor, end - HOUR_MS, end, Outcome::Up).await;
    (mesh, monitor, end)
}

#[tokio::test]
async fn each_slot_counts_once_wherever_it_is_kept() {
    let (mesh, monitor, end) = seeded().await;
    let from = end - 2 * HOUR_MS + 120_000;
    let (status, uptime) = mesh.get(&format!("/api/monitors/{}/uptime?from={from}&to={end}", monitor.id)).await;
    assert_eq!(status, 200, "{uptime}");
    let schedule = model::Schedule::new(monitor.id, &crate::mesh::local(), 10_000);
    assert_eq!(uptime["due"], json!(schedule.count(from, end)), "{uptime}");
    assert_eq!((&uptime["up"], &uptime["coverage"], &uptime["stale"]), (&uptime["due"], &json!(1.0), &json!(false)));

    let (_, timeline) = mesh.get(&format!("/api/monitors/{}/timeline?from={from}&to={end}&buckets=7", monitor.id)).await;
    let buckets = timeline["buckets"].as_array().expect("buckets");
    assert_eq!(buckets.len(), 7);
    assert_eq!(buckets.iter().map(|bucket| bucket["up"].as_u64().expect("a count")).sum::<u64>(), uptime["up"].as_u64().expect("a count"));
    assert_eq!(buckets[0]["p50_us"], 1200);
    // Before the monitor was created nothing was due.
    let (_, before) = mesh.get(&format!("/api/monitors/{}/uptime?from={}&to={}", monitor.id, end - 90_000_000, end - 80_000_000)).await;
    assert_eq!((&before["due"], &before["uptime"], &before["coverage"]), (&json!(0), &Value::Null, &Value::Null));
    // What was due and left no trace is missed.
    let (_, elsewhere) = mesh.get(&format!("/api/monitors/{}/uptime?from={}&to={}", monitor.id, end - 7_140_000, end)).await;
    assert_eq!(elsewhere["due"].as_u64(), elsewhere["up"].as_u64().zip(elsewhere["missed"].as_u64()).map(|(up, missed)| up + missed));
}

#[tokio::test]
async fn checks_come_newest_first_and_every_one_once() {
    let (mesh, monitor, end) = seeded().await;
    let mut slots: Vec<i64> = Vec::new();
    let mut cursor = String::new();
    for page in 0.. {
        let (status, found) = mesh.get(&format!("/api/monitors/{}/checks?to={end}&limit=100{cursor}", monitor.id)).await;
        assert_eq!(status, 200, "{found}");
        let checks = found["checks"].as_array().expect("checks");
        if page == 0 {
            assert_eq!(checks[0]["latency_us"], 1200);
        }
        slots.extend(checks.iter().map(|check| check["slot"].as_i64().expect("a slot")));
        let Some(next) = found["next_cursor"].as_str() else { break };
        assert_eq!(checks.len(), 100);
        cursor = format!("&cursor={next}");
    }
    assert!(slots.windows(2).all(|pair| pair[0] == pair[1] + 10_000), "a gap, a repeat or a wrong order");
    let schedule = model::Schedule::new(monitor.id, &crate::mesh::local(), 10_000);
    assert_eq!(slots.len() as u64, schedule.count(end - 2 * HOUR_MS + 60_000, end));
}

#[tokio::test]
async fn checks_that_were_not_up_say_why_also_after_newer_ones() {
    let users = Users::start().await;
    let monitor = users.add(users::workspace(), spec("m"));
    let mesh = Mesh::with(&[], users).await;
    let cache = mesh.cache().await;
    let end = now();
    write_live(&cache, &monitor, end - 60_000, end, Outcome::Down).await;
    // Redis keeps the reason of the newest result alone; the others are heard as they are published.
    let slots: Vec<_> = model::Schedule::new(monitor.id, &crate::mesh::local(), 10_000).slots(end - 60_000, end).collect();
    for slot in &slots {
        let mut item = serde_json::to_value(result(*slot, Outcome::Down)).expect("JSON");
        item["detail"] = json!(format!("refused at {slot}"));
        item["monitor"] = json!(monitor.id);
        item["region"] = json!("local");
        let message = json!({"kind": "results", "items": [item]}).to_string();
        // Until the subscription stands nobody hears.
        while cache.publish(message.as_bytes()).await.expect("published") == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let path = format!("/api/monitors/{}/checks", monitor.id);
    let told = || async {
        let (_, page) = mesh.get(&path).await;
        let checks = page["checks"].as_array().expect("checks").clone();
        assert_eq!(checks.len(), slots.len(), "{page}");
        // The newest is explained by Redis, which does not know our details.
        let why =
            |check: &Value| check["detail"] == json!(format!("refused at {}", check["slot"])) && check["cause"] == "connection_refused";
        checks[1..].iter().all(why).then_some(())
    };
    eventually("every reason", Duration::from_secs(5), told).await;
}

#[tokio::test]
async fn days_without_blocks_are_told_from_roll_ups() {
    let users = Users::start().await;
    let monitor = users.add(users::workspace(), spec("m"));
    let mesh = Mesh::with(&[("CHECK_RETENTION_DAYS", "2")], users).await;
    let store = &mesh.stack.database().await.store;
    let day = 24 * HOUR_MS;
    let now = now();
    let midnight = now - now.rem_euclid(day);
    let old = blocks(&monitor, midnight - 10 * day, midnight - 9 * day, Outcome::Down);
    let hours: Vec<_> = old.into_iter().map(|(key, block)| HourBlock { key, block: Arc::new(block) }).collect();
    store.ensure_history_days(hours.iter().map(|hour| hour.key.hour)).await.expect("partitions");
    store.flush_history(&hours).await.expect("flushed");
    assert_eq!(store.roll_up().await.expect("rolled up"), 1);
    store.expire_history(midnight - 2 * day, midnight - 400 * day).await.expect("expired");
    // A window that begins within a day that is only a roll-up is told from the next midnight on.
    let (from, to) = (midnight - 11 * day + 5000, midnight - 8 * day + 5000);
    let (status, uptime) = mesh.get(&format!("/api/monitors/{}/uptime?from={from}&to={to}", monitor.id)).await;
    assert_eq!(status, 200, "{uptime}");
    assert_eq!((uptime["from"].as_i64(), uptime["to"].as_i64()), (Some(midnight - 10 * day), Some(midnight - 8 * day)));
    assert_eq!((&uptime["down"], &uptime["uptime"]), (&json!(8640), &json!(0.0)));
    let (_, timeline) = mesh.get(&format!("/api/monitors/{}/timeline?from={from}&to={to}&buckets=100", monitor.id)).await;
    let downs: Vec<_> = timeline["buckets"].as_array().expect("buckets").iter().map(|bucket| bucket["down"].clone()).collect();
    assert_eq!(downs, [json!(8640), json!(0)]);
}
