//! librdkafka's callbacks. They run on the polling thread (inside `poll`) and only take notes:
//! the thread carries a rebalance out once the service has answered.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError as NativeError;
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

use super::Partition;
use super::inbox::Inbox;
use crate::heard::Heard;
use crate::metrics::KafkaMetrics;

/// A rebalance as librdkafka announced it, to be carried out with exactly this list.
pub(super) struct Announced {
    pub assign: bool,
    pub lost: bool,
    pub list: TopicPartitionList,
}

pub(super) struct GroupContext {
    announced: Mutex<Vec<Announced>>,
    inbox: Arc<Inbox>,
    group: String,
    metrics: Option<KafkaMetrics>,
    heard: Heard,
}

impl GroupContext {
    pub fn new(inbox: Arc<Inbox>, group: &str, metrics: Option<KafkaMetrics>) -> Self {
        Self { announced: Mutex::default(), inbox, group: group.to_owned(), metrics, heard: Heard::default() }
    }

    pub fn take_announced(&self) -> Vec<Announced> {
        std::mem::take(&mut *self.announced.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn count(&self, change: &str, partitions: &[Partition]) {
        if let Some(metrics) = &self.metrics {
            metrics.rebalances.with_label_values(&[&self.group, change]).inc_by(partitions.len() as u64);
            if change == "revoked" {
                metrics.forget_lag(&self.group, partitions);
            }
        }
    }
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        crate::error::log(level, facility, message);
    }

    fn error(&self, error: NativeError, reason: &str) {
        self.heard.note(&error, reason);
        tracing::debug!(group = self.group, %error, reason, "Kafka client error");
    }

    fn stats(&self, statistics: Statistics) {
        let mut state = self.inbox.lock();
        for (topic, found) in &statistics.topics {
            for (number, partition) in &found.partitions {
                let key = (topic.as_str().into(), *number);
                if *number < 0 || partition.hi_offset < 0 || !state.owned.contains(&key) {
                    continue;
                }
                let known = [partition.app_offset, partition.committed_offset, partition.lo_offset];
                let position = known.into_iter().find(|offset| *offset >= 0).unwrap_or(0);
                state.ends.insert(key, (position, partition.hi_offset));
            }
        }
        if let Some(metrics) = &self.metrics {
            for ((topic, partition), lag) in state.lags() {
                metrics.lag.with_label_values(&[self.group.as_str(), &*topic, partition.to_string().as_str()]).set(lag);
            }
        }
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, kind: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assign = kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.inbox.is_closed() {
            // Nobody is left to ask, and closing waits for this.
            let done = if assign { consumer.incremental_assign(list) } else { consumer.incremental_unassign(list) };
            if let Err(error) = done {
                tracing::debug!(group = self.group, %error, "rebalance while closing");
            }
            return;
        }
        let announced = Announced { assign, lost: !assign && consumer.assignment_lost(), list: list.clone() };
        self.announced.lock().unwrap_or_else(PoisonError::into_inner).push(announced);
    }
}
