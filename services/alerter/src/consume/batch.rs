//! Judging a batch of records.

use std::sync::Arc;
use std::time::Duration;

use events::decode_result;
use kafka::{DeadLetterError, Message};
use model::alerting::Folded;
use model::{CheckResult, Millis, Monitor, MonitorId};
use tokio::time::Instant;

use super::{Loop, QUIET};

/// A result that lay so long before it was produced comes from a pinger's spool.
const SPOOLED_MS: Millis = 120_000;
/// A record that lay so long in the log waited for us. More than clocks usually differ.
const WAITED_MS: Millis = 300_000;
/// A slot may lie so far in the future by the skew of a pinger's clock.
const SKEW_MS: Millis = 60_000;
/// How long a batch waits for users to tell of a monitor that is new to us.
const STRANGER: Duration = Duration::from_secs(1);
/// Where so many records cannot be read that we are the likelier fault, the log waits this long before
/// they are tried again.
const FLOODED: Duration = Duration::from_secs(30);
/// Strangers remembered, so that results of a deleted monitor do not each cost a second.
const STRANGERS: usize = 10_000;

impl Loop {
    pub(super) async fn batch(&mut self, messages: Vec<Message>) -> Result<(), service::Error> {
        let now = self.judge.clock.now_ms();
        let mut unreadable: Vec<(Message, String)> = Vec::new();
        let mut results: Vec<(Message, CheckResult)> = Vec::with_capacity(messages.len());
        for message in messages {
            // Not ours (fenced), or judged before.
            let Some(position) = self.desk.position(message.partition) else { continue };
            if message.offset < position && results.is_empty() {
                // An offset below what was asked for: the log began anew under the same name.
                tracing::warn!(partition = message.partition, offset = message.offset, position, "the log starts before our position");
            }
            match decode_result(message.key.as_deref(), message.value.as_deref()) {
                Ok(result) if result.slot > now + SKEW_MS => {
                    unreadable.push((message, "the slot lies in the future".to_owned()));
                }
                Ok(result) => results.push((message, result)),
                Err(error) => unreadable.push((message, error.to_string())),
            }
        }
        self.letters.passed(results.len());
        if !self.set_aside(&unreadable).await? {
            return Ok(());
        }
        self.meet(&results).await?;
        let (mut decided, mut newest) = (Vec::new(), None);
        for (message, result) in &results {
            if let Some(monitor) = self.judge.directory.get(result.monitor) {
                decided.extend(self.judge_one(message, result, &monitor, now));
                newest = newest.max(Some(result.started_at));
            } else {
                self.judge.metrics.results.with_label_values(&["stranger"]).inc();
            }
            self.desk.advance(message.partition, message.offset + 1);
        }
        for (message, _) in &unreadable {
            // Of one batch: readable ones behind it are judged by now.
            let position = self.desk.position(message.partition).unwrap_or(0);
            self.desk.advance(message.partition, position.max(message.offset + 1));
        }
        self.judge.metrics.last_judged.set(now / 1000);
        service::crash_point!("alerter::judged");
        self.announce(decided).await?;
        if let Some(newest) = newest {
            self.judge.pulse.judged(newest, now);
        }
        self.show_changed();
        Ok(())
    }

    /// Puts what nobody can read among the dead letters, and waits until they are safe there: only then
    /// may an offset pass them. Kafka may take its time; while there are too many of them, the log waits.
    /// Says whether all are; not when we are to stop before.
    async fn set_aside(&self, unreadable: &[(Message, String)]) -> Result<bool, service::Error> {
        for (message, reason) in unreadable {
            self.judge.metrics.results.with_label_values(&["unreadable"]).inc();
            loop {
                let (failed, pause) = match self.letters.send(message, reason) {
                    Ok(ack) => match ack.await {
                        Ok(_) => {
                            service::crash_point!("alerter::set_aside");
                            break;
                        }
                        Err(error) if error.is_retryable() => (error.to_string(), Duration::from_secs(1)),
                        Err(error) => return Err(error.into()),
                    },
                    Err(error @ DeadLetterError::TooMany { .. }) => {
                        tracing::error!(%error, partition = message.partition, offset = message.offset, "the alerter stops reading for a while");
                        self.readable.unset();
                        (error.to_string(), FLOODED)
                    }
                    Err(DeadLetterError::Send(error)) => (error.to_string(), Duration::from_secs(1)),
                };
                tracing::warn!(error = failed, "a record that cannot be read is not set aside yet; the log waits");
                tokio::select! {
                    () = self.judge.ctx.shutdown().cancelled() => return Ok(false),
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
        self.readable.set();
        Ok(true)
    }

    fn judge_one(&mut self, message: &Message, result: &CheckResult, monitor: &Arc<Monitor>, now: Millis) -> Option<crate::desk::Decided> {
        let behind = now - result.started_at;
        let spooled = message.timestamp_ms - result.started_at > SPOOLED_MS;
        if (spooled || now - message.timestamp_ms > WAITED_MS) && result.outcome.is_verdict() {
            // An outage of ours or of a pinger's way to the log: what it decides is announced at its end.
            self.desk.set_catching_up(message.partition, true);
            self.behind.insert(message.partition, Instant::now());
        } else if self.behind.get(&message.partition).is_none_or(|at| at.elapsed() > QUIET) {
            self.present(message.partition);
        }
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a delay are far below 2^52")]
        self.judge.metrics.judged_after.observe(behind.max(0) as f64 / 1000.0);
        let (folded, decided) = self.desk.judge(message.partition, monitor, result);
        let outcome = match folded {
            Folded::Taken(_) => "judged",
            Folded::Duplicate => "duplicate",
            Folded::Settled => "late",
            Folded::NoEvidence => "no_evidence",
            Folded::Ignored => "ignored",
        };
        self.judge.metrics.results.with_label_values(&[outcome]).inc();
        decided.map(|decided| crate::desk::Decided { traceparent: message.traceparent.clone(), ..decided })
    }

    /// Loads what is known of monitors met for the first time: settings from users, a state that may lie
    /// in PostgreSQL under another partition.
    async fn meet(&mut self, results: &[(Message, CheckResult)]) -> Result<(), service::Error> {
        let mut new: Vec<MonitorId> = results.iter().map(|(_, result)| result.monitor).filter(|id| !self.desk.knows(*id)).collect();
        new.sort_unstable();
        new.dedup();
        if new.is_empty() {
            return Ok(());
        }
        let directory = self.judge.directory.clone();
        let unknown = |id: &MonitorId| directory.get(*id).is_none();
        if new.iter().any(|id| unknown(id) && !self.strangers.contains(id)) {
            // Created a moment ago: its first result may be here before its settings.
            directory.wake();
            let known = async {
                while new.iter().any(|id| unknown(id) && !self.strangers.contains(id)) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            let _ = tokio::time::timeout(STRANGER, known).await;
            if self.strangers.len() > STRANGERS {
                self.strangers.clear();
            }
            self.strangers.extend(new.iter().filter(|id| unknown(id)).copied());
        }
        new.retain(|id| !unknown(id));
        let store = self.judge.store.clone();
        let states = self.patiently("states are not loaded yet", || async { store.alert_states(&new).await }).await?;
        let mut states = states.unwrap_or_default();
        for state in &mut states {
            // Its results come from this partition now.
            if let Some((message, _)) = results.iter().find(|(_, result)| result.monitor == state.monitor) {
                state.partition = message.partition;
            }
        }
        self.desk.restore(states);
        Ok(())
    }
}
