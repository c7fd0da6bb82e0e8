//! Live updates over real Redis.

use std::time::Duration;

use futures::StreamExt as _;
use model::Outcome;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::within;

use crate::mesh::{Mesh, now, result, spec};
use crate::users::{self, ADMIN, Users};

pub struct Events {
    bytes: futures::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
}

impl Events {
    pub async fn open(mesh: &Mesh) -> Self {
        Self::open_as(mesh, ADMIN).await
    }

    pub async fn open_as(mesh: &Mesh, token: &str) -> Self {
        let response = mesh.request(Method::GET, "/api/stream").bearer_auth(token).send().await.expect("a stream");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let bytes = futures::stream::unfold(response, |mut response| async move {
            let chunk = response.chunk().await.transpose()?;
            Some((chunk, response))
        });
        Self { bytes: bytes.boxed(), text: String::new() }
    }

    /// Data of the next event of this name.
    pub async fn until(&mut self, name: &str) -> Value {
        loop {
            let (found, _, data) = self.any().await.expect("an event");
            if found == name {
                return data;
            }
        }
    }

    /// Name, id and data of the next event, but for what is told of the way to Redis; none at the end.
    pub async fn next(&mut self) -> Option<(String, u64, Value)> {
        loop {
            let event = self.any().await?;
            if !["live", "resync"].contains(&event.0.as_str()) {
                return Some(event);
            }
        }
    }

    async fn any(&mut self) -> Option<(String, u64, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let found = (field("event: "), field("id: "), field("data: "));
                self.text = String::from(rest);
                if let (Some(name), Some(id), Some(data)) = found {
                    return Some((name, id.parse().expect("a number"), serde_json::from_str(&data).expect("JSON")));
                }
                continue;
            }
            let chunk = within("an event", Duration::from_secs(10), self.bytes.next()).await?;
            self.text.push_str(std::str::from_utf8(&chunk.ok()?).expect("text"));
        }
    }
}

#[tokio::test]
async fn a_reader_hears_its_workspace_until_the_drain() {
    let users = Users::start().await;
    let (ours, theirs) = (users.add(users::workspace(), spec("ours")), users.add(users::other_workspace(), spec("theirs")));
    let mesh = Mesh::with(&[], users).await;
    let cache = mesh.cache().await;
    let mut events = Events::open(&mesh).await;
    let (name, hello_id, _) = events.next().await.expect("hello");
    assert_eq!(name, "hello");

    let item = |monitor: &model::Monitor, outcome| {
        let mut item = serde_json::to_value(result(now(), outcome)).expect("JSON");
        item["monitor"] = json!(monitor.id);
        item["region"] = json!("local");
        item
    };
    let results = json!({"kind": "results", "items": [item(&theirs, Outcome::Up), item(&ours, Outcome::Down)]});
    // Until the subscription stands nobody hears.
    while cache.publish(results.to_string().as_bytes()).await.expect("published") == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (name, id, data) = events.next().await.expect("results");
    assert_eq!((name.as_str(), data["items"].as_array().map(Vec::len)), ("results", Some(1)));
    assert_eq!((&data["items"][0]["monitor"], &data["items"][0]["outcome"]), (&json!(ours.id), &json!("down")));
    assert!(id > hello_id);

    let verdict = json!({"kind": "verdicts", "items": [
        {"monitor": theirs.id, "state": "down", "since": 1, "slot": now(), "regions_down": []},
        {"monitor": ours.id, "state": "insufficient", "since": 1, "slot": now(), "regions_down": []}]});
    cache.publish(verdict.to_string().as_bytes()).await.expect("published");
    let (name, _, data) = events.next().await.expect("verdicts");
    assert_eq!((name.as_str(), &data["items"][0]["monitor"], &data["items"][0]["state"]), ("verdicts", &json!(ours.id), &json!("unknown")));

    let (_, created) = mesh.send(Method::POST, "/api/monitors", &spec("new")).await;
    let (name, _, data) = events.next().await.expect("config");
    assert_eq!((name.as_str(), &data["monitor"], &data["deleted"]), ("config", &created["id"], &json!(false)));
    assert_eq!(mesh.get("/api/system").await.1["stream_clients"], 1);

    mesh.drain();
    assert!(events.next().await.is_none(), "the stream ends with the drain");
}
