//! One channel's claimed deliveries: sent one by one or in one message, then settled.

use std::sync::Arc;
use std::time::Duration;

use directory::wire::Channel;
use model::{ChannelId, Clock as _, Millis};
use store::incidents::{ClaimedDelivery, Settlement};
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

use super::ends::{WAITS, end, pause};
use super::under_way::Kept;
use super::{Sender, in_one, pace};
use crate::channels::notice::Notice;
use crate::channels::{SendFailure, Sent, most_messages, place};

/// What another sender's claim or our own renewal has locked is asked for again after so long, so many times.
const LOCKED: Duration = Duration::from_millis(100);
const LOCKED_TIMES: u32 = 10;
/// PostgreSQL is away: it is asked again after so long.
const AWAY: Duration = Duration::from_secs(1);

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
    pub(super) async fn deliver(&self, id: ChannelId, deliveries: Vec<ClaimedDelivery>, kept: &Kept) -> Option<Instant> {
        let Some(channel) = self.catalog.get(id) else {
            self.catalog.wake();
            let ends = deliveries.iter().map(|delivery| (delivery, self.unknown(delivery))).collect();
            self.settle("unknown", ends).await;
            return Some(Instant::now() + Duration::from_secs(5));
        };
        let known_id = match place(&channel.settings) {
            Some(set) => self.store.known_message_channel(id, set).await.ok().flatten(),
            None => None,
        };
        let size = in_one(&channel.settings, deliveries.len());
        let turn = self.turn(&channel, deliveries.len().div_ceil(size)).await;
        let ours = turn.room.saturating_mul(size).min(deliveries.len());
        for (i, batch) in deliveries.iter().take(ours).collect::<Vec<_>>().chunks(size).enumerate() {
            let (batch, others) = self.still_ours(batch, kept).await;
            self.put_back(&channel, others.into_iter(), "was not sent: the claim had run out").await;
            if self.ctx.shutdown().is_cancelled() {
                let left = batch.into_iter().chain(deliveries.iter().skip((i + 1) * size));
                self.put_back(&channel, left, "was not sent: the alerter stops").await;
                return None;
            }
            if batch.is_empty() {
                continue;
            }
            if let Some(until) = self.send(&channel, known_id.clone(), &batch, kept).await {
                self.put_back(&channel, deliveries.iter().skip((i + 1) * size), WAITS).await;
                return Some(until);
            }
        }
        self.put_back(&channel, deliveries.iter().skip(ours), WAITS).await;
        if ours > 0 && (size > 1 || turn.storm) { self.told(id, size > 1).await } else { turn.until }
    }

    /// Those of a batch that are surely ours, and the others. Where PostgreSQL has not said so lately it is asked, and its answer waited
    /// for: what could not be recorded had better not be sent.
    async fn still_ours<'a>(&self, batch: &[&'a ClaimedDelivery], kept: &Kept) -> (Vec<&'a ClaimedDelivery>, Vec<&'a ClaimedDelivery>) {
        let ids: Vec<Uuid> = batch.iter().map(|delivery| delivery.id).collect();
        let mut locked = 0;
        while !Self::may_send(kept, batch) && locked < LOCKED_TIMES && !self.ctx.shutdown().is_cancelled() {
            let pause = match self.keep(kept.all(), &ids).await {
                Ok(()) => {
                    locked += 1;
                    LOCKED
                }
                Err(error) => {
                    tracing::warn!(%error, "messages wait: it is not known whether they are still ours to send");
                    AWAY
                }
            };
            if !Self::may_send(kept, batch) {
                tokio::time::sleep(pause).await;
            }
        }
        batch.iter().partition(|delivery| Self::may_send(kept, &[delivery]))
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

    async fn send(&self, channel: &Arc<Channel>, known_id: Option<String>, batch: &[&ClaimedDelivery], kept: &Kept) -> Option<Instant> {
        let notices: Vec<Notice> = batch.iter().map(|delivery| Notice::of(delivery)).collect();
        let kind = channel.settings.kind();
        let span = tracing::info_span!("deliver", channel = kind, deliveries = batch.len());
        if let [ClaimedDelivery { traceparent: Some(parent), .. }] = batch {
            kafka::set_parent(&span, parent);
        }
        let may_send = || Self::may_send(kept, batch);
        match self.channels.send(channel, &notices, known_id, &may_send).instrument(span).await {
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
            Err(SendFailure::Unsure) => {
                self.put_back(channel, batch.iter().copied(), "was not sent: the claim ran out meanwhile").await;
                Some(Instant::now())
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
}
