//! The producer: records are queued at once, and each has an ack that can be awaited or dropped.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rdkafka::error::{KafkaError as Native, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};

use crate::config::KafkaConfig;
use crate::error::KafkaError;
use crate::heard::Heard;
use crate::record::Record;

/// Idempotent, acks=all. Cheap to clone; all clones share one client.
///
/// Dropping an [`Ack`] does not cancel the record. A record whose ack failed may still be in the log
/// (its answer was lost), so whoever sends it again relies on consumers being idempotent.
#[derive(Clone)]
pub struct Producer(Arc<Inner>);

type Client = FutureProducer<Heard>;

struct Inner {
    config: rdkafka::ClientConfig,
    client: Mutex<Client>,
    heard: Heard,
    /// Set by an ack that failed fatally; the next send makes the client anew.
    broken: AtomicBool,
}

/// Why a record was not even queued.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The bounded queue is full; the record comes back.
    #[error("the producer's queue is full")]
    QueueFull(Box<Record>),
    #[error(transparent)]
    Kafka(#[from] KafkaError),
}

impl Producer {
    pub fn new(config: &KafkaConfig) -> Result<Self, KafkaError> {
        let config = config.producer();
        let heard = Heard::default();
        let client = config.create_with_context(heard.clone())?;
        Ok(Self(Arc::new(Inner { config, client: Mutex::new(client), heard, broken: AtomicBool::new(false) })))
    }

    /// Queues the record at once and never waits; the returned future resolves when the brokers have it.
    pub fn send(&self, record: Record) -> Result<Ack, SendError> {
        let client = self.client()?;
        let mut native = FutureRecord::<[u8], [u8]>::to(&record.topic).key(&record.key).payload(&record.value);
        if !record.headers.is_empty() {
            let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
            for (key, value) in &record.headers {
                headers = headers.insert(Header { key, value: Some(value.as_ref()) });
            }
            native = native.headers(headers);
        }
        if let Some(timestamp) = record.timestamp_ms {
            native = native.timestamp(timestamp);
        }
        match client.send_result(native) {
            Ok(delivery) => Ok(Ack { delivery, producer: Arc::clone(&self.0) }),
            Err((Native::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => Err(SendError::QueueFull(Box::new(record))),
            Err((error, _)) => {
                self.0.judge(&error, &client);
                Err(KafkaError::from(error).into())
            }
        }
    }

    /// Waits until everything queued is acknowledged or has failed.
    pub async fn flush(&self, deadline: Duration) -> Result<(), KafkaError> {
        let client = self.client()?;
        tokio::task::spawn_blocking(move || client.flush(deadline))
            .await
            .map_err(|_| KafkaError::Closed)?
            .map_err(|_| KafkaError::Timeout(deadline))
    }

    /// Records queued and not yet acknowledged.
    pub fn in_flight(&self) -> usize {
        let client = self.0.client.lock().unwrap_or_else(PoisonError::into_inner);
        usize::try_from(client.in_flight_count()).unwrap_or(0)
    }

    fn client(&self) -> Result<Client, KafkaError> {
        let mut client = self.0.client.lock().unwrap_or_else(PoisonError::into_inner);
        if self.0.broken.swap(false, Ordering::AcqRel) {
            tracing::error!("the Kafka producer failed for good and is made anew");
            *client = self.0.config.create_with_context(self.0.heard.clone())?;
        }
        Ok(client.clone())
    }
}

impl Inner {
    fn judge(&self, error: &Native, client: &Client) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) || client.client().fatal_error().is_some() {
            self.broken.store(true, Ordering::Release);
        }
    }
}

/// Resolves to (partition, offset) once all in-sync replicas have the record.
#[must_use = "a record is only safe once its ack resolved"]
pub struct Ack {
    delivery: DeliveryFuture,
    producer: Arc<Inner>,
}

impl Future for Ack {
    type Output = Result<(i32, i64), KafkaError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.delivery).poll(context).map(|delivered| match delivered {
            Ok(Ok(delivery)) => Ok((delivery.partition, delivery.offset)),
            Ok(Err((error, _))) => {
                let client = self.producer.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
                self.producer.judge(&error, &client);
                Err(self.producer.heard.explain(error.into()))
            }
            Err(_) => Err(KafkaError::Closed),
        })
    }
}
