//! What this pinger says of itself: to the log, where the alerter makes one notice per region of it, and
//! to Redis, where the gateway reads it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use cache::Cache;
use kafka::{Producer, Record};
use model::sight::{ProberStatus, SightState};
use model::{Clock, Region};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::sight::{Blind, Sight};

/// Said again this often.
const PERIOD: Duration = Duration::from_secs(10);
/// Redis forgets a pinger that fell silent.
const KEPT: Duration = Duration::from_secs(45);
/// Changes that wait for Kafka; of more, the oldest are given up.
const MOST_WAITING: usize = 64;
/// Between attempts.
const PAUSE: Duration = Duration::from_secs(1);
/// The last word.
const FAREWELL: Duration = Duration::from_secs(2);

pub struct Announcer {
    pub producer: Producer,
    pub topic: Arc<str>,
    pub cache: Cache,
    pub region: Region,
    pub pinger: String,
    pub sight: Sight,
    pub metrics: Metrics,
    pub clock: Arc<dyn Clock>,
}

impl Announcer {
    /// Says what changes at once and how things are from time to time, until `stop`; then farewell.
    pub async fn run(self, stop: CancellationToken) {
        let mut blindness = self.sight.blindness();
        let mut tick = interval(PERIOD);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seeing_since = self.clock.now_ms();
        let mut waiting: VecDeque<ProberStatus> = VecDeque::new();
        loop {
            let changed = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                changed = blindness.changed() => changed.is_ok(),
                _ = tick.tick() => false,
                sent = self.send(waiting.front()), if !waiting.is_empty() => {
                    if sent {
                        waiting.pop_front();
                    } else {
                        tokio::time::sleep(PAUSE).await;
                    }
                    continue;
                }
            };
            let blind = *blindness.borrow_and_update();
            if changed && blind.is_none() {
                seeing_since = self.clock.now_ms();
            }
            let status = self.status(blind, seeing_since);
            self.show(&status).await;
            if changed || waiting.is_empty() {
                if waiting.len() >= MOST_WAITING {
                    waiting.pop_front();
                }
                waiting.push_back(status);
            }
        }
        let now = self.clock.now_ms();
        let farewell = ProberStatus { state: SightState::Left, since: now, reason: None, ..self.status(None, now) };
        waiting.push_back(farewell);
        // In order, or a change would come after the farewell; what Kafka does not take now is lost with us.
        let _ = timeout(FAREWELL, async {
            for status in &waiting {
                if !self.send(Some(status)).await {
                    break;
                }
            }
            let _ = self.cache.forget_prober(&self.region, &self.pinger).await;
        })
        .await;
    }

    fn status(&self, blind: Option<Blind>, seeing_since: model::Millis) -> ProberStatus {
        let figure = |gauge: &prometheus::IntGauge| u64::try_from(gauge.get()).unwrap_or(0);
        ProberStatus {
            region: self.region.clone(),
            pinger: self.pinger.clone(),
            at: self.clock.now_ms(),
            state: if blind.is_some() { SightState::Blind } else { SightState::Sees },
            since: blind.map_or(seeing_since, |blind| blind.since),
            reason: blind.map(|blind| blind.reason),
            slots_unknown: self.sight.slots_unknown(),
            shards: u32::try_from(self.metrics.shards.get()).unwrap_or(0),
            spool_records: figure(&self.metrics.spool_records),
            spool_bytes: figure(&self.metrics.spool_bytes),
        }
    }

    /// Redis may be away; the gateway then says that it does not know.
    async fn show(&self, status: &ProberStatus) {
        if let Err(error) = self.cache.put_prober(status, KEPT).await {
            tracing::debug!(%error, "Redis does not take this pinger's status");
        }
    }

    async fn send(&self, status: Option<&ProberStatus>) -> bool {
        let Some(status) = status else { return true };
        let value = match events::encode_prober(status) {
            Ok(value) => value,
            Err(error) => {
                tracing::error!(%error, "a status cannot be encoded");
                return true;
            }
        };
        let record = Record::new(Arc::clone(&self.topic), status.region.as_str().as_bytes().to_vec(), value);
        match self.producer.send(record) {
            Ok(ack) => ack.await.is_ok(),
            Err(_) => false,
        }
    }
}
