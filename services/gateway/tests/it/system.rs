//! Facts about the mesh.

use model::Outcome;
use serde_json::json;

use crate::mesh::{Mesh, local, now, spec, write_live};
use crate::users::{self, Users};

#[tokio::test]
async fn how_far_a_region_is_checked_and_how_far_it_is_judged_are_two_things() {
    let users = Users::start().await;
    let monitor = users.add(users::workspace(), spec("m"));
    let mesh = Mesh::with(&[], users).await;
    let cache = mesh.cache().await;
    let region = async || mesh.get("/api/system").await.1["regions"][0].clone();
    let before = region().await;
    assert_eq!((&before["judged_slot"], &before["judged_age_ms"]), (&json!(null), &json!(null)));
    write_live(&cache, &monitor, now() - 60_000, now(), Outcome::Up).await;
    // The alerter is five minutes behind, also with what other workspaces have there.
    let judged = now() - 300_000;
    cache.note_judged(&[(local(), judged), ("elsewhere".parse().expect("a region"), now())]).await.expect("noted");
    let message = json!({"kind": "results", "items": [{"monitor": monitor.id, "region": "local", "slot": now(), "outcome": "up",
        "latency_us": 5, "started_at": now(), "revision": 1}]});
    let heard = || async {
        cache.publish(message.to_string().as_bytes()).await.expect("published");
        Some(region().await).filter(|region| region["age_ms"].as_i64().is_some_and(|age| age < 60_000))
    };
    let found = testkit::eventually("the newest result", std::time::Duration::from_secs(5), heard).await;
    assert_eq!(found["judged_slot"], json!(judged), "{found}");
    assert!(found["judged_age_ms"].as_i64().expect("an age") >= 300_000, "{found}");
}
