//! The users service as another service sees it.

use std::time::Duration;

use directory::{Client, ClientConfig};
use model::WorkspaceId;
use system_tests::Mesh;
use uuid::Uuid;

/// A client of a mesh's users, with its usual deadline or this one; and the one workspace there is.
pub async fn client(mesh: &Mesh, deadline: Option<Duration>) -> (Client, WorkspaceId) {
    let mut config = ClientConfig::new(&format!("http://{}", mesh.users), testkit::INTERNAL_KEY.into());
    config.deadline = deadline.unwrap_or(config.deadline);
    let client = Client::new(&config).expect("a client");
    let pool = mesh.stack.database().await.store.pool();
    let workspace: Uuid = sqlx::query_scalar("SELECT id FROM workspaces LIMIT 1").fetch_one(pool).await.expect("a workspace");
    (client, workspace.into())
}
