//! Redis away: history answers, says how old it is, and list, counts and filter say the same.

use std::sync::Arc;
use std::time::Duration;

use model::history::{HOUR_MS, hour_of};
use model::{Millis, Monitor, Outcome};
use serde_json::{Value, json};
use store::Store;
use store::history::HourBlock;
use testkit::{Stack, eventually};

use crate::mesh::{Mesh, blocks, now, spec, write_live};
use crate::relay::Relay;
use crate::stream::Events;
use crate::users::{self, Users};

const NOWHERE: (&str, &str) = ("REDIS_URL", "redis://127.0.0.1:1");
const DAYS: Millis = 24 * HOUR_MS;

/// Every slot in `[from, to)` came to `outcome`, in PostgreSQL.
async fn flush(store: &Store, monitor: &Monitor, (from, to): (Millis, Millis), outcome: Outcome) {
    let kept = blocks(monitor, from, to, outcome).into_iter();
    let hours: Vec<_> = kept.map(|(key, block)| HourBlock { key, block: Arc::new(block) }).collect();
    store.ensure_history_days(hours.iter().map(|hour| hour.key.hour)).await.expect("partitions");
    store.flush_history(&hours).await.expect("flushed");
}

fn newest(monitor: &Monitor, to: Millis) -> Millis {
    let interval = i64::from(monitor.spec.interval_seconds) * 1000;
    let schedule = model::Schedule::new(monitor.id, &crate::mesh::local(), interval);
    schedule.slots(to - interval, to).last().expect("one slot in each interval")
}

fn every(seconds: u32, name: &str) -> Value {
    let mut spec = spec(name);
    spec["interval_seconds"] = json!(seconds);
    spec
}

fn states(page: &Value) -> Vec<&str> {
    page["monitors"].as_array().expect("monitors").iter().map(state).collect()
}

fn state(one: &Value) -> &str {
    one["status"]["state"].as_str().or(one["state"].as_str()).expect("a state")
}

#[tokio::test]
async fn a_day_is_a_whole_day_and_a_rare_check_is_fresh_for_long() {
    let users = Users::start().await;
    let add = |seconds, name| users.add_aged(users::workspace(), every(seconds, name), 10 * DAYS);
    let (often, daily, rare) = (add(30, "a often"), add(86_400, "b daily"), add(6 * 3600, "c rare"));
    let (silent, never) = (add(10, "d silent"), add(10, "e never"));
    let stack = Stack::new();
    let store = &stack.database().await.store;
    let now = now();
    // Flushed half a minute ago.
    let day = (hour_of(now) - 23 * HOUR_MS, now - 30_000);
    flush(store, &often, day, Outcome::Up).await;
    flush(store, &daily, (now - 2 * DAYS, now), Outcome::Up).await;
    flush(store, &rare, (now - DAYS, now), Outcome::Down).await;
    flush(store, &silent, (now - 5 * HOUR_MS, now - 4 * HOUR_MS), Outcome::Up).await;
    let mesh = Mesh::on(stack, &[NOWHERE], users).await;

    let (status, page) = mesh.get("/api/monitors").await;
    assert_eq!((status, &page["stale"]), (200, &json!(true)), "{page}");
    assert_eq!(states(&page), ["up", "up", "down", "unknown", "unknown"], "{page}");
    // All of the day is read, and what cannot be flushed yet is not missed.
    let of_often = &page["monitors"][0]["day"];
    assert_eq!((&of_often["coverage"], &of_often["uptime"]), (&json!(1.0), &json!(1.0)), "{of_often}");
    assert!(of_often["due"].as_u64().expect("a count") > 23 * 120, "{of_often}");
    // Four, or three and the one before this day's first hour.
    let of_rare = &page["monitors"][2]["day"];
    assert_eq!((&of_rare["coverage"], &of_rare["uptime"]), (&json!(1.0), &json!(0.0)), "{of_rare}");
    assert!((3..=4).contains(&of_rare["down"].as_u64().expect("a count")), "{of_rare}");
    assert!(page["monitors"][2]["sparkline"].as_array().expect("beats").len() >= 4, "{page}");

    // The page is as old as what comes soonest; each monitor as its own newest check.
    let as_of = page["as_of"].as_i64().expect("an instant");
    assert_eq!(as_of, newest(&often, day.1) + 30_000);
    let each = page["monitors"].as_array().expect("monitors").iter();
    let each: Vec<_> = each.map(|one| (one["as_of"].as_i64(), one["status"]["last_check"].as_i64(), one["stale"] == true)).collect();
    let last = [(&often, day.1), (&daily, now), (&rare, now), (&silent, now - 4 * HOUR_MS)].map(|(one, to)| Some(newest(one, to)));
    let expected: Vec<_> = last.into_iter().chain([None]).map(|last| (last, last, true)).collect();
    assert_eq!(each, expected);

    // Counts and filters say what the list says, of all monitors and not just of a page.
    let counts = json!({"up": 2, "degraded": 0, "down": 1, "unknown": 2, "paused": 0, "pending": 0});
    assert_eq!(page["counts"], counts);
    for (state, expected) in [("up", 2), ("down", 1), ("unknown", 2), ("degraded", 0)] {
        for path in ["monitors", "status"] {
            let (_, page) = mesh.get(&format!("/api/{path}?state={state}")).await;
            assert_eq!(states(&page), vec![state; expected], "{page}");
            assert_eq!((&page["counts"], &page["stale"], page["as_of"].as_i64()), (&counts, &json!(true), Some(as_of)));
        }
    }
    // A single monitor says it, too.
    for (monitor, last) in [&often, &daily, &rare, &silent, &never].into_iter().zip(last.into_iter().chain([None])) {
        let (_, one) = mesh.get(&format!("/api/monitors/{}", monitor.id)).await;
        assert_eq!((&one["stale"], one["as_of"].as_i64()), (&json!(true), last), "{one}");
    }
}

