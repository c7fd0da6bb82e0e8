//! What the processor tells about itself.

use model::Outcome;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

#[derive(Clone)]
pub(crate) struct Metrics {
    pub results: IntCounterVec,
    pub too_old: IntCounter,
    pub delivery: Histogram,
    pub flush_seconds: Histogram,
    pub flush_blocks: Histogram,
    pub flush_failures: IntCounter,
    pub live_seconds: Histogram,
    pub live_failures: IntCounter,
    pub live_conflicts: IntCounter,
    pub live_removed: IntCounter,
    pub newest_slot_age: IntGauge,
    pub blocks: IntGauge,
    pub unflushed: IntGauge,
    pub unwritten: IntGauge,
    pub restores: IntCounter,
}

impl Metrics {
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let register = Register(registry);
        let seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        let results = IntCounterVec::new(Opts::new("upmesh_processor_results_total", "Results folded, by outcome."), &["outcome"])?;
        registry.register(Box::new(results.clone()))?;
        for outcome in Outcome::ALL {
            results.with_label_values(&[outcome.as_str()]).inc_by(0);
        }
        Ok(Self {
            results,
            too_old: register.counter("upmesh_processor_too_old_total", "Results left out because their day was already dropped.")?,
            delivery: register.histogram(
                "upmesh_processor_delivery_seconds",
                "From the record's time in the log to its fold.",
                vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0],
            )?,
            flush_seconds: register.histogram("upmesh_processor_flush_seconds", "One flush to PostgreSQL.", seconds.to_vec())?,
            flush_blocks: register.histogram(
                "upmesh_processor_flush_blocks",
                "Blocks per flush to PostgreSQL.",
                vec![1.0, 10.0, 100.0, 1e3, 1e4, 1e5],
            )?,
            flush_failures: register
                .counter("upmesh_processor_flush_failures_total", "Flushes to PostgreSQL that failed and are repeated.")?,
            live_seconds: register.histogram(
                "upmesh_processor_live_write_seconds",
                "One write of live state to Redis.",
                seconds.to_vec(),
            )?,
            live_failures: register.counter("upmesh_processor_live_failures_total", "Writes to Redis that failed and are repeated.")?,
            live_conflicts: register
                .counter("upmesh_processor_live_conflicts_total", "Blocks in Redis that held more than expected and were merged.")?,
            live_removed: register.counter(
                "upmesh_processor_live_removed_total",
                "Keys of live state in Redis that were of another type and were removed.",
            )?,
            newest_slot_age: register
                .gauge("upmesh_processor_newest_slot_age_seconds", "Age of the newest slot folded; -1 before the first.")?,
            blocks: register.gauge("upmesh_processor_blocks", "History blocks in memory.")?,
            unflushed: register.gauge("upmesh_processor_unflushed_blocks", "Blocks PostgreSQL does not have yet.")?,
            unwritten: register.gauge("upmesh_processor_unwritten_items", "Blocks and latest results Redis does not have yet.")?,
            restores: register
                .counter("upmesh_processor_restores_total", "Times live state was written again because Redis had lost it.")?,
        })
    }
}

struct Register<'a>(&'a Registry);

impl Register<'_> {
    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        let metric = IntCounter::new(name, help)?;
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        let metric = IntGauge::new(name, help)?;
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn histogram(&self, name: &str, help: &str, buckets: Vec<f64>) -> Result<Histogram, prometheus::Error> {
        let metric = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?;
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}
