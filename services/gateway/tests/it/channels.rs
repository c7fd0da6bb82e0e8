//! Where alerts go, as people see it: names and kinds, of their own workspace.

use serde_json::json;

use crate::mesh::Mesh;
use crate::users::{self, STRANGER, Users, VIEWER};

#[tokio::test]
async fn names_and_kinds_of_the_own_workspace_and_no_secret() {
    let users = Users::start().await;
    users.add_channel(users::workspace(), "slack", true);
    users.add_channel(users::workspace(), "night shift", false);
    users.add_channel(users::other_workspace(), "theirs", true);
    let mesh = Mesh::with(&[], users.clone()).await;
    // Answers within a few seconds come from one question, whoever asks.
    let asked = (0..20).map(|_| mesh.get_as(VIEWER, "/api/channels"));
    for (status, answer) in futures::future::join_all(asked).await {
        let ours = json!([
            {"name": "slack", "kind": "slack_webhook", "default": true},
            {"name": "night shift", "kind": "slack_webhook", "default": false}
        ]);
        assert_eq!((status, &answer), (200, &json!({"channels": ours})));
    }
    assert_eq!(mesh.get_as(STRANGER, "/api/channels").await.1["channels"][0]["name"], "theirs");
    assert_eq!(users.channel_questions(), 1);
    assert_eq!(mesh.get_as("nobody", "/api/channels").await.0, 401);
}

#[tokio::test]
async fn a_workspace_without_channels_is_told_so() {
    let mesh = Mesh::start().await;
    assert_eq!(mesh.get("/api/channels").await, (200, json!({"channels": []})));
}