#[tokio::test]
async fn what_is_on_no_page_is_counted_by_history_too() {
    let users = Users::start().await;
    let names = ["a", "b", "c"];
    let all = names.map(|name| users.add(users::workspace(), every(600, name)));
    let stack = Stack::new();
    for monitor in &all {
        flush(&stack.database().await.store, monitor, (now() - HOUR_MS, now()), Outcome::Up).await;
    }
    let mesh = Mesh::on(stack, &[NOWHERE], users).await;
    let counted = || async { (mesh.get("/api/status?limit=1").await.1["counts"]["up"] == 3).then_some(()) };
    eventually("the counts", Duration::from_secs(10), counted).await;
}

#[tokio::test]
async fn readers_are_told_that_live_state_goes_and_comes() {
    let users = Users::start().await;
    let monitor = users.add(users::workspace(), every(60, "m"));
    let stack = Stack::new();
    let relay = Relay::start(&stack.redis_url).await;
    let mesh = Mesh::on(stack, &[("REDIS_URL", &relay.url)], users).await;
    let cache = mesh.cache().await;
    write_live(&cache, &monitor, now() - 180_000, now(), Outcome::Up).await;
    let path = format!("/api/monitors/{}", monitor.id);
    let (_, one) = mesh.get(&path).await;
    assert_eq!((state(&one), &one["stale"]), ("up", &json!(false)));
    assert!(one["as_of"].as_i64().expect("an instant") >= now() - 2000);
    let mut events = Events::open(&mesh).await;
    let mut live = events.until("hello").await["live"].clone();
    while live != true {
        live = events.until("live").await["live"].clone();
    }

    // What PostgreSQL says is another thing, so that one sees who answers.
    flush(&mesh.stack.database().await.store, &monitor, (now() - 180_000, now()), Outcome::Down).await;
    relay.cut();
    assert_eq!(events.until("live").await, json!({"live": false}));
    let (_, one) = mesh.get(&path).await;
    assert_eq!((state(&one), &one["stale"]), ("down", &json!(true)), "{one}");
    let (_, page) = mesh.get("/api/monitors?state=down").await;
    assert_eq!((states(&page), &page["counts"]["down"], &page["stale"]), (vec!["down"], &json!(1), &json!(true)));

    relay.restore().await;
    assert_eq!(events.until("live").await, json!({"live": true}));
    events.until("resync").await;
    let (_, one) = mesh.get(&path).await;
    assert_eq!((state(&one), &one["stale"]), ("up", &json!(false)));
    let agree = || async {
        let page = mesh.get("/api/monitors?state=up").await.1;
        (states(&page) == ["up"] && page["counts"]["up"] == 1 && page["stale"] == false).then_some(())
    };
    eventually("the catalog follows", Duration::from_secs(5), agree).await;
}

#[tokio::test]
async fn without_either_it_says_what_it_heard_last() {
    let users = Users::start().await;
    let monitor = users.add(users::workspace(), every(60, "m"));
    let stack = Stack::new();
    let relay = Relay::start(&stack.redis_url).await;
    let mesh = Mesh::on(stack, &[("REDIS_URL", &relay.url), ("DATABASE_READ_URL", "postgres://upmesh@127.0.0.1:1/none")], users).await;
    let slot = newest(&monitor, now());
    let message = json!({"kind": "results", "items": [{"monitor": monitor.id, "region": "local", "slot": slot, "outcome": "up",
        "latency_us": 5, "started_at": slot, "revision": 1}]});
    let cache = mesh.cache().await;
    let heard = || async {
        cache.publish(message.to_string().as_bytes()).await.expect("published");
        (mesh.get("/api/status").await.1["counts"]["up"] == 1).then_some(())
    };
    eventually("the result is heard", Duration::from_secs(5), heard).await;
    relay.cut();
    let away = || async { Some(mesh.get("/api/monitors").await.1).filter(|page| page["stale"] == true) };
    let page = eventually("Redis is away", Duration::from_secs(5), away).await;
    assert_eq!(page["monitors"][0]["as_of"], json!(slot), "{page}");
    // As long as that is fresh.
    assert_eq!((states(&page), &page["counts"]["up"]), (vec!["up"], &json!(1)), "{page}");
}
