//! How attempts end: by what the channel said, recorded until PostgreSQL has it.

use std::time::Duration;

use directory::wire::Channel;
use model::{Clock as _, Millis};
use store::incidents::{Again, ClaimedDelivery, SentMessage, Settlement};
use tokio::time::Instant;
use uuid::Uuid;

use super::Sender;
use crate::channels::SendFailure;

/// First and longest pause between attempts.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// After a send in doubt: long enough for the first copy to arrive.
const DOUBT_PAUSE: Duration = Duration::from_secs(5);
/// A refusal may be a setting that a person is about to mend.
const REFUSED_PAUSE: Duration = Duration::from_mins(1);
/// A delivery is given up after so long; one that is refused all the time sooner.
const GIVE_UP_MS: Millis = 24 * 3_600_000;
const GIVE_UP_REFUSED_MS: Millis = 3_600_000;

/// Between tries to record an end: first, longest, and for how long a drain may have to wait for it.
const RECORD: Duration = Duration::from_millis(100);
const LONGEST_RECORD: Duration = Duration::from_secs(5);
const LAST_RECORD: Duration = Duration::from_secs(15);
/// Why a channel gets a message later.
pub(super) const WAITS: &str = "waits until the channel takes messages again";

impl Sender {
    /// What was not sent goes back as it was.
    pub(super) async fn put_back<'a>(&self, channel: &Channel, unsent: impl Iterator<Item = &'a ClaimedDelivery>, error: &str) {
        let back = Settlement::Retry { due_at: self.clock.now_ms(), why: Again::Unsent, error: error.to_owned() };
        self.settle(channel.settings.kind(), unsent.map(|delivery| (delivery, back.clone())).collect()).await;
    }

    /// Records the ends, however long PostgreSQL is away: what is known to have arrived must not be told again. Only the end of the
    /// process leaves claims that run out and are in doubt.
    pub(super) async fn settle(&self, kind: &str, ends: Vec<(&ClaimedDelivery, Settlement)>) {
        if ends.is_empty() {
            return;
        }
        for (delivery, end) in &ends {
            let outcome = match end {
                Settlement::Sent { found: false, .. } => "sent",
                Settlement::Sent { found: true, .. } => "found",
                Settlement::Retry { why: Again::Doubtful, .. } => "doubtful",
                Settlement::Retry { why: Again::Unsent, .. } => "unsent",
                Settlement::Retry { .. } => "retry",
                Settlement::Dead { error } => {
                    tracing::error!(delivery = %delivery.id, incident = %delivery.incident, error, "a message is given up");
                    "dead"
                }
            };
            self.metrics.attempts.with_label_values(&[kind, outcome]).inc();
        }
        let rows: Vec<(Uuid, i32, Settlement)> = ends.into_iter().map(|(delivery, end)| (delivery.id, delivery.attempt, end)).collect();
        let mut stopping = None;
        if self.recorded(&rows, &mut stopping).await {
            service::crash_point!("alerter::settled");
            return;
        }
        // One of them PostgreSQL does not take. An end without record would be an attempt without end: each by itself, then without its words.
        for row in rows {
            if self.recorded(std::slice::from_ref(&row), &mut stopping).await {
                continue;
            }
            let (id, attempt, end) = row;
            if !self.recorded(&[(id, attempt, wordless(&end))], &mut stopping).await {
                tracing::error!(delivery = %id, "a delivery's end is not recorded");
            }
        }
    }

    /// Whether these ends are recorded. If not, PostgreSQL does not take them, or the alerter has stopped since `stopping` and cannot
    /// wait for it any longer.
    async fn recorded(&self, rows: &[(Uuid, i32, Settlement)], stopping: &mut Option<Instant>) -> bool {
        let mut pause = RECORD;
        loop {
            match self.store.settle_deliveries(self.owner, rows, self.clock.now_ms()).await {
                Ok(_) => return true,
                Err(error) if error.is_retryable() => tracing::warn!(%error, "a delivery's end is not recorded yet"),
                Err(error) => {
                    tracing::error!(%error, deliveries = rows.len(), "a delivery's end cannot be recorded");
                    return false;
                }
            }
            if self.ctx.shutdown().is_cancelled() && stopping.get_or_insert_with(Instant::now).elapsed() > LAST_RECORD {
                tracing::error!("a delivery's end is not recorded; the alerter stops");
                return false;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_RECORD);
        }
    }

    pub(super) fn unknown(&self, delivery: &ClaimedDelivery) -> Settlement {
        let now = self.clock.now_ms();
        if refused_for(delivery, now) > GIVE_UP_REFUSED_MS {
            return Settlement::Dead { error: "the channel no longer exists".to_owned() };
        }
        Settlement::Retry { due_at: now + 30_000, why: Again::Refused, error: "the channel is not known".to_owned() }
    }
}

