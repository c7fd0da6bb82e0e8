//! Folding a batch.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use kafka::{DeadLetterError, Message, Partition};
use model::{CheckResult, Millis, Outcome};
use tracing::Span;

use super::Worker;
use crate::dead::Pending;
use crate::intake::{Intake, Rejected};

/// Where all of a batch waited so long in the log, we are behind it. More than clocks usually differ.
const LATE_MS: Millis = 1000;

/// How far a batch is folded. Records come in runs of one partition; only a run's last offset matters.
#[derive(Default)]
struct Reached(Option<(Partition, i64)>);

impl Reached {
    fn is_in(&self, message: &Message) -> bool {
        self.0.as_ref().is_some_and(|((topic, partition), _)| *partition == message.partition && *topic == message.topic)
    }

    /// Notes the next offset of the run, or of another one.
    fn note(&mut self, other: Option<Partition>, next: i64, positions: &mut HashMap<Partition, i64>) {
        match (other, &mut self.0) {
            (None, Some((_, reached))) => *reached = next,
            (None, None) => {}
            (Some(partition), _) => {
                let ended = self.0.replace((partition, next));
                positions.extend(ended);
            }
        }
    }
}

/// A span in the trace of the check, where there is one and somebody collects it.
fn traced(message: &Message, result: &CheckResult) -> Span {
    let Some(parent) = message.traceparent.as_deref().filter(|_| service::trace::exported()) else { return Span::none() };
    let span = tracing::info_span!("fold", %result.monitor, slot = result.slot);
    kafka::set_parent(&span, parent);
    span
}

impl Worker {
    pub(super) fn fold_batch(&mut self, batch: Vec<Message>) {
        self.durable.folded();
        let now = self.clock.now_ms();
        let intake = Intake { now, retention_ms: self.settings.retention_ms };
        let newest = batch.iter().map(|message| message.timestamp_ms).max();
        self.late = newest.is_some_and(|newest| newest > 0 && now - newest > LATE_MS);
        let mut batch = batch.into_iter();
        let mut good = 0;
        let mut reached = Reached::default();
        let delivery = self.metrics.delivery.local();
        while let Some(message) = batch.next() {
            if self.hold.is_on() {
                self.hold.keep(std::iter::once(message).chain(batch));
                break;
            }
            if message.timestamp_ms > 0 {
                #[expect(clippy::cast_precision_loss, reason = "milliseconds of a delay")]
                delivery.observe((now - message.timestamp_ms).max(0) as f64 / 1000.0);
            }
            let other = (!reached.is_in(&message)).then(|| (Arc::clone(&message.topic), message.partition));
            let next = message.offset + 1;
            match intake.read(message.key.as_deref(), message.value.as_deref()) {
                Ok(result) => {
                    good += 1;
                    self.newest_slot = self.newest_slot.max(result.slot);
                    let outcome = if result.suspect { Outcome::Unknown } else { result.outcome };
                    self.outcomes[usize::from(outcome.code())].inc();
                    let span = traced(&message, &result);
                    span.in_scope(|| self.fold.apply(result, now));
                    self.unflushed_results += 1;
                }
                Err(Rejected::TooOld) => {
                    good += 1;
                    self.metrics.too_old.inc();
                }
                Err(reason @ (Rejected::Unreadable(_) | Rejected::Future(_))) => {
                    self.letters.passed(std::mem::take(&mut good));
                    match Pending::send(&self.letters, message, reason) {
                        Ok(pending) => {
                            service::crash_point!("processor::letter_sent");
                            self.dead.push(pending);
                        }
                        Err(held) => {
                            let (message, error) = *held;
                            self.hold_back(message, &error);
                            continue;
                        }
                    }
                }
            }
            reached.note(other, next, &mut self.positions);
        }
        self.positions.extend(reached.0);
        service::crash_point!("processor::folded");
        self.letters.passed(good);
        self.unflushed_since.get_or_insert_with(Instant::now);
    }

    fn hold_back(&mut self, message: Message, error: &DeadLetterError) {
        tracing::error!(%error, partition = message.partition, offset = message.offset, "the processor stops reading for a while");
        self.assigned.unset();
        self.hold.begin(message);
    }
}
