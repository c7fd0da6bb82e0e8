//! One channel's claimed deliveries: sent one by one or in one message, then settled.

use std::sync::Arc;
use std::time::Duration;

use directory::wire::Channel;
use model::{ChannelId, Millis};
use store::incidents::{ClaimedDelivery, Settlement};
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

use super::{Sender, in_one, pace};
use crate::channels::notice::Notice;
use crate::channels::{SendFailure, Sent, most_messages};

/// First and longest pause between attempts.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// After a send in doubt: long enough for the first copy to arrive.
const DOUBT_PAUSE: Duration = Duration::from_secs(5);
/// A refusal may be a setting that a person is about to mend.
const REFUSED_PAUSE: Duration = Duration::from_mins(1);
/// A delivery is given up after so long; a refused one sooner.
const GIVE_UP_MS: Millis = 24 * 3_600_000;
const GIVE_UP_REFUSED_MS: Millis = 3_600_000;

/// A claim's turn at its channel.
struct Turn {
    /// So many messages fit into its pace now.
    room: usize,
    /// When there is room again.
    until: Option<Instant>,
    /// The last messages were for many alerts.
    storm: bool,
}

impl Turn {
    /// Without a pace.
    fn of(room: usize) -> Self {
        Self { room, until: None, storm: false }
    }
}

/// In so many milliseconds, if that is not past.
fn after(ms: Millis) -> Option<Instant> {
    u64::try_from(ms).ok().filter(|ms| *ms > 0).map(|ms| Instant::now() + Duration::from_millis(ms))
}

impl Sender {
    /// Sends; says until when the channel should be left alone.
    pub(super) async fn deliver(&self, id: ChannelId, deliveries: Vec<ClaimedDelivery>) -> Option<Instant> {
        let Some(channel) = self.catalog.get(id) else {
            self.catalog.wake();
            let ends = deliveries.iter().map(|delivery| (delivery, self.unknown(delivery))).collect();
            self.settle("unknown", ends).await;
            return Some(Instant::now() + Duration::from_secs(5));
        };
        let known_id = self.store.known_message_channel(id).await.ok().flatten();
        let size = in_one(&channel.settings, deliveries.len());
        let turn = self.turn(&channel, deliveries.len().div_ceil(size)).await;
        let ours = turn.room.saturating_mul(size).min(deliveries.len());
        for (i, batch) in deliveries.iter().take(ours).collect::<Vec<_>>().chunks(size).enumerate() {
            if let Some(until) = self.send(&channel, known_id.clone(), batch).await {
                self.put_back(&channel, deliveries.iter().skip((i + 1) * size)).await;
                return Some(until);
            }
        }
        self.put_back(&channel, deliveries.iter().skip(ours)).await;
        if ours > 0 && (size > 1 || turn.storm) { self.told(id, size > 1).await } else { turn.until }
    }

    /// Takes room for up to `wanted` messages in the pace that all alerters keep.
    async fn turn(&self, channel: &Channel, wanted: usize) -> Turn {
        let Some((count, window)) = most_messages(&channel.settings) else { return Turn::of(wanted) };
        let taken = self.store.pace_channel(channel.id, move |known, now| {
            let room = pace::take(known, wanted, count, window, now);
            Turn { room, until: after(known.until - now), storm: known.together > 0 }
        });
        taken.await.unwrap_or_else(|error| {
            // A message is worth more than its pace, and the channel says if it is too much.
            tracing::warn!(channel = channel.name, %error, "the pace of a channel is not known");
            Turn::of(wanted)
        })
    }

    /// Notes that messages arrived; says until when the channel rests.
    async fn told(&self, channel: ChannelId, together: bool) -> Option<Instant> {
        let noted = self.store.pace_channel(channel, move |known, now| {
            pace::told(known, together, now);
            after(known.until - now)
        });
        noted.await.inspect_err(|error| tracing::warn!(%error, "a channel's rest is not recorded")).ok().flatten()
    }

    /// Nobody sends before the pause is over that the channel asked for, whichever alerter it told.
    async fn obey(&self, channel: ChannelId, pause: Duration) {
        let pause = Millis::try_from(pause.as_millis()).unwrap_or(Millis::MAX);
        let noted = self.store.pace_channel(channel, move |known, now| pace::rest(known, now.saturating_add(pause))).await;
        if let Err(error) = noted {
            tracing::warn!(%error, "the pause that a channel asked for is not recorded; other alerters may not keep it");
        }
    }

