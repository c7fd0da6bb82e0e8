//! Incidents with their alerts; acknowledging.

use model::{ChannelId, IncidentId};
use reqwest::Method;
use serde_json::json;
use store::incidents::{AlertRow, AlertingCommit, DeliveryRow, IncidentRow};
use uuid::Uuid;

use crate::mesh::{Mesh, answer, now, spec};
use crate::users::{self, STRANGER, Users, VIEWER};

#[tokio::test]
async fn incidents_are_listed_read_and_acknowledged() {
    let users = Users::start().await;
    let monitor = users.add(users::workspace(), spec("m"));
    let mesh = Mesh::with(&[], users).await;
    let store = &mesh.stack.database().await.store;
    let begin = now() - 60_000;
    let ids: Vec<IncidentId> = (0..3).map(|_| Uuid::new_v4().into()).collect();
    let incident = |n: i64, state| IncidentRow {
        id: ids[usize::try_from(n).expect("small")],
        monitor: monitor.id,
        workspace: users::workspace(),
        monitor_name: "m".to_owned(),
        target: "t".to_owned(),
        state,
        sequence: 1,
        opened_at: begin + n,
        resolved_at: (state == "resolved").then_some(begin + n + 5000),
        cause: Some("timeout"),
        detail: Some("no answer within 1 s".to_owned()),
        regions: vec!["local".to_owned()],
        note: None,
        acknowledged_at: None,
    };
    let alert = Uuid::new_v4();
    let commit = AlertingCommit {
        consumer: "test",
        topic: "t",
        owner: Uuid::new_v4(),
        now: begin,
        made_at: begin,
        offsets: Vec::new(),
        states: Vec::new(),
        forgotten: Vec::new(),
        incidents: vec![incident(0, "resolved"), incident(1, "resolved"), incident(2, "open")],
        alerts: vec![AlertRow {
            id: alert,
            incident: ids[2],
            kind: "opened",
            sequence: 1,
            slot: begin,
            at: begin + 7,
            record_key: Vec::new(),
            record: Vec::new(),
            traceparent: None,
        }],
        deliveries: vec![DeliveryRow {
            id: Uuid::new_v4(),
            alert,
            incident: ids[2],
            channel: ChannelId::from(Uuid::new_v4()),
            channel_kind: "slack_webhook",
            channel_name: "Slack".to_owned(),
            kind: "opened",
            sequence: 1,
            due_at: begin,
            held_partition: None,
        }],
        released: Vec::new(),
    };
    store.commit_alerting(&commit).await.expect("committed");

    let (status, page) = mesh.get("/api/incidents?limit=2").await;
    assert_eq!(status, 200, "{page}");
    assert_eq!(page["incidents"][0]["id"], json!(ids[2]));
    let shown = &page["incidents"][0];
    assert_eq!((&shown["state"], &shown["cause"], &shown["regions"]), (&json!("open"), &json!("timeout"), &json!(["local"])));
    assert_eq!(shown["alerts"][0]["deliveries"][0], json!({"channel": "Slack", "state": "pending", "attempts": 0, "last_error": null}));
    assert_eq!(page["incidents"][1]["duration_ms"], 5000);
    let cursor = page["next_cursor"].as_str().expect("another page");
    let (_, rest) = mesh.get(&format!("/api/incidents?limit=2&cursor={cursor}")).await;
    assert_eq!((&rest["incidents"][0]["id"], &rest["next_cursor"]), (&json!(ids[0]), &json!(null)));
    assert_eq!(mesh.get("/api/incidents?open=true").await.1["incidents"].as_array().map(Vec::len), Some(1));
    assert_eq!(mesh.get(&format!("/api/incidents?monitor={}", Uuid::new_v4())).await.1["incidents"], json!([]));

    let path = format!("/api/incidents/{}", ids[2]);
    assert_eq!(mesh.get(&path).await.1["id"], json!(ids[2]));
    assert_eq!(mesh.get_as(STRANGER, &path).await.0, 404);
    assert_eq!(answer(mesh.request(Method::POST, &format!("{path}/acknowledge")).bearer_auth(VIEWER)).await.0, 403);
    assert_eq!(answer(mesh.request(Method::POST, &format!("{path}/acknowledge")).bearer_auth(STRANGER)).await.0, 404);
    let (status, taken) = mesh.send(Method::POST, &format!("{path}/acknowledge"), &json!({})).await;
    assert_eq!((status, &taken["state"], &taken["acknowledged_by"]), (200, &json!("acknowledged"), &json!("p1@upmesh.test")));
    assert_eq!(store.acknowledge_requests().await.expect("read").len(), 1);
    let over = format!("/api/incidents/{}/acknowledge", ids[0]);
    assert_eq!(mesh.send(Method::POST, &over, &json!({})).await.0, 409);
}
