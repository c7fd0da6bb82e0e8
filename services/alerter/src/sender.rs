//! Deliveries: claimed, sent, settled. Several alerters may do so at once; a claim expires, and what a
//! dead sender held is in doubt.

mod attempt;
mod ends;
mod failures;
mod pace;
#[cfg(test)]
mod tests;
mod under_way;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use model::{ChannelId, Clock};
use service::Context;
use store::incidents::{ClaimedDelivery, Steady};
use store::{Store, StoreError};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::channels::{ATTEMPT, Channels, most_in_one};
use crate::metrics::Metrics;
use crate::shared_clock::SharedClock;
pub use failures::Failures;
use under_way::{Kept, UnderWay};

/// Claimed at once: a storm should fit into a few messages.
const CLAIM: i64 = 500;
/// A claim lasts so long unless it is renewed: what a dead sender held goes on after it.
const LEASE: Duration = Duration::from_secs(15);
const RENEW: Duration = Duration::from_secs(3);
/// A request begins only so soon after PostgreSQL said that its deliveries are ours: then it ends before another may claim them.
const SURE: Duration = LEASE.saturating_sub(ATTEMPT);
/// What a panic left is somebody's again once its claim has run out.
const PANICKED: Duration = LEASE;
/// Looks this often even without being told: other alerters' deliveries fall due too.
const LOOK: Duration = Duration::from_secs(2);
/// What is due and another sender was quicker to lock is asked for again after so long.
const AGAIN: Duration = Duration::from_millis(500);
/// How often the backlog is measured.
const MEASURE: Duration = Duration::from_secs(10);
/// More waiting for one channel than this are told in one message.
const GROUP_ABOVE: usize = 5;

/// Sends what commits.
#[derive(Clone)]
pub struct Sender {
    pub ctx: Context,
    pub store: Store,
    pub catalog: Catalog,
    pub channels: Channels,
    pub metrics: Metrics,
    pub clock: Arc<SharedClock>,
    pub decided: Arc<Notify>,
    pub owner: Uuid,
    pub failures: Failures,
}

/// A channel is free again, not before `until`.
struct Free {
    channel: ChannelId,
    until: Option<Instant>,
}

