//! Readiness: latches that components set, and the drain that overrides them all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

#[derive(Default)]
pub(crate) struct Health {
    latches: Mutex<BTreeMap<&'static str, Arc<AtomicBool>>>,
    started: AtomicBool,
    draining: AtomicBool,
}

/// What `/ready` answers.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub ready: bool,
    pub draining: bool,
    pub waiting: Vec<&'static str>,
}

/// One condition of readiness. Starts unset; dropping it changes nothing.
#[derive(Clone)]
pub struct Latch(Arc<AtomicBool>);

impl Latch {
    /// The condition holds.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// The condition holds no longer (a lost connection that the service cannot serve without).
    pub fn unset(&self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Health {
    pub fn latch(&self, what: &'static str) -> Latch {
        let mut latches = self.latches.lock().unwrap_or_else(PoisonError::into_inner);
        Latch(Arc::clone(latches.entry(what).or_default()))
    }

    pub fn set_started(&self) {
        self.started.store(true, Ordering::Release);
    }

    pub fn set_draining(&self) {
        self.draining.store(true, Ordering::Release);
    }

    pub fn readiness(&self) -> Readiness {
        let latches = self.latches.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting: Vec<_> = latches.iter().filter(|(_, set)| !set.load(Ordering::Acquire)).map(|(name, _)| *name).collect();
        if !self.started.load(Ordering::Acquire) {
            waiting.push("start");
        }
        let draining = self.draining.load(Ordering::Acquire);
        Readiness { ready: waiting.is_empty() && !draining, draining, waiting }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_needs_the_start_and_every_latch_and_no_drain() {
        let health = Health::default();
        let (kafka, redis) = (health.latch("kafka"), health.latch("redis"));
        assert_eq!(health.readiness().waiting, ["kafka", "redis", "start"]);
        health.set_started();
        kafka.set();
        redis.set();
        assert!(health.readiness().ready);
        redis.unset();
        assert_eq!(health.readiness().waiting, ["redis"]);
        redis.set();
        health.set_draining();
        assert!(!health.readiness().ready);
        assert!(health.readiness().draining);
    }
}
