//! What the alerter tells of itself.

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Cheap to clone. Labels are bounded: kinds, outcomes, channel kinds.
#[derive(Clone)]
pub struct Metrics {
    /// Results by what the fold did with them.
    pub results: IntCounterVec,
    /// Transitions by kind.
    pub transitions: IntCounterVec,
    /// From a result's check to its judgement.
    pub judged_after: Histogram,
    /// One transaction of judgement.
    pub commit: Histogram,
    /// Commits refused because another alerter took the partition.
    pub fenced: IntCounter,
    /// Monitors with a state in memory.
    pub states: IntGauge,
    /// When the newest result was judged, Unix seconds.
    pub last_judged: IntGauge,
    /// Up to when every partition is judged, whoever has it, Unix seconds.
    pub judged_through: IntGauge,
    /// Between checks of the busiest monitor judged here, seconds; 0 without any.
    pub shortest_interval: IntGauge,
    /// Blind regions, by region; only at the alerter that watches them.
    pub blind: IntGaugeVec,
    /// From a transition to its message, by channel kind.
    pub delivered_after: HistogramVec,
    /// Attempts by channel kind and outcome.
    pub attempts: IntCounterVec,
    pub deliveries_waiting: IntGauge,
    pub deliveries_dead: IntGauge,
    /// How long the oldest undelivered message waits, seconds.
    pub oldest_waiting: IntGauge,
    /// Channels known.
    pub channels: IntGauge,
}

impl Metrics {
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let seconds = |name: &str, help: &str| HistogramOpts::new(name, help);
        let delays = vec![0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0];
        let metrics = Self {
            results: IntCounterVec::new(Opts::new("upmesh_alerter_results_total", "Results by what became of them."), &["outcome"])?,
            transitions: IntCounterVec::new(Opts::new("upmesh_alerter_transitions_total", "Transitions of incidents."), &["kind"])?,
            judged_after: Histogram::with_opts(
                seconds("upmesh_alerter_judged_after_seconds", "From the start of a check to the judgement of its result.")
                    .buckets(delays.clone()),
            )?,
            commit: Histogram::with_opts(
                seconds("upmesh_alerter_commit_seconds", "One transaction of states, transitions and offsets.")
                    .buckets(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0]),
            )?,
            fenced: IntCounter::new("upmesh_alerter_fenced_total", "Partitions whose commit was refused: another alerter has them.")?,
            states: IntGauge::new("upmesh_alerter_states", "Monitors with a state in memory.")?,
            last_judged: IntGauge::new("upmesh_alerter_last_judged_timestamp_seconds", "When a result was last judged.")?,
            judged_through: IntGauge::new(
                "upmesh_alerter_judged_through_timestamp_seconds",
                "Up to when every partition is judged, whoever has it.",
            )?,
            shortest_interval: IntGauge::new(
                "upmesh_alerter_shortest_interval_seconds",
                "Between checks of the busiest monitor judged here; 0 without any.",
            )?,
            blind: IntGaugeVec::new(Opts::new("upmesh_alerter_region_blind", "1 while a prober of the region is blind."), &["region"])?,
            delivered_after: HistogramVec::new(
                seconds("upmesh_alerter_delivered_after_seconds", "From a transition to its message.").buckets(delays),
                &["channel"],
            )?,
            attempts: IntCounterVec::new(Opts::new("upmesh_alerter_attempts_total", "Attempts to deliver."), &["channel", "outcome"])?,
            deliveries_waiting: IntGauge::new("upmesh_alerter_deliveries_waiting", "Deliveries that are not there yet.")?,
            deliveries_dead: IntGauge::new("upmesh_alerter_deliveries_dead", "Deliveries given up in the last day.")?,
            oldest_waiting: IntGauge::new("upmesh_alerter_oldest_delivery_seconds", "How long the oldest undelivered message waits.")?,
            channels: IntGauge::new("upmesh_alerter_channels", "Channels known.")?,
        };
        registry.register(Box::new(metrics.results.clone()))?;
        registry.register(Box::new(metrics.transitions.clone()))?;
        registry.register(Box::new(metrics.judged_after.clone()))?;
        registry.register(Box::new(metrics.commit.clone()))?;
        registry.register(Box::new(metrics.fenced.clone()))?;
        registry.register(Box::new(metrics.states.clone()))?;
        registry.register(Box::new(metrics.last_judged.clone()))?;
        registry.register(Box::new(metrics.judged_through.clone()))?;
        registry.register(Box::new(metrics.shortest_interval.clone()))?;
        registry.register(Box::new(metrics.blind.clone()))?;
        registry.register(Box::new(metrics.delivered_after.clone()))?;
        registry.register(Box::new(metrics.attempts.clone()))?;
        registry.register(Box::new(metrics.deliveries_waiting.clone()))?;
        registry.register(Box::new(metrics.deliveries_dead.clone()))?;
        registry.register(Box::new(metrics.oldest_waiting.clone()))?;
        registry.register(Box::new(metrics.channels.clone()))?;
        Ok(metrics)
    }
}
