//! CPU time and memory of processes, read from `/proc`: the kernel scales the sum of user and system
//! time to the scheduler's own nanoseconds, so only the 10 ms unit of the file is lost.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Clock ticks per second in `/proc/<pid>/stat`; fixed at 100 on every Linux we run on.
const TICKS: f64 = 100.0;

/// User plus system time of a process with all its threads, dead ones included.
pub fn time_of(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid} is gone"))?;
    // The command name may hold spaces; the fields after its closing bracket do not.
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let mut fields = fields.split(' ').skip(11).map(|field| field.parse::<f64>().unwrap_or(0.0));
    let ticks = fields.next().unwrap_or(0.0) + fields.next().unwrap_or(0.0);
    Ok(Duration::from_secs_f64(ticks / TICKS))
}

/// Resident memory of a process, in bytes.
pub fn memory_of(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}

/// How busy the whole machine was between two looks, 0 … 1.
pub struct Machine {
    busy: f64,
    total: f64,
}

impl Machine {
    pub fn look() -> Self {
        let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let fields: Vec<f64> =
            stat.lines().next().unwrap_or_default().split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
        let total: f64 = fields.iter().take(8).sum();
        let idle: f64 = fields.iter().skip(3).take(2).sum();
        Self { busy: total - idle, total }
    }

    pub fn busy_since(&self) -> f64 {
        let now = Self::look();
        (now.busy - self.busy) / (now.total - self.total).max(1.0)
    }
}

/// Work done by one process over a stretch of time.
pub struct Meter {
    pid: u32,
    cpu: Duration,
    at: Instant,
}

impl Meter {
    pub fn start(pid: u32) -> Result<Self> {
        Ok(Self { pid, cpu: time_of(pid)?, at: Instant::now() })
    }

    /// Seconds of CPU and of wall clock since the start.
    pub fn read(&self) -> Result<(f64, f64)> {
        let cpu = time_of(self.pid)?.saturating_sub(self.cpu);
        Ok((cpu.as_secs_f64(), self.at.elapsed().as_secs_f64()))
    }
}

/// The machine in one line, for the report.
pub fn machine() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("").trim_start_matches([' ', '\t', ':']);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok())
        .unwrap_or(0);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores ({model}), {} GiB, Linux {}", kib / (1024 * 1024), kernel.trim())
}