impl Sender {
    /// Sends until shutdown; attempts under way are finished.
    pub async fn run(self) {
        let shutdown = self.ctx.shutdown().clone();
        let under_way = UnderWay::new(self.clock.own());
        let mut steady = Steady::default();
        self.ctx.spawn("leases", self.clone().renew(under_way.clone()));
        let (done, mut free) = mpsc::channel::<Free>(64);
        let mut busy: HashMap<ChannelId, Option<Instant>> = HashMap::new();
        let mut measured = Instant::now();
        // Ends only here: a claim that is cut off would leave its deliveries in doubt.
        while !shutdown.is_cancelled() {
            let told = self.decided.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            let now = Instant::now();
            busy.retain(|_, until| until.is_none_or(|until| until > now));
            let taken: Vec<ChannelId> = busy.keys().copied().collect();
            let asked = under_way.now();
            let claimed = match self.store.claim_deliveries(self.owner, &taken, CLAIM, LEASE, self.clock.now_ms(), &mut steady).await {
                Ok(claimed) => {
                    if let Some(theirs) = steady.heard() {
                        self.clock.heard(theirs);
                    }
                    claimed
                }
                Err(error) => {
                    tracing::warn!(%error, "deliveries wait");
                    Vec::new()
                }
            };
            let idle = claimed.is_empty();
            if !idle {
                service::crash_point!("alerter::claimed");
            }
            for (channel, deliveries) in by_channel(claimed) {
                busy.insert(channel, None);
                let (sender, done) = (self.clone(), done.clone());
                let kept = under_way.begin(&deliveries, asked);
                self.ctx.job("delivery", async move {
                    let delivered = AssertUnwindSafe(sender.deliver(channel, deliveries, &kept)).catch_unwind().await;
                    drop(kept);
                    let until = delivered.unwrap_or_else(|_| {
                        tracing::error!(%channel, "a delivery panicked; the channel rests, then it is tried again");
                        Some(Instant::now() + PANICKED)
                    });
                    // Closed only when the loop ended.
                    let _ = done.send(Free { channel, until }).await;
                });
            }
            if measured.elapsed() >= MEASURE {
                measured = Instant::now();
                self.measure().await;
            }
            if !idle {
                // What this claim left behind may be sent to other channels at once.
                while let Ok(one) = free.try_recv() {
                    release(&mut busy, &one);
                }
                continue;
            }
            let wake = self.next_wake(&busy).await;
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = told => {}
                Some(one) = free.recv() => release(&mut busy, &one),
                () = tokio::time::sleep(wake) => {}
            }
        }
    }

    /// Keeps what is being sent or its end recorded: both may take longer than a lease. Goes on while the last attempts are drained.
    /// What nobody works on any more is left to run out.
    async fn renew(self, under_way: UnderWay) {
        let shutdown = self.ctx.shutdown().clone();
        loop {
            if shutdown.is_cancelled() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            } else {
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = tokio::time::sleep(RENEW) => {}
                }
            }
            let deliveries = under_way.deliveries();
            if deliveries.is_empty() {
                if shutdown.is_cancelled() {
                    return;
                }
                continue;
            }
            if let Err(error) = self.keep(&under_way, &deliveries).await {
                tracing::warn!(%error, "claims of deliveries are not renewed");
            }
        }
    }

    /// Renews our claims of these deliveries and notes which are still ours.
    async fn keep(&self, under_way: &UnderWay, deliveries: &[Uuid]) -> Result<(), StoreError> {
        let asked = under_way.now();
        let kept = self.store.renew_claims(self.owner, deliveries, LEASE).await?;
        under_way.confirm(&kept, asked);
        Ok(())
    }

    /// Whether all of these are surely ours for as long as a request may take.
    fn may_send(kept: &Kept, batch: &[&ClaimedDelivery]) -> bool {
        batch.iter().all(|delivery| kept.is_ours(delivery.id, SURE))
    }

    /// Until something falls due, at most [`LOOK`].
    async fn next_wake(&self, busy: &HashMap<ChannelId, Option<Instant>>) -> Duration {
        let now = Instant::now();
        let freed = busy.values().flatten().min().map(|until| until.saturating_duration_since(now));
        let taken: Vec<ChannelId> = busy.keys().copied().collect();
        let due = self.store.next_delivery_due(&taken, self.clock.now_ms()).await.ok().flatten();
        // Due and not given to us: another sender has it in hand, which no hurry of ours moves.
        let due = due.map(|wait| u64::try_from(wait).ok().filter(|ms| *ms > 0).map_or(AGAIN, Duration::from_millis));
        let wake = [freed, due].into_iter().flatten().min().unwrap_or(LOOK);
        wake.clamp(Duration::from_millis(5), LOOK)
    }

    async fn measure(&self) {
        if let Ok(backlog) = self.store.delivery_backlog(self.clock.now_ms()).await {
            self.metrics.deliveries_waiting.set(backlog.waiting);
            self.metrics.deliveries_dead.set(backlog.dead);
            self.metrics.oldest_waiting.set(backlog.oldest.map_or(0, |at| (self.clock.now_ms() - at).max(0) / 1000));
        }
    }
}

fn release(busy: &mut HashMap<ChannelId, Option<Instant>>, free: &Free) {
    match free.until {
        Some(until) if until > Instant::now() => busy.insert(free.channel, Some(until)),
        _ => busy.remove(&free.channel),
    };
}

fn by_channel(claimed: Vec<ClaimedDelivery>) -> HashMap<ChannelId, Vec<ClaimedDelivery>> {
    let mut channels: HashMap<ChannelId, Vec<ClaimedDelivery>> = HashMap::new();
    for delivery in claimed {
        channels.entry(delivery.channel).or_default().push(delivery);
    }
    channels
}

/// How many of so many the next message tells.
fn in_one(settings: &directory::wire::ChannelSettings, count: usize) -> usize {
    if count > GROUP_ABOVE { most_in_one(settings).min(count) } else { 1 }
}
