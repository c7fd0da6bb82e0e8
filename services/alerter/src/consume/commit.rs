//! The commit: what was decided, the states it left, the offsets that led there.

use std::collections::HashMap;

use kafka::TopicPartitionOffset;
use model::alerting::TransitionKind;
use model::{Clock as _, IncidentId};
use store::incidents::{AlertingCommit, Committed, IncidentRow};
use tokio::time::Instant;

use super::{GROUP, Loop};
use crate::announce::{Announcement, Subject, announce};
use crate::desk::Decided;

impl Loop {
    /// Commits transitions at once.
    pub(super) async fn announce(&mut self, decided: Vec<Decided>) -> Result<(), service::Error> {
        if decided.is_empty() {
            return Ok(());
        }
        for one in decided {
            let kind = match one.transition.kind {
                TransitionKind::Opened => "opened",
                TransitionKind::Acknowledged => "acknowledged",
                TransitionKind::Resolved => "resolved",
            };
            self.judge.metrics.transitions.with_label_values(&[kind]).inc();
            tracing::info!(
                monitor = %one.monitor,
                incident = %one.transition.incident,
                kind,
                cause = one.transition.cause.map(model::Cause::as_str),
                held = one.held,
                "incident"
            );
            let subject = if one.settings.is_some() { Subject::default() } else { self.subject(one.transition.incident).await? };
            self.announcements.push(announce(&one, &subject, &self.judge.catalog, self.judge.shared.now_ms())?);
        }
        self.commit().await
    }

    async fn subject(&self, incident: IncidentId) -> Result<Subject, service::Error> {
        let store = self.judge.store.clone();
        let found = self.patiently("an incident is not read yet", || async { store.incident_subject(incident).await }).await?.flatten();
        Ok(found.map_or_else(Subject::default, |found| Subject {
            workspace: Some(found.workspace),
            name: found.monitor_name,
            target: found.target,
            channels: found.channels,
        }))
    }

    /// Writes everything pending in one transaction, however long PostgreSQL takes to accept it. Where
    /// another alerter has a partition, its part is dropped and the rest tried again.
    pub(super) async fn commit(&mut self) -> Result<(), service::Error> {
        loop {
            let now = self.judge.clock.now_ms();
            let (mut offsets, states, forgotten) = self.desk.rows(now);
            self.strangers.hold_back(&mut offsets);
            if offsets.is_empty() {
                self.announcements.clear();
                self.last_commit = Instant::now();
                return Ok(());
            }
            let commit = AlertingCommit {
                consumer: GROUP,
                topic: &self.judge.topic,
                owner: self.judge.owner,
                now,
                made_at: self.judge.shared.now_ms(),
                offsets,
                states,
                forgotten,
                incidents: last_of_each(&self.announcements),
                alerts: self.announcements.iter().map(|one| one.alert.clone()).collect(),
                deliveries: self.announcements.iter().flat_map(|one| one.deliveries.iter().cloned()).collect(),
                released: self.released.clone(),
            };
            service::crash_point!("alerter::before_commit");
            let begin = Instant::now();
            let store = &self.judge.store;
            let commit_ref = &commit;
            let committed = self.patiently("a commit waits", || store.commit_alerting(commit_ref)).await?;
            self.judge.metrics.commit.observe(begin.elapsed().as_secs_f64());
            match committed {
                // Shutting down without PostgreSQL: the next owner judges it again.
                None => return Ok(()),
                Some(Committed::Done) => {
                    service::crash_point!("alerter::committed");
                    self.desk.committed(&commit.offsets, &commit.states, now);
                    if !commit.alerts.is_empty() || !commit.released.is_empty() {
                        self.judge.decided.notify_waiters();
                    }
                    self.announcements.clear();
                    self.released.clear();
                    self.last_commit = Instant::now();
                    self.advise(&commit).await;
                    return Ok(());
                }
                Some(Committed::Fenced(lost)) => {
                    tracing::warn!(?lost, "another alerter has these partitions; what was judged here is dropped");
                    self.judge.metrics.fenced.inc_by(lost.len() as u64);
                    self.give_up(&lost);
                    self.fenced.extend(lost);
                }
            }
        }
    }

    /// Tells Kafka how far we are, for its lag tools. The truth is in PostgreSQL.
    async fn advise(&self, commit: &AlertingCommit<'_>) {
        if !commit.alerts.is_empty() {
            // Not on the way to a message; the next commit tells it.
            return;
        }
        service::crash_point!("alerter::before_advice");
        let topic: std::sync::Arc<str> = self.judge.topic.as_str().into();
        let positions: Vec<_> = commit
            .offsets
            .iter()
            .map(|row| TopicPartitionOffset { topic: std::sync::Arc::clone(&topic), partition: row.partition, offset: row.next_offset })
            .collect();
        if let Err(error) = self.consumer.commit(&positions).await {
            tracing::debug!(%error, "Kafka did not take note of our position");
        }
    }
}

/// One row per incident: as its last transition left it.
fn last_of_each(announcements: &[Announcement]) -> Vec<IncidentRow> {
    let mut last: HashMap<IncidentId, IncidentRow> = HashMap::new();
    for one in announcements {
        let acknowledged_at = last.get(&one.incident.id).and_then(|row| row.acknowledged_at).or(one.incident.acknowledged_at);
        last.insert(one.incident.id, IncidentRow { acknowledged_at, ..one.incident.clone() });
    }
    last.into_values().collect()
}
