//! A due slot: run, made to wait, or missed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use model::{Cause, CheckResult, Millis, MonitorId, Outcome};
use tokio::sync::mpsc;
use tracing::{Instrument as _, Span};

use super::admission::{Admitted, Waiting};
use super::due::interval_at;
use super::missed::Missed;
use super::overdue::Urgency;
use super::table::Table;
use super::timeline::Due;
use super::{Done, Engine, Tools};
use crate::check::{Checked, check};
use crate::probe::Attempt;

/// A slot this late is made up for at a pace; later ones of a short stall run at once.
const LATE_MS: Millis = 1_000;
/// Nothing waits longer than this for room.
const LONGEST_WAIT_MS: Millis = 10_000;
/// Progress is noted this often.
const SEEN_EVERY_MS: Millis = 100;

/// The place of a check under way, given back however that ends.
struct Place {
    done: Done,
    to: mpsc::UnboundedSender<Done>,
}

impl Place {
    /// The check came to a result.
    fn ended(mut self, up: bool) {
        self.done.up = up;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Fails only at the very end, when nobody counts any more.
        let _ = self.to.send(self.done);
    }
}

impl Engine {
    /// Hands out everything due by `now`. The only way in: whatever happens to a monitor, its shard or the clock only has it looked
    /// at here, so that nothing is opened while the clock is off, and nothing is passed over when it is seen that all is opened.
    pub(super) fn run_due(&mut self, now: Millis) {
        while let Some(due) = self.timeline.pop(now) {
            let late = now - due.at > LATE_MS;
            let shard = Table::shard_at(due.index);
            let holds = self.holds(shard);
            let Some(entry) = self.table.current_mut(due.index, due.generation) else {
                if due.made_up_for() {
                    self.abandon(due.index, due.generation, due.slot);
                }
                continue;
            };
            if due.made_up_for() {
                // Open already, so it is run of a paused shard, too.
                if late {
                    self.late(&due, now);
                } else {
                    self.start(&due, now);
                }
                continue;
            }
            if entry.next != Some(due.slot) {
                continue;
            }
            entry.next = None;
            if !holds {
                // Of a paused shard: looked at again if it stays here.
                continue;
            }
            let in_order = entry.active && entry.until >= entry.since - 1 && entry.schedule.after(entry.until) == due.slot;
            if late || !in_order {
                self.catch_up(due.index, now);
                continue;
            }
            entry.until = due.slot;
            entry.fresh = false;
            let next = entry.schedule.after(due.slot);
            self.tools.metrics.due.inc();
            self.progress.open(shard, due.slot);
            self.queue(due.index, next);
            self.start(&due, now);
        }
        // Only now is everything up to `now` opened.
        if (now - self.seen).abs() >= SEEN_EVERY_MS {
            self.seen = now;
            self.progress.seen(now);
        }
    }

    /// After a stall: what was to be made up for is put off again, or given up where a later one is due.
    fn late(&mut self, due: &Due, now: Millis) {
        let Some(entry) = self.table.get(due.index) else { return };
        if entry.schedule.at_or_before(now) > due.slot {
            self.give_up(due.index, due.generation, due.slot, Cause::NotRun);
        } else {
            self.make_up(due.index, due.slot, now, Urgency::Paced);
        }
    }

    /// Runs a slot that is due and open.
    pub(super) fn start(&mut self, due: &Due, now: Millis) {
        let Some(entry) = self.table.get_mut(due.index) else { return };
        if !entry.active {
            // Paused by its owner since.
            self.give_up(due.index, due.generation, due.slot, Cause::NotRun);
            return;
        }
        entry.last = Some(due.slot);
        let patience = (entry.schedule.interval_ms / 2).min(LONGEST_WAIT_MS);
        let waiting =
            Waiting { index: due.index, generation: due.generation, slot: due.slot, host: entry.host, until: now.max(due.slot) + patience };
        match self.admission.admit(waiting) {
            Admitted::Run => self.spawn(&waiting, now),
            Admitted::Wait => {}
            Admitted::Refused => self.saturated(&waiting),
        }
    }

    /// Hands out what waited, as far as there is room.
    pub(super) fn run_waiting(&mut self, now: Millis) {
        while let Some(next) = self.admission.next(now) {
            match next {
                Ok(waiting) => self.spawn(&waiting, now),
                Err(late) => self.saturated(&late),
            }
        }
        // Looks at every host with a check under way, and this is called at every turn.
        if self.admission.waiting() > 0 {
            for late in self.admission.overdue(now) {
                self.saturated(&late);
            }
        }
        self.tools.metrics.waiting.set(i64::try_from(self.admission.waiting()).unwrap_or(i64::MAX));
    }

