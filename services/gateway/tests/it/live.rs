//! The list and its states: Redis alone, nothing shared between workspaces, honest when Redis is away.

use std::time::Duration;

use model::Outcome;
use model::history::{HOUR_MS, hour_of};
use reqwest::Method;
use serde_json::json;
use testkit::eventually;

use crate::mesh::{Mesh, blocks, now, spec, write_live, write_verdict};
use crate::users::{self, STRANGER, Users};

#[tokio::test]
async fn the_list_is_read_from_redis_alone() {
    let users = Users::start().await;
    let (up, down) = (users.add(users::workspace(), spec("a up")), users.add(users::workspace(), spec("b down")));
    let paused = users.add(users::workspace(), {
        let mut spec = spec("c paused");
        spec["paused"] = json!(true);
        spec
    });
    users.add(users::workspace(), spec("d silent"));
    // A database that nobody could reach: what is read below is not from there.
    let mesh = Mesh::with(&[("DATABASE_READ_URL", "postgres://upmesh@127.0.0.1:1/none")], users).await;
    let cache = mesh.cache().await;
    let from = now() - 600_000;
    write_live(&cache, &up, from, now(), Outcome::Up).await;
    write_live(&cache, &down, from, now(), Outcome::Down).await;
    let incident = uuid::Uuid::new_v4();
    write_verdict(&cache, &up, &json!({"state": "up", "since": 5, "slot": now()})).await;
    write_verdict(&cache, &down, &json!({"state": "down", "since": 7, "slot": now(), "incident": incident, "cause": "timeout"})).await;

    let (status, page) = mesh.get("/api/monitors").await;
    assert_eq!(status, 200, "{page}");
    assert_eq!(page["stale"], false);
    let found: Vec<_> = page["monitors"].as_array().expect("monitors").iter().map(|one| one["status"]["state"].clone()).collect();
    assert_eq!(found, ["up", "down", "paused", "unknown"]);
    let first = &page["monitors"][0];
    assert_eq!(first["status"]["since"], 5);
    assert_eq!(first["status"]["latency_us"], 1200);
    assert_eq!(first["day"]["up"], first["sparkline"].as_array().expect("beats").len().max(60));
    assert_eq!(first["day"]["uptime"], 1.0);
    // Two hours were due; ten minutes were seen.
    assert!(first["day"]["coverage"].as_f64().expect("a ratio") < 0.2, "{first}");
    assert_eq!(first["regions"][0]["stale"], false);
    let second = &page["monitors"][1];
    assert_eq!((&second["status"]["incident"], &second["status"]["cause"]), (&json!(incident), &json!("timeout")));
    assert_eq!(second["regions"][0]["latest"]["cause"], "connection_refused");

    // The counts come from what was published or compared with Redis.
    let (_, one) = mesh.get(&format!("/api/monitors/{}", paused.id)).await;
    assert_eq!(one["status"]["state"], "paused");
    assert!(one["sparkline"].as_array().expect("beats").is_empty());
}

#[tokio::test]
async fn rare_checks_have_a_sparkline_too() {
    let users = Users::start().await;
    let mut hourly = spec("hourly");
    hourly["interval_seconds"] = json!(3600);
    let monitor = users.add(users::workspace(), hourly);
    let mesh = Mesh::with(&[], users.clone()).await;
    let (hour, now) = (hour_of(now()), now());
    let kept = blocks(&monitor, hour - 40 * HOUR_MS, hour - 3 * HOUR_MS, Outcome::Down);
    let hours: Vec<_> = kept.into_iter().map(|(key, block)| store::history::HourBlock { key, block: std::sync::Arc::new(block) }).collect();
    let store = &mesh.stack.database().await.store;
    store.ensure_history_days(hours.iter().map(|hour| hour.key.hour)).await.expect("partitions");
    store.flush_history(&hours).await.expect("flushed");
    write_live(&mesh.cache().await, &monitor, hour - 3 * HOUR_MS, now, Outcome::Up).await;
    for path in ["/api/monitors", "/api/monitors?limit=1"] {
        let (status, page) = mesh.get(path).await;
        assert_eq!(status, 200, "{page}");
        let beats = page["monitors"][0]["sparkline"].as_array().expect("beats").clone();
        let slots: Vec<_> = beats.iter().map(|beat| beat["slot"].as_i64().expect("a slot")).collect();
        assert_eq!(slots.len(), 30, "{page}");
        assert!(slots.windows(2).all(|pair| pair[1] == pair[0] + HOUR_MS), "a gap or a repeat: {slots:?}");
        assert!(*slots.last().expect("a slot") > now - HOUR_MS - 1, "{slots:?}");
        assert_eq!((&beats[0]["outcome"], &beats[29]["outcome"]), (&json!("down"), &json!("up")));
    }

    // Without PostgreSQL the list is as before, only the sparkline is shorter.
    let mesh = Mesh::with(&[("DATABASE_READ_URL", "postgres://upmesh@127.0.0.1:1/none")], users).await;
    write_live(&mesh.cache().await, &monitor, hour - 3 * HOUR_MS, now, Outcome::Up).await;
    let (status, page) = mesh.get("/api/monitors").await;
    assert_eq!((status, &page["stale"]), (200, &json!(false)));
    assert!((3..=4).contains(&page["monitors"][0]["sparkline"].as_array().expect("beats").len()), "{page}");
}

