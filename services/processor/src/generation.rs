//! One worker after the other: each folds for one generation of history, until a replay swaps another in.

use std::sync::Arc;
use std::time::Duration;

use cache::Cache;
use kafka::{DeadLetters, GroupConsumer, KafkaMetrics, Producer};
use model::Clock;
use service::{Context, Error};
use store::Store;

use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::worker::{End, Worker};

/// How long PostgreSQL may take to say which history stands, before Redis is asked.
const ASK: Duration = Duration::from_secs(3);

/// What every worker is made of.
pub(crate) struct Parts {
    pub ctx: Context,
    pub settings: Settings,
    pub clock: Arc<dyn Clock>,
    pub store: Store,
    pub cache: Cache,
    pub metrics: Metrics,
    pub kafka_metrics: KafkaMetrics,
}

impl Parts {
    pub async fn run(self) -> Result<(), Error> {
        while let Some(generation) = self.generation().await {
            let worker = self.worker(generation.into())?;
            if worker.run().await? == End::Shutdown {
                break;
            }
        }
        Ok(())
    }

    fn worker(&self, generation: Arc<str>) -> Result<Worker, Error> {
        let topics = events::Topics::new(&self.settings.topic_prefix);
        let group = self.settings.group();
        let consumer = GroupConsumer::with_metrics(&self.settings.kafka, &group, &[&topics.results], Some(&self.kafka_metrics))?;
        let producer = Producer::new(&self.settings.kafka)?;
        let letters = DeadLetters::new(producer, "processor", Some(self.kafka_metrics.clone()));
        let (settings, clock) = (self.settings.clone(), Arc::clone(&self.clock));
        let (store, metrics) = (self.store.clone(), self.metrics.clone());
        Ok(Worker::new(&self.ctx, generation, settings, clock, store, &self.cache, consumer, letters, metrics))
    }

    /// The generation that stands, by PostgreSQL, or while that is away by Redis, which follows it; `None`
    /// at shutdown. A wrong one costs work, never truth: its flushes are refused.
    async fn generation(&self) -> Option<String> {
        while !self.ctx.shutdown().is_cancelled() {
            if let Ok(Ok(stands)) = tokio::time::timeout(ASK, self.store.history_generation()).await {
                return Some(stands);
            }
            if let Ok(shown) = self.cache.live_generation().await {
                return Some(shown);
            }
            tracing::warn!("neither PostgreSQL nor Redis tells which history stands; trying again");
            tokio::select! {
                () = self.ctx.shutdown().cancelled() => {}
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
        None
    }
}
