//! Which core a process runs on, so that a bare loop and the product have the same one.

use std::process::{Command, Stdio};

/// Where a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Core {
    /// The loop or service under test, on machines with a core for it and one for its world.
    Subject,
    /// Targets and load of such a measure.
    World,
    /// A pinger or its bare loop: on every machine with two cores it has one of them.
    Alone,
    /// Everything else of a measure of pingers.
    Others,
    /// Wherever the kernel likes.
    Any,
}

impl Core {
    /// As `taskset` takes it; none where nothing is pinned.
    pub fn list(self) -> Option<String> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.of(cores.max(HAD.get().copied().unwrap_or(0)))
    }

    /// The same on a machine with so many cores.
    fn of(self, cores: usize) -> Option<String> {
        match self {
            // The first cores do the machine's own work, and other people's.
            Self::Subject | Self::Alone if cores >= 4 => Some("2".to_owned()),
            Self::World | Self::Others if cores >= 4 => Some("3".to_owned()),
            Self::Alone if cores >= 2 => Some((cores - 1).to_string()),
            Self::Others if cores >= 2 => Some("0".to_owned()),
            _ => None,
        }
    }
}

/// How many cores there were before this program kept off one of them.
static HAD: std::sync::OnceLock<usize> = std::sync::OnceLock::new();

/// While it lives, this program, what it starts, and the servers of the test stack keep off the core of the pinger.
pub struct Aside {
    processes: Vec<String>,
    all: String,
}

impl Aside {
    pub fn new() -> Self {
        let cores = *HAD.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from));
        let all = format!("0-{}", cores - 1);
        let Some(alone) = Core::Alone.of(cores).and_then(|core| core.parse::<usize>().ok()) else {
            return Self { processes: Vec::new(), all };
        };
        // Told by `scripts/stack --test env`; servers that someone else started are left where they are.
        let servers = std::env::var("TEST_STACK_PIDS").unwrap_or_default();
        let mut processes: Vec<String> = servers.split_whitespace().map(str::to_owned).collect();
        processes.push(std::process::id().to_string());
        let others: Vec<String> = (0..cores).filter(|core| *core != alone).map(|core| core.to_string()).collect();
        let aside = Self { processes, all };
        aside.put(&others.join(","));
        aside
    }

    fn put(&self, cores: &str) {
        for process in &self.processes {
            // A server that has ended meanwhile is noticed by whoever needs it.
            let _ = Command::new("taskset").args(["-a", "-c", "-p", cores, process]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.put(&self.all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinger_never_shares_its_core_with_its_world() {
        for cores in 2..=8 {
            assert_ne!(Core::Alone.of(cores), Core::Others.of(cores));
            assert!(Core::Alone.of(cores).is_some());
        }
        assert_eq!([Core::Alone.of(1), Core::Subject.of(2), Core::Any.of(8)], [None, None, None]);
    }
}
