//! What every change of a monitor leaves behind, in its own transaction: an audit row and a record for Kafka.

use events::{ChangeKind, MonitorChange, Topics};
use model::{FieldError, Millis, MonitorId, MonitorSpec, WorkspaceId};
use service::{FieldProblem, Problem};
use store::{StoreError, Transaction, channels, outbox};

use crate::error::RouteError;

/// Who changes what, and when.
pub(crate) struct Change<'a> {
    pub actor: &'a str,
    pub workspace: WorkspaceId,
    pub monitor: MonitorId,
    pub kind: ChangeKind,
    pub now: Millis,
}

impl Change<'_> {
    pub(crate) async fn record(&self, tx: &mut Transaction, revision: i64, name: &str) -> Result<(), StoreError> {
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
        let value = event.encode().map_err(|error| StoreError::corrupt("monitors", error))?;
        let traceparent = kafka::current_traceparent();
        outbox::append(tx, &Topics::new("").changes, self.monitor.to_string().as_bytes(), &value, traceparent.as_deref(), self.now).await?;
        service::crash_point!("users::recorded");
        Ok(())
    }
}

/// That each channel the settings name is there: alerts to a name that leads nowhere would go elsewhere, and nobody would know.
/// What the monitor named `before` passes: a channel that has gone since has its alerts go to the default ones, and is no
/// reason to refuse another interval.
pub(crate) async fn known_channels(
    tx: &mut Transaction,
    workspace: WorkspaceId,
    spec: &MonitorSpec,
    before: &[String],
) -> Result<(), RouteError> {
    let named = &spec.alert.channels;
    if named.iter().all(|name| before.contains(name)) {
        return Ok(());
    }
    let known = channels::names(tx, workspace).await?;
    let errors: Vec<_> = named
        .iter()
        .enumerate()
        .filter(|(_, name)| !known.contains(name) && !before.contains(name))
        .map(|(i, name)| FieldProblem::new(format!("alert.channels[{i}]"), no_such_channel(name, &known)))
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors).into()) }
}

fn no_such_channel(name: &str, known: &[String]) -> String {
    let name: String = name.chars().take(80).collect();
    if known.is_empty() {
        return format!("{name:?} is no channel: there are none yet, docs/settings.md has the variables that make one");
    }
    let known: Vec<String> = known.iter().map(|name| format!("{name:?}")).collect();
    format!("{name:?} is no channel: use {}, or leave it out for the default channels", known.join(" or "))
}

/// Every mistake in the settings, by field.
pub(crate) fn check(spec: &MonitorSpec) -> Result<(), Problem> {
    let errors: Vec<_> =
        model::monitor::validate(spec).into_iter().map(|FieldError { field, message }| FieldProblem { field, message }).collect();
    if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors)) }
}
