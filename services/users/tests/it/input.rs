//! Bad input: each mistake named, by field where there is one, and nothing written.

use serde_json::{Value, json};
use testkit::{INTERNAL_KEY, Stack};

use crate::mesh::{EMAIL, Replica, http};

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_is_named_and_nothing_is_written() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    let all = format!("{}/internal/workspaces/{}/monitors", replica.url, replica.workspace().await);
    let good = json!({"name": "shop", "probe": {"kind": "http", "url": "http://127.0.0.1:9/"}});
    let with = |name: &str, value: Value| {
        let mut spec = good.clone();
        spec[name] = value;
        spec
    };
    for (body, status, named) in [
        (with("name", json!("")), 422, "name"),
        (with("name", json!("a\u{0}b")), 422, "name"),
        (with("interval_seconds", json!(1)), 422, "interval_seconds"),
        (with("interval_seconds", json!(90_000)), 422, "interval_seconds"),
        (with("regions", json!(["eu", "eu"])), 422, "regions"),
        (with("alert", json!({"regions_down": 2})), 422, "alert.regions_down"),
        (with("alert", json!({"channels": ["Slack"]})), 422, "alert.channels[0]"),
        (with("probe", json!({"kind": "http", "url": "gopher://x"})), 422, "probe.url"),
        (with("probe", json!({"kind": "pigeon"})), 422, "pigeon"),
        (with("colour", json!("red")), 422, "colour"),
        (json!([]), 422, ""),
    ] {
        let answer =
            http().post(&all).bearer_auth(INTERNAL_KEY).header("x-upmesh-actor", EMAIL).json(&body).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), status, "{body}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let said = answer.text().await.expect("a text");
        assert!(said.contains(named), "{body}: {said}");
    }
    let anonymous = http().post(&all).bearer_auth(INTERNAL_KEY).json(&good).send().await.expect("an answer");
    assert_eq!(anonymous.status().as_u16(), 400, "who acts is asked for");
    for path in ["/internal/nothing", "/internal/workspaces/x/monitors", "/internal/workspaces/x/monitors/y"] {
        let answer = http().get(format!("{}{path}", replica.url)).bearer_auth(INTERNAL_KEY).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 404, "{path}");
    }
    let answer =
        http().get(format!("{}/internal/monitors?since=x", replica.url)).bearer_auth(INTERNAL_KEY).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 400);
    assert_eq!(stack.database().await.number("SELECT count(*) FROM monitors").await, 0);
    assert_eq!(stack.database().await.number("SELECT count(*) FROM outbox").await, 0);
}