#[tokio::test]
async fn pages_filters_and_counts() {
    let users = Users::start().await;
    for n in 0..5 {
        let mut spec = spec(&format!("shop {n}"));
        spec["tags"] = json!({"team": if n < 2 { "a" } else { "b" }});
        users.add(users::workspace(), spec);
    }
    let watched = users.add(users::workspace(), spec("zebra"));
    let mesh = Mesh::with(&[], users).await;
    let names = |page: &serde_json::Value| -> Vec<String> {
        let monitors = page["monitors"].as_array().expect("monitors").iter();
        monitors.map(|one| one["spec"]["name"].as_str().or(one["name"].as_str()).expect("a name").to_owned()).collect()
    };
    let mut seen = Vec::new();
    let mut path = "/api/monitors?limit=4".to_owned();
    loop {
        let (status, page) = mesh.get(&path).await;
        assert_eq!(status, 200, "{page}");
        seen.extend(names(&page));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/monitors?limit=4&cursor={cursor}");
    }
    assert_eq!(seen, ["shop 0", "shop 1", "shop 2", "shop 3", "shop 4", "zebra"]);
    assert_eq!(names(&mesh.get("/api/monitors?search=SHOP%201").await.1), ["shop 1"]);
    assert_eq!(names(&mesh.get("/api/monitors?tag=team:a").await.1).len(), 2);
    let cache = mesh.cache().await;
    write_live(&cache, &watched, now() - 60_000, now(), Outcome::Up).await;
    let message = json!({"kind": "results", "items": [{"monitor": watched.id, "region": "local", "slot": now(), "outcome": "up",
        "latency_us": 5, "started_at": now(), "revision": 1}]});
    cache.publish(message.to_string().as_bytes()).await.expect("published");
    let counted = || async { (mesh.get("/api/status").await.1["counts"]["up"] == 1).then_some(()) };
    eventually("the count", Duration::from_secs(5), counted).await;
    assert_eq!(names(&mesh.get("/api/status?state=up").await.1), ["zebra"]);
    assert_eq!(
        mesh.get("/api/status").await.1["counts"],
        json!({"up": 1, "degraded": 0, "down": 0, "unknown": 5, "paused": 0, "pending": 0})
    );
}

#[tokio::test]
async fn shared_answers_never_cross_workspaces() {
    let users = Users::start().await;
    users.add(users::workspace(), spec("ours"));
    users.add(users::other_workspace(), spec("theirs"));
    let mesh = Mesh::with(&[], users).await;
    let asked = (0..40).map(|n| {
        let mesh = &mesh;
        async move {
            let token = if n % 2 == 0 { users::ADMIN } else { STRANGER };
            (n, mesh.get_as(token, "/api/monitors").await.1)
        }
    });
    for (n, page) in futures::future::join_all(asked).await {
        let expected = if n % 2 == 0 { "ours" } else { "theirs" };
        let monitors = page["monitors"].as_array().expect("monitors");
        assert_eq!((monitors.len(), &monitors[0]["spec"]["name"]), (1, &json!(expected)));
    }
}

