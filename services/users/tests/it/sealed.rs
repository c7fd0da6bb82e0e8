//! What of a monitor may be a secret, at rest: sealed in the row, clear in the feed, and for nobody with another key.

use model::MonitorSpec;
use serde_json::json;
use testkit::Stack;

use crate::mesh::{EMAIL, Replica, refused};

/// A key that is not the stack's.
pub const OTHER: &str = "another-key-another-key-another-key-another";
const KEYED: &str = "SELECT count(*) FROM monitors m WHERE to_jsonb(m)::text LIKE '%s3cret%'";

pub fn keyed(name: &str, key: &str) -> MonitorSpec {
    let spec = json!({
        "name": name, "interval_seconds": 10, "timeout_ms": 1000, "regions": ["local"],
        "probe": {"kind": "http", "url": format!("http://127.0.0.1:9/?key={key}"), "headers": {"authorization": key}, "body": key},
    });
    serde_json::from_value(spec).expect("a spec")
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_sealed_at_rest_and_clear_for_the_services() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    let (client, workspace, database) = (&replica.client, replica.workspace().await, stack.database().await);
    let created = client.create_monitor(EMAIL, workspace, &keyed("shop", "s3cret one")).await.expect("created");
    assert_eq!(created.spec, keyed("shop", "s3cret one"));
    assert_eq!(database.number(KEYED).await, 0);
    let readable = database.text("SELECT spec #>> '{probe,masked,url}' FROM monitors").await;
    assert_eq!(readable, "http://127.0.0.1:9/?key=__masked__", "who reads the database sees what is checked");
    let same = client.update_monitor(EMAIL, workspace, created.id, &keyed("shop", "s3cret one"), None).await.expect("updated");
    assert_eq!(same.revision, created.revision, "nothing changed, though it would be sealed otherwise");
    let updated = client.update_monitor(EMAIL, workspace, created.id, &keyed("shop", "s3cret two"), None).await.expect("updated");
    assert_eq!(client.monitor(workspace, created.id).await.expect("read"), updated);
    assert_eq!(replica.feed("since=0").await["monitors"][0]["spec"], json!(keyed("shop", "s3cret two")));
    assert!(client.pause_monitor(EMAIL, workspace, created.id).await.expect("paused").spec.paused);
    assert_eq!(database.number(KEYED).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_another_key_it_does_not_start() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    let workspace = replica.workspace().await;
    let created = replica.client.create_monitor(EMAIL, workspace, &keyed("shop", "s3cret")).await.expect("created");

    let stranger = Replica::begin(&stack, &[("SECRET_KEY", OTHER)]).await;
    let why = stranger.stopped().await;
    assert!(why.contains("SECRET_KEY") && why.contains(&created.id.to_string()), "{why}");

    // What is on its way out opens, and is sealed anew under the first key, and nobody hears of a change.
    let both = format!("{OTHER},{}", stack.environment().await["SECRET_KEY"]);
    let rotated = Replica::start(&stack, &[("SECRET_KEY", both.as_str())]).await;
    assert_eq!(rotated.client.monitor(workspace, created.id).await.expect("read"), created);
    drop(rotated);
    let later = Replica::start(&stack, &[("SECRET_KEY", OTHER)]).await;
    assert_eq!(later.client.monitor(workspace, created.id).await.expect("read"), created);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_open_is_left_out_and_can_be_deleted() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    let (client, workspace, database) = (&replica.client, replica.workspace().await, stack.database().await);
    let broken = client.create_monitor(EMAIL, workspace, &keyed("broken", "s3cret")).await.expect("created");
    let sound = client.create_monitor(EMAIL, workspace, &keyed("sound", "s3cret")).await.expect("created");
    database.text("UPDATE monitors SET spec = jsonb_set(spec, '{probe,sealed}', '\"AAAA\"') WHERE name = 'broken' RETURNING name").await;
    for since in [0, 1] {
        let page = replica.feed(&format!("since={since}")).await;
        let served: Vec<_> = page["monitors"].as_array().expect("monitors").iter().map(|monitor| monitor["id"].clone()).collect();
        assert_eq!((served, &page["deleted"]), (vec![json!(sound.id)], &json!([])), "{page}");
    }
    client.delete_monitor(EMAIL, workspace, broken.id).await.expect("deleted");
    let page = replica.feed(&format!("since={}", sound.revision)).await;
    assert_eq!(page["deleted"][0]["id"], json!(broken.id), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_from_before_is_read_and_sealed_when_it_is_written() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    let (client, workspace, database) = (&replica.client, replica.workspace().await, stack.database().await);
    let monitor = replica.create(workspace, "old").await;
    let clear = r#"UPDATE monitors SET spec = jsonb_set(spec, '{probe,headers}', '{"authorization": "s3cret"}') RETURNING name"#;
    assert_eq!((database.text(clear).await.as_str(), database.number(KEYED).await), ("old", 1));
    let read = client.monitor(workspace, monitor.id).await.expect("read");
    assert!(json!(read.spec).to_string().contains("s3cret"));
    let paused = client.pause_monitor(EMAIL, workspace, monitor.id).await.expect("paused");
    assert_eq!(paused.spec.probe, read.spec.probe);
    assert_eq!(database.number(KEYED).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mask_is_refused_by_field() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    let (client, workspace) = (&replica.client, replica.workspace().await);
    let monitor = client.create_monitor(EMAIL, workspace, &keyed("shop", "s3cret")).await.expect("created");
    let refusal = refused(client.update_monitor(EMAIL, workspace, monitor.id, &monitor.spec.masked(), None).await);
    let fields: Vec<_> = refusal.errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!((refusal.status, fields), (422, vec!["probe.url", "probe.headers", "probe.body"]));
    assert_eq!(client.monitor(workspace, monitor.id).await.expect("read").spec, monitor.spec, "the secret stays");
}
