//! Alerts to the topic `incident-events`: at least once, under deterministic ids.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use events::headers;
use kafka::{Producer, Record};
use model::Clock;
use store::Store;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A claim another publisher may take over after.
const LEASE: Duration = Duration::from_mins(1);
/// Looks this often even without being told.
const LOOK: Duration = Duration::from_secs(5);
const BATCH: i64 = 200;

/// Publishes what commits, until shutdown.
pub async fn publish(
    store: Store,
    producer: Producer,
    topic: String,
    clock: Arc<dyn Clock>,
    decided: Arc<Notify>,
    shutdown: CancellationToken,
) {
    let topic: Arc<str> = topic.into();
    loop {
        let told = decided.notified();
        tokio::pin!(told);
        told.as_mut().enable();
        let more = match round(&store, &producer, &topic, clock.as_ref()).await {
            Ok(published) => published == BATCH,
            Err(error) => {
                tracing::warn!(error, "incident events wait");
                false
            }
        };
        if more {
            continue;
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = told => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn round(store: &Store, producer: &Producer, topic: &Arc<str>, clock: &dyn Clock) -> Result<i64, String> {
    let claimed = store.claim_unpublished(BATCH, LEASE).await.map_err(|error| error.to_string())?;
    if !claimed.is_empty() {
        service::crash_point!("alerter::events_claimed");
    }
    let mut acks = Vec::with_capacity(claimed.len());
    for alert in &claimed {
        let mut record = Record::new(Arc::clone(topic), alert.record_key.clone(), alert.record.clone());
        if let Some(traceparent) = &alert.traceparent {
            record.headers.push((headers::TRACEPARENT, Bytes::from(traceparent.clone())));
        }
        acks.push((alert.id, producer.send(record).map_err(|error| error.to_string())?));
    }
    let mut published = Vec::with_capacity(acks.len());
    let mut failed = None;
    for (id, ack) in acks {
        match ack.await {
            Ok(_) => published.push(id),
            Err(error) => failed = Some(error.to_string()),
        }
    }
    if !published.is_empty() {
        service::crash_point!("alerter::events_acked");
        store.mark_published(&published, clock.now_ms()).await.map_err(|error| error.to_string())?;
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(i64::try_from(claimed.len()).unwrap_or(BATCH)),
    }
}