    fn saturated(&mut self, waiting: &Waiting) {
        self.give_up(waiting.index, waiting.generation, waiting.slot, Cause::Saturated);
    }

    fn spawn(&mut self, waiting: &Waiting, now: Millis) {
        let running = self.admission.running();
        let Some(entry) = self.table.current(waiting.index, waiting.generation).filter(|entry| entry.active) else {
            // Deleted or paused while it waited.
            self.admission.release(waiting.host);
            self.give_up(waiting.index, waiting.generation, waiting.slot, Cause::NotRun);
            return;
        };
        let epoch = self.epoch(entry.shard).unwrap_or_default();
        let (monitor, compiled) = (Arc::clone(&entry.monitor), Arc::clone(&entry.compiled));
        // What is made up for was perhaps due by an earlier schedule.
        let earlier = if waiting.slot < entry.since { interval_at(&monitor, &self.tools.region, waiting.slot) } else { None };
        let interval_ms = earlier.unwrap_or(entry.schedule.interval_ms);
        let was_up = entry.was_up;
        let tools = Arc::clone(&self.tools);
        let Waiting { index, generation, slot, host, .. } = *waiting;
        let place = Place { done: Done { index, generation, slot, host, up: false }, to: self.done_sender.clone() };
        tools.metrics.in_flight.set(i64::try_from(running).unwrap_or(i64::MAX));
        let span = if service::trace::exported() { tracing::info_span!("check", %monitor.id, slot) } else { Span::none() };
        let run = async move {
            let started_at = tools.clock.now_ms();
            tools.metrics.lateness.observe(seconds(started_at - slot));
            // What is left of the slot: the next check must not find this one still running.
            let room = Duration::from_millis((slot + interval_ms - now).max(0).unsigned_abs());
            let checked = check(&tools.prober, Some(&tools.sight), &monitor.spec, &compiled, tools.confirm, room);
            let checked = AssertUnwindSafe(checked).catch_unwind().await.unwrap_or_else(|panic| panicked(monitor.id, panic.as_ref()));
            let Checked { attempt, attempts, doubted } = checked;
            tools.sight.note(monitor.id, &monitor.spec.probe, &attempt, doubted);
            let up = attempt.outcome == Outcome::Up;
            tools.metrics.run.with_label_values(&[attempt.outcome.as_str()]).inc();
            if attempts > 1 {
                tools.metrics.confirmed.inc();
            }
            let result = CheckResult {
                monitor: monitor.id,
                region: tools.region.clone(),
                slot,
                interval_ms,
                outcome: attempt.outcome,
                cause: attempt.cause,
                detail: attempt.detail,
                latency_us: attempt.latency_us,
                phases: attempt.phases,
                status: attempt.status,
                certificate_expires_at: attempt.certificate_expires_at,
                attempts,
                started_at,
                epoch,
                pinger: tools.pinger.clone(),
                revision: monitor.revision,
                suspect: doubted,
            };
            service::crash_point!("pinger::checked");
            tools.reporter.report(&result, up && was_up).await;
            place.ended(up);
        };
        tokio::spawn(run.instrument(span));
    }
}

/// A fault of ours, whatever the target said: one check's, not the pinger's.
fn panicked(monitor: MonitorId, panic: &(dyn std::any::Any + Send)) -> Checked {
    let said = service::panic_text(panic);
    tracing::error!(%monitor, "a check {said}");
    Checked { attempt: Attempt::unknown(Cause::Internal, format!("the check {said}")), attempts: 1, doubted: false }
}

impl Tools {
    /// The result of a slot that was not run.
    pub(super) fn missed_result(&self, missed: &Missed) -> CheckResult {
        CheckResult {
            monitor: missed.monitor,
            region: self.region.clone(),
            slot: missed.slot,
            interval_ms: missed.interval_ms,
            outcome: Outcome::Missed,
            cause: Some(missed.cause),
            detail: None,
            latency_us: None,
            phases: model::Phases::default(),
            status: None,
            certificate_expires_at: None,
            attempts: 0,
            started_at: missed.slot,
            epoch: missed.epoch,
            pinger: self.pinger.clone(),
            revision: missed.revision,
            suspect: false,
        }
    }
}

fn seconds(ms: Millis) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "lateness is far below 2^52 ms")]
    let ms = ms.max(0) as f64;
    ms / 1000.0
}
