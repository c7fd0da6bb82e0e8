//! What the pinger tells about itself.

use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, register_gauge_with_registry,
    register_histogram_with_registry, register_int_counter_vec_with_registry, register_int_counter_with_registry,
    register_int_gauge_vec_with_registry, register_int_gauge_with_registry,
};

/// Cheap to clone: every metric is shared.
#[derive(Clone)]
pub struct Metrics {
    /// From the slot's instant to its check's start.
    pub lateness: Histogram,
    pub due: IntCounter,
    /// By outcome.
    pub run: IntCounterVec,
    /// By reason.
    pub missed: IntCounterVec,
    pub confirmed: IntCounter,
    pub in_flight: IntGauge,
    pub waiting: IntGauge,
    pub monitors: IntGauge,
    pub shards: IntGauge,
    /// From the result to Kafka's acknowledgement.
    pub ack_delay: Histogram,
    /// By result: `acked`, `failed`.
    pub acks: IntCounterVec,
    pub unacked: IntGauge,
    pub spool_bytes: IntGauge,
    pub spool_records: IntGauge,
    pub spool_evicted: IntCounter,
    pub spool_corrupt: IntCounter,
    pub clock_steps: IntCounter,
    pub clock_skew: Gauge,
    pub blind: IntGauge,
    pub canaries_distrusted: IntGauge,
    /// 1 for the region of this pinger: whoever watches learns that a region has none left.
    pub region: IntGaugeVec,
}

impl Metrics {
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| register_int_counter_with_registry!(Opts::new(name, help), registry);
        let counters =
            |name: &str, help: &str, label: &str| register_int_counter_vec_with_registry!(Opts::new(name, help), &[label], registry);
        let gauge = |name: &str, help: &str| register_int_gauge_with_registry!(Opts::new(name, help), registry);
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            register_histogram_with_registry!(HistogramOpts::new(name, help).buckets(buckets.to_vec()), registry)
        };
        Ok(Self {
            lateness: histogram(
                "upmesh_pinger_slot_lateness_seconds",
                "From a slot's instant to the start of its check.",
                &[0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0],
            )?,
            due: counter("upmesh_pinger_slots_due_total", "Slots that came due on the shards held.")?,
            run: counters("upmesh_pinger_slots_run_total", "Checks run, by outcome.", "outcome")?,
            missed: counters("upmesh_pinger_slots_missed_total", "Slots recorded as missed, by reason.", "reason")?,
            confirmed: counter("upmesh_pinger_second_attempts_total", "Checks that needed a second attempt.")?,
            in_flight: gauge("upmesh_pinger_checks_in_flight", "Checks under way.")?,
            waiting: gauge("upmesh_pinger_checks_waiting", "Slots waiting for room to run.")?,
            monitors: gauge("upmesh_pinger_monitors", "Active monitors of this region.")?,
            shards: gauge("upmesh_pinger_shards_held", "Shards this pinger checks.")?,
            ack_delay: histogram(
                "upmesh_pinger_ack_delay_seconds",
                "From a result to Kafka's acknowledgement.",
                &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0],
            )?,
            acks: counters("upmesh_pinger_acks_total", "Results acknowledged by Kafka, or not.", "result")?,
            unacked: gauge("upmesh_pinger_results_unacknowledged", "Results handed to Kafka and not yet acknowledged.")?,
            spool_bytes: gauge("upmesh_pinger_spool_bytes", "Bytes waiting on disk for Kafka.")?,
            spool_records: gauge("upmesh_pinger_spool_records", "Results waiting on disk for Kafka.")?,
            spool_evicted: counter("upmesh_pinger_spool_evicted_total", "Results given up from a full spool.")?,
            spool_corrupt: counter("upmesh_pinger_spool_corrupt_total", "Records of the spool that could not be read back.")?,
            clock_steps: counter("upmesh_pinger_clock_steps_total", "Steps of the wall clock that were followed.")?,
            clock_skew: register_gauge_with_registry!(
                Opts::new("upmesh_pinger_clock_skew_seconds", "How far this machine's clock is ahead of Redis'."),
                registry
            )?,
            blind: gauge("upmesh_pinger_blind", "1 while this pinger sees nothing and its failures are unknown.")?,
            canaries_distrusted: gauge(
                "upmesh_pinger_canaries_distrusted",
                "Canaries that stay silent though targets answer; their silence counts no longer.",
            )?,
            region: register_int_gauge_vec_with_registry!(
                Opts::new("upmesh_pinger_region_info", "The region of this pinger; always 1."),
                &["region"],
                registry
            )?,
        })
    }
}
