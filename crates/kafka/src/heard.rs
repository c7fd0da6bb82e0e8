//! What a client heard of its brokers last. Calls say only that they failed; why, librdkafka tells beside them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError as Native, RDKafkaErrorCode as Code};
use rdkafka::{ClientConfig, ClientContext};

use crate::error::KafkaError;
use crate::topics::blocking;

/// So long what was heard explains what fails, and is not told again.
const FRESH: Duration = Duration::from_secs(60);
/// More polls than a client that only asks has events waiting.
const POLLS: usize = 64;

/// Clones share what they heard.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    last: Option<Complaint>,
    told: Option<Instant>,
}

struct Complaint {
    at: Instant,
    /// TLS or credentials: it does not pass by itself.
    refused: bool,
    reason: String,
}

impl Heard {
    /// Takes note; a refusal is told to people, once a minute.
    pub fn note(&self, error: &Native, reason: &str) {
        let refused = match error.rdkafka_error_code() {
            // Follows whatever was the matter with the last broker, and does not say what.
            Some(Code::AllBrokersDown) => return,
            // The broker's own refusal of our certificate comes as a broken connection.
            code => matches!(code, Some(Code::SSL | Code::Authentication | Code::SaslAuthenticationFailed)) || reason.contains("SSL alert"),
        };
        let now = Instant::now();
        let fresh = |at: Instant| now.saturating_duration_since(at) < FRESH;
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !refused && state.last.as_ref().is_some_and(|last| last.refused && fresh(last.at)) {
            return;
        }
        state.last = Some(Complaint { at: now, refused, reason: reason.to_owned() });
        if refused && !state.told.is_some_and(fresh) {
            state.told = Some(now);
            tracing::warn!(reason, "no secured connection to Kafka: look at the KAFKA_SSL_… and KAFKA_SASL_… settings");
        }
    }

    /// The error with what was heard lately.
    pub fn explain(&self, error: KafkaError) -> KafkaError {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = state.last.as_ref().filter(|last| last.at.elapsed() < FRESH) else { return error };
        match error {
            KafkaError::Transient(_) | KafkaError::Timeout(_) if last.refused => KafkaError::Refused(last.reason.clone()),
            KafkaError::Transient(text) => KafkaError::Transient(format!("{text} ({})", last.reason)),
            error => error,
        }
    }
}

impl ClientContext for Heard {
    fn error(&self, error: Native, reason: &str) {
        self.note(&error, reason);
        tracing::debug!(%error, reason, "Kafka client error");
    }
}

impl ConsumerContext for Heard {}

/// Asks the brokers with a client of its own, on a thread that may wait.
pub(crate) async fn ask<T, F>(config: ClientConfig, question: F) -> Result<T, KafkaError>
where
    T: Send + 'static,
    F: FnOnce(&BaseConsumer<Heard>) -> Result<T, KafkaError> + Send + 'static,
{
    blocking(move || {
        let client: BaseConsumer<Heard> = config.create_with_context(Heard::default())?;
        question(&client).map_err(|error| {
            // What it heard waits among its events.
            for _ in 0..POLLS {
                drop(client.poll(Duration::ZERO));
            }
            client.context().explain(error)
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_explains_what_failed_and_a_refusal_comes_before_the_rest() {
        let heard = Heard::default();
        let failed = || KafkaError::Transient("no answer".to_owned());
        assert_eq!(heard.explain(failed()).to_string(), "Kafka: no answer");
        heard.note(&Native::Global(Code::BrokerTransportFailure), "connection refused");
        heard.note(&Native::Global(Code::AllBrokersDown), "1/1 brokers are down");
        assert_eq!(heard.explain(failed()).to_string(), "Kafka: no answer (connection refused)");
        heard.note(&Native::Global(Code::SSL), "certificate verify failed");
        heard.note(&Native::Global(Code::BrokerTransportFailure), "disconnected");
        let shown = heard.explain(KafkaError::Timeout(FRESH)).to_string();
        assert!(shown.contains("certificate verify failed") && shown.contains("KAFKA_SSL_"), "{shown}");
        assert!(matches!(heard.explain(KafkaError::Closed), KafkaError::Closed));
    }
}