#[tokio::test]
async fn what_was_written_is_there_at_once() {
    let mesh = Mesh::start().await;
    let (status, created) = mesh.send(Method::POST, "/api/monitors", &spec("new")).await;
    assert_eq!(status, 201, "{created}");
    let path = format!("/api/monitors/{}", created["id"].as_str().expect("an id"));
    assert_eq!(mesh.get("/api/monitors").await.1["monitors"][0]["spec"]["name"], "new");
    let (status, renamed) = mesh.send(Method::PUT, &path, &spec("renamed")).await;
    assert_eq!((status, &renamed["spec"]["name"]), (200, &json!("renamed")));
    assert_eq!(mesh.get("/api/monitors").await.1["monitors"][0]["spec"]["name"], "renamed");
    assert_eq!(mesh.send(Method::POST, &format!("{path}/pause"), &json!({})).await.1["status"]["state"], "paused");
    assert_eq!(mesh.get("/api/monitors").await.1["monitors"][0]["status"]["state"], "paused");
    assert_ne!(mesh.send(Method::POST, &format!("{path}/resume"), &json!({})).await.1["status"]["state"], "paused");
    assert_eq!(mesh.send(Method::DELETE, &path, &json!({})).await.0, 204);
    assert_eq!(mesh.get("/api/monitors").await.1["monitors"], json!([]));
    assert_eq!(mesh.get(&path).await.0, 404);
}

#[tokio::test]
async fn without_redis_history_answers_and_says_so() {
    let users = Users::start().await;
    let (fresh, old) = (users.add(users::workspace(), spec("a fresh")), users.add(users::workspace(), spec("b old")));
    let mesh = Mesh::with(&[("REDIS_URL", "redis://127.0.0.1:1")], users).await;
    let store = &mesh.stack.database().await.store;
    let kept = [blocks(&fresh, now() - 60_000, now(), Outcome::Up), blocks(&old, now() - 600_000, now() - 300_000, Outcome::Up)].concat();
    let hours: Vec<_> = kept.into_iter().map(|(key, block)| store::history::HourBlock { key, block: std::sync::Arc::new(block) }).collect();
    store.ensure_history_days(hours.iter().map(|hour| hour.key.hour)).await.expect("partitions");
    store.flush_history(&hours).await.expect("flushed");
    let (status, page) = mesh.get("/api/monitors").await;
    assert_eq!(status, 200, "{page}");
    assert_eq!(page["stale"], true);
    assert!(page["as_of"].as_i64().expect("an instant") <= now());
    // A fresh result in PostgreSQL says up; an old one says nothing.
    assert_eq!(page["monitors"][0]["status"]["state"], "up");
    assert_eq!(page["monitors"][1]["status"]["state"], "unknown");
    let (status, uptime) = mesh.get(&format!("/api/monitors/{}/uptime", fresh.id)).await;
    assert_eq!((status, &uptime["stale"], &uptime["uptime"]), (200, &json!(true), &json!(1.0)));
}

#[tokio::test]
async fn a_region_that_nobody_serves_is_told() {
    let mesh = Mesh::with(&[], Users::start().await).await;
    let mut elsewhere = spec("shop");
    elsewhere["regions"] = json!(["local", "moon"]);
    let join = |region: &str| {
        let mut command = cache::redis::cmd("ZADD");
        command.arg(format!("{}:members:{region}", mesh.stack.redis_prefix)).arg(now() + 60_000).arg("pinger-1");
        command
    };
    let cache = mesh.cache().await;
    cache.query::<()>(&join("local")).await.expect("written");
    let (status, made) = mesh.send(Method::POST, "/api/monitors", &elsewhere).await;
    assert_eq!(status, 201, "{made}");
    let told = json!(["no pinger serves the region moon: it is not checked from there until one runs with REGION=moon"]);
    assert_eq!(made["warnings"], told);
    let path = format!("/api/monitors/{}", made["id"].as_str().expect("an id"));
    assert_eq!(mesh.get(&path).await.1["warnings"], told);
    cache.query::<()>(&join("moon")).await.expect("written");
    eventually("no warning", Duration::from_secs(5), || async { mesh.get(&path).await.1["warnings"].is_null().then_some(()) }).await;
}
