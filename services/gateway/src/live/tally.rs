//! How many monitors are in each state, for Prometheus: what cannot be judged alerts nobody, so the operator is told by number.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use model::{Millis, MonitorId};
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use crate::api::StateCounts;
use crate::app::App;

const PERIOD: Duration = Duration::from_secs(15);
/// Unknown for so long is no hiccup.
const LONG_MS: Millis = 15 * 60_000;

/// Cheap to clone. The labels are the six states.
#[derive(Debug, Clone)]
pub(crate) struct Gauges {
    states: IntGaugeVec,
    unjudged: IntGauge,
}

impl Gauges {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauges = Self {
            states: IntGaugeVec::new(Opts::new("upmesh_gateway_monitors", "Monitors of all workspaces by state."), &["state"])?,
            unjudged: IntGauge::new("upmesh_gateway_monitors_unjudged", "Monitors that have been unknown for 15 minutes or longer.")?,
        };
        registry.register(Box::new(gauges.states.clone()))?;
        registry.register(Box::new(gauges.unjudged.clone()))?;
        Ok(gauges)
    }

    fn set(&self, counts: &StateCounts, unjudged: usize) {
        let StateCounts { up, degraded, down, unknown, paused, pending } = *counts;
        let named = [("up", up), ("degraded", degraded), ("down", down), ("unknown", unknown), ("paused", paused), ("pending", pending)];
        for (state, count) in named {
            self.states.with_label_values(&[state]).set(count.into());
        }
        self.unjudged.set(i64::try_from(unjudged).unwrap_or(i64::MAX));
    }
}

/// Since when each monitor that is unknown has been so, as far as this process has seen.
#[derive(Debug, Default)]
struct Unknown(HashMap<MonitorId, Millis>);

impl Unknown {
    /// Takes those that are unknown now. Says how many have been for long.
    fn long(&mut self, now: Millis, unknown: &HashSet<MonitorId>) -> usize {
        self.0.retain(|id, _| unknown.contains(id));
        for id in unknown {
            self.0.entry(*id).or_insert(now);
        }
        self.0.values().filter(|since| now - **since >= LONG_MS).count()
    }
}

/// Counts every few seconds until shutdown.
pub(crate) async fn tell_states(app: App, gauges: Gauges) {
    tokio::select! {
        () = app.shutdown().cancelled() => return,
        () = app.directory().loaded() => {}
    }
    let mut known = Unknown::default();
    loop {
        let now = app.now();
        let (counts, unknown) = app.catalog().tally(now);
        gauges.set(&counts, known.long(now, &unknown));
        tokio::select! {
            () = app.shutdown().cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn only_what_stays_unknown_counts() {
        let [steady, brief] = [1, 2].map(|n| MonitorId(Uuid::from_u128(n)));
        let mut known = Unknown::default();
        assert_eq!(known.long(0, &HashSet::from([steady, brief])), 0);
        assert_eq!(known.long(LONG_MS - 1, &HashSet::from([steady])), 0);
        // Unknown again, but judged in between.
        assert_eq!(known.long(LONG_MS, &HashSet::from([steady, brief])), 1);
        assert_eq!(known.long(2 * LONG_MS, &HashSet::from([steady, brief])), 2);
        assert_eq!(known.long(2 * LONG_MS + 1, &HashSet::new()), 0);
    }

    #[test]
    fn each_state_has_its_gauge() {
        let registry = Registry::new();
        let gauges = Gauges::register(&registry).expect("gauges");
        gauges.set(&StateCounts { up: 3, unknown: 2, ..StateCounts::default() }, 1);
        let told = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).expect("text");
        for line in [
            r#"upmesh_gateway_monitors{state="up"} 3"#,
            r#"upmesh_gateway_monitors{state="unknown"} 2"#,
            "upmesh_gateway_monitors_unjudged 1",
        ] {
            assert!(told.contains(line), "{told}");
        }
        assert_eq!(told.matches("upmesh_gateway_monitors{").count(), 6);
    }
}