    /// What the channel takes later, by its pace or because it failed, goes back unsent.
    async fn put_back<'a>(&self, channel: &Channel, unsent: impl Iterator<Item = &'a ClaimedDelivery>) {
        let due_at = self.clock.now_ms();
        let back = Settlement::Retry { due_at, doubtful: false, error: "waits until the channel takes messages again".to_owned() };
        self.settle(channel.settings.kind(), unsent.map(|delivery| (delivery, back.clone())).collect()).await;
    }

    async fn send(&self, channel: &Arc<Channel>, known_id: Option<String>, batch: &[&ClaimedDelivery]) -> Option<Instant> {
        let notices: Vec<Notice> = batch.iter().map(|delivery| Notice::of(delivery)).collect();
        let kind = channel.settings.kind();
        let span = tracing::info_span!("deliver", channel = kind, deliveries = batch.len());
        if let [ClaimedDelivery { traceparent: Some(parent), .. }] = batch {
            kafka::set_parent(&span, parent);
        }
        match self.channels.send(channel, &notices, known_id).instrument(span).await {
            Ok(sent) => {
                service::crash_point!("alerter::sent");
                let now = self.clock.now_ms();
                for delivery in batch {
                    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a delay are far below 2^52")]
                    self.metrics.delivered_after.with_label_values(&[kind]).observe((now - delivery.at).max(0) as f64 / 1000.0);
                }
                let ends = batch
                    .iter()
                    .zip(sent)
                    .map(|(delivery, Sent { message, found })| (*delivery, Settlement::Sent { message, found }))
                    .collect();
                self.failures.worked(channel.id);
                self.settle(kind, ends).await;
                None
            }
            Err(failure) => {
                service::crash_point!("alerter::not_sent");
                tracing::warn!(channel = channel.name, kind, deliveries = batch.len(), error = %failure, "a message was not delivered");
                let now = self.clock.now_ms();
                let pause = pause(&failure, self.failures.failed(channel.id));
                if matches!(failure, SendFailure::Retry { after: Some(_), .. }) {
                    self.obey(channel.id, pause).await;
                }
                let ends = batch.iter().map(|delivery| (*delivery, end(&failure, delivery, pause, now))).collect();
                self.settle(kind, ends).await;
                Some(Instant::now() + pause)
            }
        }
    }

    /// Records the ends; if PostgreSQL does not take them, the claims expire and are in doubt.
    async fn settle(&self, kind: &str, ends: Vec<(&ClaimedDelivery, Settlement)>) {
        if ends.is_empty() {
            return;
        }
        for (delivery, end) in &ends {
            let outcome = match end {
                Settlement::Sent { found: false, .. } => "sent",
                Settlement::Sent { found: true, .. } => "found",
                Settlement::Retry { doubtful: true, .. } => "doubtful",
                Settlement::Retry { .. } => "retry",
                Settlement::Dead { error } => {
                    tracing::error!(delivery = %delivery.id, incident = %delivery.incident, error, "a message is given up");
                    "dead"
                }
            };
            self.metrics.attempts.with_label_values(&[kind, outcome]).inc();
        }
        let rows: Vec<(Uuid, i32, Settlement)> = ends.into_iter().map(|(delivery, end)| (delivery.id, delivery.attempt, end)).collect();
        let mut pause = Duration::from_millis(100);
        for _ in 0..8 {
            match self.store.settle_deliveries(self.owner, &rows, self.clock.now_ms()).await {
                Ok(_) => {
                    service::crash_point!("alerter::settled");
                    return;
                }
                Err(error) if error.is_retryable() => tracing::warn!(%error, "a delivery's end is not recorded yet"),
                Err(error) => {
                    tracing::error!(%error, "a delivery's end cannot be recorded");
                    return;
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    fn unknown(&self, delivery: &ClaimedDelivery) -> Settlement {
        let now = self.clock.now_ms();
        if now - delivery.created_at > GIVE_UP_REFUSED_MS {
            return Settlement::Dead { error: "the channel no longer exists".to_owned() };
        }
        Settlement::Retry { due_at: now + 30_000, doubtful: false, error: "the channel is not known".to_owned() }
    }
}

/// How an attempt that failed leaves its delivery.
fn end(failure: &SendFailure, delivery: &ClaimedDelivery, pause: Duration, now: Millis) -> Settlement {
    let age = now - delivery.created_at;
    let error = failure.to_string();
    let refused = matches!(failure, SendFailure::Refused { .. });
    if age > if refused { GIVE_UP_REFUSED_MS } else { GIVE_UP_MS } {
        return Settlement::Dead { error };
    }
    let due_at = now + i64::try_from(pause.as_millis()).unwrap_or(i64::MAX / 2);
    Settlement::Retry { due_at, doubtful: matches!(failure, SendFailure::Doubtful { .. }), error }
}

/// Exponential in the channel's failures in a row, with jitter; what the channel asked for is kept.
fn pause(failure: &SendFailure, in_a_row: u32) -> Duration {
    let first = match failure {
        SendFailure::Retry { after: Some(after), .. } => return *after + Duration::from_millis(rand::random_range(10..250)),
        SendFailure::Retry { after: None, .. } => FIRST_PAUSE,
        SendFailure::Doubtful { .. } => DOUBT_PAUSE,
        SendFailure::Refused { .. } => REFUSED_PAUSE,
    };
    let doubled = first.saturating_mul(1 << in_a_row.saturating_sub(1).min(16));
    doubled.min(LONGEST_PAUSE).mul_f64(rand::random_range(0.75..1.25))
}

#[cfg(test)]
mod tests {
    use super::*;

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
