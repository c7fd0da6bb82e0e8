//! Carries committed changes from the outbox to Kafka: at least once, each key in its order, any number of relays at once.

use std::sync::Arc;
use std::time::Duration;

use kafka::{Producer, Record};
use prometheus::{IntCounter, IntGauge};
use service::{Context, Error};
use store::{Store, outbox};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Looks even if nobody called: another replica may have died between commit and send.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const BATCH: i64 = 500;
const ACK_DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Relay {
    store: Store,
    producer: Producer,
    topic_prefix: String,
    changed: Arc<Notify>,
    sent: IntCounter,
    waiting: IntGauge,
}

impl Relay {
    pub(crate) fn new(ctx: &Context, store: Store, producer: Producer, topic_prefix: &str, changed: Arc<Notify>) -> Result<Self, Error> {
        let sent = IntCounter::new("users_outbox_sent_total", "Outbox records acknowledged by Kafka.")?;
        let waiting = IntGauge::new("users_outbox_waiting", "Outbox records not yet on the log.")?;
        ctx.metrics().register(Box::new(sent.clone()))?;
        ctx.metrics().register(Box::new(waiting.clone()))?;
        Ok(Self { store, producer, topic_prefix: topic_prefix.to_owned(), changed, sent, waiting })
    }

    pub(crate) async fn run(self, shutdown: CancellationToken) {
        loop {
            let carried = tokio::select! {
                // What was sent and not acknowledged is sent again: readers take repeats.
                () = shutdown.cancelled() => break,
                carried = self.carry() => carried,
            };
            match carried {
                Ok(true) => continue,
                Ok(false) => self.waiting.set(0),
                Err(error) => tracing::warn!(%error, "changes wait in the outbox"),
            }
            if let Ok(waiting) = outbox::waiting(&self.store).await {
                self.waiting.set(waiting);
            }
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.changed.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        // What was committed last goes out too, if Kafka is there; else another replica or the next start sends it.
        while let Ok(Ok(true)) = tokio::time::timeout(Duration::from_secs(3), self.carry()).await {}
    }

    /// Sends one batch of one lane; whether there was one.
    async fn carry(&self) -> Result<bool, Error> {
        let Some(taken) = outbox::take(&self.store, BATCH).await? else { return Ok(false) };
        service::crash_point!("users::relay_taken");
        let mut acks = Vec::with_capacity(taken.records.len());
        for record in &taken.records {
            let mut headers = Vec::new();
            if let Some(traceparent) = &record.traceparent {
                headers.push((events::headers::TRACEPARENT, traceparent.clone().into()));
            }
            let topic = format!("{}{}", self.topic_prefix, record.topic).into();
            acks.push(self.producer.send(Record { headers, ..Record::new(topic, record.key.clone(), record.value.clone()) })?);
        }
        service::crash_point!("users::relay_sent");
        tokio::time::timeout(ACK_DEADLINE, futures::future::try_join_all(acks))
            .await
            .map_err(|_| Error::msg("Kafka did not acknowledge in time"))??;
        service::crash_point!("users::relay_acked");
        self.sent.inc_by(taken.records.len() as u64);
        taken.sent().await?;
        service::crash_point!("users::relayed");
        Ok(true)
    }
}
