//! Prometheus metrics of the clients.

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use crate::group::Partition;

/// Metrics shared by the consumers of one service. Labels: group, topic, partition (all bounded).
#[derive(Clone)]
pub struct KafkaMetrics {
    pub(crate) lag: IntGaugeVec,
    pub(crate) batch: HistogramVec,
    pub(crate) rebalances: IntCounterVec,
    pub(crate) dead_letters: IntCounterVec,
}

impl KafkaMetrics {
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let lag = IntGaugeVec::new(
            Opts::new("upmesh_kafka_consumer_lag_records", "Records in the log after the last one handed to the service."),
            &["group", "topic", "partition"],
        )?;
        let batch = HistogramVec::new(
            HistogramOpts::new("upmesh_kafka_batch_records", "Records per consumed batch.")
                .buckets(vec![1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0]),
            &["group"],
        )?;
        let rebalances = IntCounterVec::new(
            Opts::new("upmesh_kafka_rebalances_total", "Partitions assigned to or revoked from this member."),
            &["group", "change"],
        )?;
        let dead_letters = IntCounterVec::new(
            Opts::new("upmesh_kafka_dead_letters_total", "Records that could not be read and were set aside."),
            &["consumer"],
        )?;
        registry.register(Box::new(lag.clone()))?;
        registry.register(Box::new(batch.clone()))?;
        registry.register(Box::new(rebalances.clone()))?;
        registry.register(Box::new(dead_letters.clone()))?;
        Ok(Self { lag, batch, rebalances, dead_letters })
    }

    /// These partitions are no longer read here.
    pub(crate) fn forget_lag(&self, group: &str, partitions: &[Partition]) {
        for (topic, partition) in partitions {
            // Absent if no lag was known yet.
            let _ = self.lag.remove_label_values(&[group, &**topic, partition.to_string().as_str()]);
        }
    }
}
