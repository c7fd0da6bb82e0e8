//! Monitors: the feed of the replica, and reads and writes on behalf of a person.

use model::{Monitor, MonitorId, MonitorSpec, WorkspaceId};
use reqwest::{Method, RequestBuilder, header};

use super::call::{send, send_empty};
use super::{Client, FeedQuery};
use crate::error::DirectoryError;
use crate::wire::{MonitorList, MonitorPage};

/// Who acts: an e-mail address, `api-key:<prefix>` or `system`. Goes to the audit log.
const ACTOR: &str = "x-upmesh-actor";

impl Client {
    pub(crate) async fn feed(&self, query: &FeedQuery<'_>) -> Result<MonitorPage, DirectoryError> {
        let mut request =
            self.request(Method::GET, "internal/monitors")?.query(&[("since", query.since), ("limit", i64::from(query.limit))]);
        if let Some(region) = query.region {
            request = request.query(&[("region", region.as_str())]);
        }
        send(request).await
    }

    /// One page of a workspace's monitors, in order of id, straight from PostgreSQL.
    pub async fn list_monitors(&self, workspace: WorkspaceId, after: Option<MonitorId>, limit: u32) -> Result<MonitorList, DirectoryError> {
        let mut request = self.request(Method::GET, &format!("internal/workspaces/{workspace}/monitors"))?.query(&[("limit", limit)]);
        if let Some(after) = after {
            request = request.query(&[("after", after.to_string())]);
        }
        send(request).await
    }

    /// One monitor, straight from PostgreSQL.
    pub async fn monitor(&self, workspace: WorkspaceId, id: MonitorId) -> Result<Monitor, DirectoryError> {
        send(self.request(Method::GET, &path(workspace, id))?).await
    }

    pub async fn create_monitor(&self, actor: &str, workspace: WorkspaceId, spec: &MonitorSpec) -> Result<Monitor, DirectoryError> {
        send(act(self.post(&format!("internal/workspaces/{workspace}/monitors"), spec)?, actor)).await
    }

    /// Replaces the settings. With `if_revision`, refused with 412 when somebody changed it since.
    pub async fn update_monitor(
        &self,
        actor: &str,
        workspace: WorkspaceId,
        id: MonitorId,
        spec: &MonitorSpec,
        if_revision: Option<i64>,
    ) -> Result<Monitor, DirectoryError> {
        let mut request = act(self.request(Method::PUT, &path(workspace, id))?.json(spec), actor);
        if let Some(revision) = if_revision {
            request = request.header(header::IF_MATCH, format!("\"{revision}\""));
        }
        send(request).await
    }

    pub async fn delete_monitor(&self, actor: &str, workspace: WorkspaceId, id: MonitorId) -> Result<(), DirectoryError> {
        send_empty(act(self.request(Method::DELETE, &path(workspace, id))?, actor)).await
    }

    /// Stops checking it. Pausing a paused monitor changes nothing and succeeds.
    pub async fn pause_monitor(&self, actor: &str, workspace: WorkspaceId, id: MonitorId) -> Result<Monitor, DirectoryError> {
        send(act(self.request(Method::POST, &format!("{}/pause", path(workspace, id)))?, actor)).await
    }

    /// Checks it again. Resuming a running monitor changes nothing and succeeds.
    pub async fn resume_monitor(&self, actor: &str, workspace: WorkspaceId, id: MonitorId) -> Result<Monitor, DirectoryError> {
        send(act(self.request(Method::POST, &format!("{}/resume", path(workspace, id)))?, actor)).await
    }
}

fn path(workspace: WorkspaceId, id: MonitorId) -> String {
    format!("internal/workspaces/{workspace}/monitors/{id}")
}

/// A header holds visible ASCII only; anything else of a name is replaced.
fn act(request: RequestBuilder, actor: &str) -> RequestBuilder {
    let actor: String = actor.chars().take(254).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect();
    request.header(ACTOR, actor)
}
