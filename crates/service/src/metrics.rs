//! The metrics every service has: build, readiness is on `/ready`, and the process's own.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, IntCounter, IntGauge, IntGaugeVec, Opts, Registry};

/// A registry that holds the build and process metrics already.
pub(crate) fn registry(service: &'static str) -> Registry {
    let registry = Registry::new();
    let opts = Opts::new("upmesh_build_info", "Version of the running build; always 1.");
    if let Ok(build) = IntGaugeVec::new(opts, &["service", "version"]) {
        build.with_label_values(&[service, crate::VERSION]).set(1);
        register(&registry, Box::new(build));
    }
    if let Some(process) = ProcessCollector::new() {
        register(&registry, Box::new(process));
    }
    registry
}

fn register(registry: &Registry, collector: Box<dyn Collector>) {
    if let Err(error) = registry.register(collector) {
        tracing::error!(%error, "a metric could not be registered");
    }
}

/// Reads `/proc/self` at each scrape; where there is no procfs, the values stay 0.
struct ProcessCollector {
    cpu: prometheus::Counter,
    memory: IntGauge,
    descriptors: IntGauge,
    max_descriptors: IntGauge,
    threads: IntGauge,
    start: Gauge,
    scrapes: IntCounter,
}

/// Kernel clock ticks per second; fixed at 100 for user space on every Linux architecture in use.
const TICKS_PER_SECOND: f64 = 100.0;
const PAGE_BYTES: i64 = 4096;

impl ProcessCollector {
    fn new() -> Option<Self> {
        Some(Self {
            cpu: prometheus::Counter::new("process_cpu_seconds_total", "User and system CPU time spent, in seconds.").ok()?,
            memory: IntGauge::new("process_resident_memory_bytes", "Resident memory, in bytes.").ok()?,
            descriptors: IntGauge::new("process_open_fds", "Open file descriptors.").ok()?,
            max_descriptors: IntGauge::new("process_max_fds", "Limit on open file descriptors.").ok()?,
            threads: IntGauge::new("process_threads", "Threads of the process.").ok()?,
            start: Gauge::new("process_start_time_seconds", "Start of the process since the Unix epoch, in seconds.").ok()?,
            scrapes: IntCounter::new("upmesh_scrapes_total", "How often /metrics was read.").ok()?,
        })
    }

    fn parts(&self) -> [&dyn Collector; 7] {
        [&self.cpu, &self.memory, &self.descriptors, &self.max_descriptors, &self.threads, &self.start, &self.scrapes]
    }

    fn read(&self) -> Option<()> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        // Fields after the command in parentheses, which may hold spaces; the first is field 3 (state).
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        let cpu = (field(14)? + field(15)?) / TICKS_PER_SECOND;
        self.cpu.inc_by((cpu - self.cpu.get()).max(0.0));
        self.threads.set(fields.get(20 - 3)?.parse().ok()?);
        self.memory.set(fields.get(24 - 3)?.parse::<i64>().ok()?.saturating_mul(PAGE_BYTES));
        self.start.set(boot_seconds()? + field(22)? / TICKS_PER_SECOND);
        self.descriptors.set(i64::try_from(std::fs::read_dir("/proc/self/fd").ok()?.count()).ok()?);
        self.max_descriptors.set(max_descriptors()?);
        Some(())
    }
}

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.parts().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.scrapes.inc();
        let _ = self.read();
        self.parts().into_iter().flat_map(Collector::collect).collect()
    }
}

fn boot_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn max_descriptors() -> Option<i64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}
