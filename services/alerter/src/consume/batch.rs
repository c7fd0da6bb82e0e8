//! Judging a batch of records.

use std::sync::Arc;
use std::time::Duration;

use events::decode_result;
use kafka::{DeadLetterError, Message};
use model::alerting::Folded;
use model::{CheckResult, Millis, Monitor, MonitorId};
use tokio::time::Instant;

use super::{FLOODED, Loop};

/// A result that lay so long before it was produced, beside the time its check may have taken, comes from a pinger's spool.
const SPOOLED_MS: Millis = 60_000;
/// A record that lay so long in the log waited for us. More than clocks usually differ.
const WAITED_MS: Millis = 300_000;
/// A slot may lie so far in the future by the skew of a pinger's clock.
const SKEW_MS: Millis = 60_000;

/// A result as it was read.
pub(super) struct Read {
    message: Message,
    result: CheckResult,
    /// Absent where users have not told of it, or what came before is still held for that.
    monitor: Option<Arc<Monitor>>,
}

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
                Ok(result) => results.push((message, result)),
                Err(error) => unreadable.push((message, error.to_string())),
            }
        }
        self.letters.passed(results.len());
        if !self.set_aside(&unreadable).await? {
            return Ok(());
        }
        let results: Vec<Read> = results.into_iter().map(|(message, result)| self.introduced(message, result)).collect();
        self.meet(&results).await?;
        // Where our own clock is slow, users' is not: what is judged once is passed for good.
        let users = self.judge.directory.clock();
        let latest = users.map_or(now, |heard| now.max(heard.time + i64::try_from(heard.asked.elapsed().as_millis()).unwrap_or(0)));
        let mut decided = Vec::new();
        for Read { message, result, monitor } in results {
            let (partition, next) = (message.partition, message.offset + 1);
            if result.slot > latest + SKEW_MS {
                // A pinger's clock: history keeps the check, and no state may run ahead.
                self.judge.metrics.results.with_label_values(&["future"]).inc();
            } else if let Some(monitor) = monitor {
                decided.extend(self.judge_one(&message, &result, &monitor, now));
            } else {
                self.hold(message, result);
            }
            self.desk.advance(partition, next);
        }
        for (message, _) in &unreadable {
            // Of one batch: readable ones behind it are judged by now.
            let position = self.desk.position(message.partition).unwrap_or(0);
            self.desk.advance(message.partition, position.max(message.offset + 1));
        }
        self.judge.metrics.last_judged.set(now / 1000);
        service::crash_point!("alerter::judged");
        self.announce(decided).await?;
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
        let behind = now.saturating_sub(result.started_at);
        // Two attempts, and what lies between them: nothing takes a check longer.
        let longest = Millis::from(monitor.spec.timeout_ms).saturating_mul(2).saturating_add(SPOOLED_MS);
        let spooled = message.timestamp_ms.saturating_sub(result.started_at) > longest;
        if (spooled || now.saturating_sub(message.timestamp_ms) > WAITED_MS) && result.outcome.is_verdict() {
            // An outage of ours or of a pinger's way to the log: what it decides is announced at its end, which is where the
            // log is read to (`caught_up`), however young what comes before is.
            self.desk.set_catching_up(message.partition, true);
            self.behind.insert(message.partition, Instant::now());
        }
        // A pinger's clock that is ahead must not hide a stall.
        self.desk.judged_through(message.partition, result.started_at.min(now));
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

    fn introduced(&self, message: Message, result: CheckResult) -> Read {
        let monitor = self.judge.directory.get(result.monitor).filter(|_| !self.strangers.holds(result.monitor));
        Read { message, result, monitor }
    }

    /// Created a moment ago, its result is here before its settings; or it is gone.
    fn hold(&mut self, message: Message, result: CheckResult) {
        let first = !self.strangers.holds(result.monitor);
        if !self.strangers.hold(message, result) {
            self.judge.metrics.results.with_label_values(&["stranger"]).inc();
        } else if first {
            self.judge.directory.wake();
        }
    }

    /// Judges what was held of these monitors, where users have told of them by now.
    pub(super) async fn introduce(&mut self, monitors: Vec<MonitorId>) -> Result<(), service::Error> {
        let mut results = Vec::new();
        for id in monitors {
            let Some(monitor) = self.judge.directory.get(id) else { continue };
            let held = self.strangers.take(id).into_iter();
            results.extend(held.map(|(message, result)| Read { message, result, monitor: Some(Arc::clone(&monitor)) }));
        }
        if results.is_empty() {
            return Ok(());
        }
        self.meet(&results).await?;
        let now = self.judge.clock.now_ms();
        let mut decided = Vec::new();
        for Read { message, result, monitor } in results {
            decided.extend(monitor.and_then(|monitor| self.judge_one(&message, &result, &monitor, now)));
        }
        self.announce(decided).await?;
        self.show_changed();
        Ok(())
    }

    /// Gives up what is gone, and judges what was held where its monitor is known, whoever told of it.
    pub(super) async fn look_for_strangers(&mut self) -> Result<(), service::Error> {
        // Read before the list is looked into: what it lacks up to there is not to come.
        let status = self.judge.directory.status();
        let directory = &self.judge.directory;
        let gone = self.strangers.give_up(&status, |id| directory.get(id).is_none());
        self.judge.metrics.results.with_label_values(&["stranger"]).inc_by(gone);
        self.introduce(self.strangers.monitors()).await
    }

    /// Loads what is known of monitors met for the first time: a state that may lie in PostgreSQL under
    /// another partition.
    async fn meet(&mut self, results: &[Read]) -> Result<(), service::Error> {
        let known = results.iter().filter(|one| one.monitor.is_some()).map(|one| one.result.monitor);
        let mut new: Vec<MonitorId> = known.filter(|id| !self.desk.knows(*id)).collect();
        new.sort_unstable();
        new.dedup();
        if new.is_empty() {
            return Ok(());
        }
        let store = self.judge.store.clone();
        let states = self.patiently("states are not loaded yet", || async { store.alert_states(&new).await }).await?;
        let mut states = states.unwrap_or_default();
        for state in &mut states {
            // Its results come from this partition now.
            if let Some(one) = results.iter().find(|one| one.result.monitor == state.monitor) {
                state.partition = one.message.partition;
            }
        }
        self.desk.restore(states);
        Ok(())
    }
}
