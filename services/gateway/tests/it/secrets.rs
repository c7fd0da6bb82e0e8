//! What of a monitor may be a secret, by role: its editors see it, a viewer sees masks, whoever asked first.

use model::Outcome;
use model::monitor::MASK;
use reqwest::Method;
use serde_json::{Value, json};

use crate::mesh::{Mesh, answer, now, result, spec};
use crate::stream::Events;
use crate::users::{self, ADMIN, EDITOR, Users, VIEWER};

/// A monitor whose every secret is called so.
const SECRET: &str = "s3cret";

fn keyed() -> Value {
    let mut spec = spec("keyed");
    spec["probe"] = json!({
        "kind": "http", "url": "http://127.0.0.1:9/health?key=s3cret&page=s3cret#s3cret", "method": "POST", "body": "{\"password\":\"s3cret\"}",
        "headers": {"authorization": "Bearer s3cret", "cookie": "sid=s3cret"},
    });
    spec
}

fn talking() -> Value {
    let mut spec = spec("talking");
    spec["probe"] = json!({"kind": "tcp", "host": "127.0.0.1", "port": 6379, "send": "AUTH s3cret\r\n", "expect": "+OK"});
    spec
}

#[tokio::test]
async fn editors_see_secrets_and_viewers_see_masks_whoever_asked_first() {
    let users = Users::start().await;
    let (http, tcp) = (users.add(users::workspace(), keyed()), users.add(users::workspace(), talking()));
    let mesh = Mesh::with(&[], users).await;
    let paths = [
        "/api/monitors".to_owned(),
        "/api/monitors?search=health".to_owned(),
        "/api/status".to_owned(),
        format!("/api/monitors/{}", http.id),
        format!("/api/monitors/{}", tcp.id),
    ];
    // At once and in both orders: answers are shared among those who ask the same.
    let asked = (0..60).map(|n| {
        let (mesh, path) = (&mesh, &paths[n / 3 % paths.len()]);
        let token = [EDITOR, VIEWER, ADMIN][(n + n / 15) % 3];
        async move { (token, path, mesh.get_as(token, path).await) }
    });
    for (token, path, (status, body)) in futures::future::join_all(asked).await {
        assert_eq!(status, 200, "{token} {path}: {body}");
        let expected = token != VIEWER && path != "/api/status";
        assert_eq!(body.to_string().contains(SECRET), expected, "{token} {path}: {body}");
    }

    let (_, seen) = mesh.get_as(VIEWER, &paths[3]).await;
    assert_eq!(seen["spec"]["probe"]["headers"], json!({"authorization": MASK, "cookie": MASK}), "names stay");
    assert_eq!(seen["spec"]["probe"]["body"], MASK);
    assert_eq!(seen["target"], "http://127.0.0.1:9/health?key=__masked__&page=__masked__#__masked__");
    assert_eq!(seen["spec"]["probe"]["url"], seen["target"]);
    let (_, seen) = mesh.get_as(VIEWER, &paths[4]).await;
    assert_eq!((&seen["spec"]["probe"]["send"], &seen["spec"]["probe"]["expect"]), (&json!(MASK), &json!("+OK")));
    assert_eq!(mesh.get_as(EDITOR, &paths[4]).await.1["spec"], json!(tcp.spec), "an editor sees what was set");
}

#[tokio::test]
async fn a_viewer_finds_no_secret_by_searching() {
    let users = Users::start().await;
    users.add(users::workspace(), keyed());
    let mesh = Mesh::with(&[], users).await;
    for (token, search, found) in [(EDITOR, "key=s3", 1), (VIEWER, "key=s3", 0), (VIEWER, "s3cret", 0), (VIEWER, "health?key", 1)] {
        for path in ["/api/monitors", "/api/status"] {
            let (status, page) = mesh.get_as(token, &format!("{path}?search={}", search.replace('?', "%3F"))).await;
            assert_eq!((status, page["monitors"].as_array().map(Vec::len)), (200, Some(found)), "{token} {path} {search}: {page}");
        }
    }
}

#[tokio::test]
async fn a_mask_that_is_sent_back_is_refused_and_the_secret_stays() {
    let users = Users::start().await;
    let monitor = users.add(users::workspace(), keyed());
    let mesh = Mesh::with(&[], users).await;
    let path = format!("/api/monitors/{}", monitor.id);
    let mut copied = mesh.get_as(VIEWER, &path).await.1["spec"].clone();
    let send = |method: Method, path: &str, body: &Value| answer(mesh.request(method, path).bearer_auth(EDITOR).json(body));
    let (status, refused) = send(Method::PUT, &path, &copied).await;
    assert_eq!(status, 422, "{refused}");
    let fields: Vec<_> = refused["errors"].as_array().expect("errors").iter().map(|error| error["field"].clone()).collect();
    assert_eq!(fields, ["probe.url", "probe.headers", "probe.headers", "probe.body"]);
    copied["name"] = json!("copy");
    assert_eq!(send(Method::POST, "/api/monitors", &copied).await.0, 422);
    assert_eq!(mesh.get_as(EDITOR, &path).await.1["spec"], json!(monitor.spec));
    assert_eq!(answer(mesh.request(Method::PUT, &path).bearer_auth(VIEWER).json(&keyed())).await.0, 403);
}

#[tokio::test]
async fn a_stream_carries_no_secret() {
    let mesh = Mesh::start().await;
    let mut events = Events::open_as(&mesh, VIEWER).await;
    assert_eq!(events.next().await.expect("hello").0, "hello");
    let (status, created) = answer(mesh.request(Method::POST, "/api/monitors").bearer_auth(EDITOR).json(&keyed())).await;
    assert_eq!(status, 201, "{created}");
    assert!(created.to_string().contains(SECRET), "whoever wrote it sees it");
    let mut item = serde_json::to_value(result(now(), Outcome::Up)).expect("JSON");
    item["monitor"] = created["id"].clone();
    item["region"] = json!("local");
    let told = json!({"kind": "results", "items": [item]}).to_string();
    let cache = mesh.cache().await;
    // Until the subscription stands nobody hears.
    while cache.publish(told.as_bytes()).await.expect("published") == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // What is told of it: that it changed, and what was seen.
    let mut heard = Vec::new();
    while !["config", "results"].iter().all(|name| heard.contains(&(*name).to_owned())) {
        let (name, _, data) = events.next().await.expect("an event");
        assert!(!data.to_string().contains(SECRET), "{name}: {data}");
        heard.push(name);
    }
    assert!(!mesh.get_as(VIEWER, "/api/monitors").await.1.to_string().contains(SECRET));
}
