//! What every change of a monitor leaves behind, in its own transaction: an audit row and a record for Kafka.

use events::{ChangeKind, MonitorChange, Topics};
use model::{FieldError, Millis, MonitorId, MonitorSpec, WorkspaceId};
use service::{FieldProblem, Problem};
use store::{Transaction, outbox};

use crate::error::RouteError;

/// Who changes what, and when.
pub(super) struct Change<'a> {
    pub actor: &'a str,
    pub workspace: WorkspaceId,
    pub monitor: MonitorId,
    pub kind: ChangeKind,
    pub now: Millis,
}

impl Change<'_> {
    pub(super) async fn record(&self, tx: &mut Transaction, revision: i64, name: &str) -> Result<(), RouteError> {
        service::crash_point!("users::written");
        let detail = serde_json::json!({ "name": name, "revision": revision });
        let action = match self.kind {
            ChangeKind::Created => "monitor.created",
            ChangeKind::Updated => "monitor.updated",
            ChangeKind::Paused => "monitor.paused",
            ChangeKind::Resumed => "monitor.resumed",
            ChangeKind::Deleted => "monitor.deleted",
        };
        outbox::audit(tx, self.workspace, self.actor, action, Some(self.monitor.0), &detail, self.now).await?;
        let event = MonitorChange::new(self.monitor, self.workspace, revision, self.kind, self.actor.to_owned(), self.now);
        let value = event.encode().map_err(|error| Problem::internal(&error))?;
        let traceparent = kafka::current_traceparent();
        outbox::append(tx, &Topics::new("").changes, self.monitor.to_string().as_bytes(), &value, traceparent.as_deref(), self.now).await?;
        service::crash_point!("users::recorded");
        Ok(())
    }
}

/// Every mistake in the settings, by field.
pub(super) fn check(spec: &MonitorSpec) -> Result<(), Problem> {
    let errors: Vec<_> =
        model::monitor::validate(spec).into_iter().map(|FieldError { field, message }| FieldProblem { field, message }).collect();
    if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors)) }
}