/// The same end in words of ours.
fn wordless(end: &Settlement) -> Settlement {
    let error = "the words of the channel cannot be recorded".to_owned();
    match end {
        Settlement::Sent { found, .. } => Settlement::Sent { message: SentMessage::default(), found: *found },
        Settlement::Retry { due_at, why, .. } => Settlement::Retry { due_at: *due_at, why: *why, error },
        Settlement::Dead { .. } => Settlement::Dead { error },
    }
}

/// How long it is refused without a break.
fn refused_for(delivery: &ClaimedDelivery, now: Millis) -> Millis {
    delivery.refused_since.map_or(0, |since| now - since)
}

/// How an attempt that failed leaves its delivery.
pub(super) fn end(failure: &SendFailure, delivery: &ClaimedDelivery, pause: Duration, now: Millis) -> Settlement {
    let error = failure.to_string();
    let why = match failure {
        SendFailure::Retry { .. } => Again::Failed,
        SendFailure::Doubtful { .. } => Again::Doubtful,
        SendFailure::Refused { .. } => Again::Refused,
        SendFailure::Unsure => Again::Unsent,
    };
    let refused = why == Again::Refused && refused_for(delivery, now) > GIVE_UP_REFUSED_MS;
    if refused || now - delivery.created_at > GIVE_UP_MS {
        return Settlement::Dead { error };
    }
    let due_at = now + i64::try_from(pause.as_millis()).unwrap_or(i64::MAX / 2);
    Settlement::Retry { due_at, why, error }
}

/// Exponential in the channel's failures in a row, with jitter; what the channel asked for is kept.
pub(super) fn pause(failure: &SendFailure, in_a_row: u32) -> Duration {
    let first = match failure {
        SendFailure::Retry { after: Some(after), .. } => return *after + Duration::from_millis(rand::random_range(10..250)),
        SendFailure::Retry { after: None, .. } | SendFailure::Unsure => FIRST_PAUSE,
        SendFailure::Doubtful { .. } => DOUBT_PAUSE,
        SendFailure::Refused { .. } => REFUSED_PAUSE,
    };
    let doubled = first.saturating_mul(1 << in_a_row.saturating_sub(1).min(16));
    doubled.min(LONGEST_PAUSE).mul_f64(rand::random_range(0.75..1.25))
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Millis = 1_800_000_000_000;
    const MINUTE: Millis = 60_000;

    fn delivery(created_at: Millis, refused_since: Option<Millis>) -> ClaimedDelivery {
        ClaimedDelivery {
            id: Uuid::nil(),
            alert: Uuid::nil(),
            channel: Uuid::nil().into(),
            kind: "opened".to_owned(),
            sequence: 1,
            attempt: 1,
            doubtful: false,
            tells_opening: false,
            refused_since,
            created_at,
            at: created_at,
            traceparent: None,
            incident: Uuid::nil().into(),
            monitor: Uuid::nil().into(),
            workspace: Uuid::nil().into(),
            monitor_name: String::new(),
            target: String::new(),
            opened_at: created_at,
            resolved_at: None,
            cause: None,
            detail: None,
            regions: Vec::new(),
            acknowledged_by: None,
            note: None,
            sight: None,
            earlier_times: 0,
            earlier_ms: 0,
            parent_channel: None,
            parent_ts: None,
            parent_set: None,
        }
    }

    #[test]
    fn a_refusal_is_borne_for_an_hour_from_the_first_in_a_row_however_old_the_message_is() {
        let refused = SendFailure::Refused { error: "answered 404".to_owned() };
        let why = |created_at, since| match end(&refused, &delivery(created_at, since), FIRST_PAUSE, T) {
            Settlement::Retry { why, .. } => Some(why),
            _ => None,
        };
        assert_eq!(why(T - 61 * MINUTE, None), Some(Again::Refused), "503 for an hour, then one 404");
        assert_eq!(why(T - 61 * MINUTE, Some(T - 59 * MINUTE)), Some(Again::Refused));
        assert_eq!(why(T - 61 * MINUTE, Some(T - 61 * MINUTE)), None);
        assert_eq!(why(T - 25 * 60 * MINUTE, None), None, "a day is the limit of everything");
    }

    #[test]
    fn pauses_grow_to_a_limit_and_keep_what_was_asked() {
        let retry = SendFailure::Retry { after: None, error: String::new() };
        assert!(pause(&retry, 1) < Duration::from_millis(1300));
        assert!(pause(&retry, 4) > Duration::from_secs(5));
        assert!(pause(&retry, 40) <= LONGEST_PAUSE.mul_f64(1.25));
        let asked = SendFailure::Retry { after: Some(Duration::from_secs(30)), error: String::new() };
        assert!(pause(&asked, 9) >= Duration::from_secs(30) && pause(&asked, 9) < Duration::from_secs(31));
    }
}
