//! What has to change, decided by name. Pure.

use std::collections::HashMap;

use model::{MonitorId, MonitorSpec};
use serde::Deserialize;

use super::difference::{Difference, differences};

/// A monitor of the mesh.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Existing {
    pub id: MonitorId,
    pub revision: i64,
    pub spec: MonitorSpec,
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Create { spec: MonitorSpec },
    Update { id: MonitorId, revision: i64, spec: MonitorSpec, differences: Vec<Difference> },
    Delete { id: MonitorId, name: String },
}

impl Step {
    pub fn name(&self) -> &str {
        match self {
            Self::Create { spec } | Self::Update { spec, .. } => &spec.name,
            Self::Delete { name, .. } => name,
        }
    }
}

/// What has to change and how much is as it should be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Deletions last, so that a run that stops half-way has lost nothing.
    pub steps: Vec<Step>,
    pub unchanged: usize,
    /// Monitors of the mesh that the file does not name and that stay.
    pub untouched: usize,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub fn count(&self, which: impl Fn(&Step) -> bool) -> usize {
        self.steps.iter().filter(|step| which(step)).count()
    }
}

/// Compares the file with the mesh. With `prune`, what the file does not name is deleted.
pub fn plan(wanted: Vec<MonitorSpec>, existing: Vec<Existing>, prune: bool) -> Result<Plan, serde_json::Error> {
    let mut present: HashMap<String, Existing> = existing.into_iter().map(|one| (one.spec.name.clone(), one)).collect();
    let mut plan = Plan::default();
    for mut spec in wanted {
        let found = present.remove(&spec.name);
        // A file that names no region leaves a monitor where it is; a new one gets the mesh's.
        if let Some(one) = found.as_ref().filter(|_| spec.regions.is_empty()) {
            spec.regions.clone_from(&one.spec.regions);
        }
        match found {
            None => plan.steps.push(Step::Create { spec }),
            Some(one) if same(&one.spec, &spec) => plan.unchanged += 1,
            Some(one) => {
                let differences = differences(&serde_json::to_value(&one.spec)?, &serde_json::to_value(&spec)?);
                plan.steps.push(Step::Update { id: one.id, revision: one.revision, spec, differences });
            }
        }
    }
    if prune {
        let mut gone: Vec<_> = present.into_values().collect();
        gone.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
        plan.steps.extend(gone.into_iter().map(|one| Step::Delete { id: one.id, name: one.spec.name }));
    } else {
        plan.untouched = present.len();
    }
    Ok(plan)
}

/// Equal but for the order of regions, which means nothing.
fn same(a: &MonitorSpec, b: &MonitorSpec) -> bool {
    let sorted = |spec: &MonitorSpec| {
        let mut spec = spec.clone();
        spec.regions.sort();
        spec
    };
    a == b || sorted(a) == sorted(b)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::apply::file;

    fn spec(name: &str, interval: u32) -> MonitorSpec {
        let value =
            json!({"name": name, "interval_seconds": interval, "probe": {"kind": "http", "url": "http://a.b"}, "regions": ["eu", "us"]});
        serde_json::from_value(value).expect("a spec")
    }

    fn existing(n: u128, name: &str, interval: u32) -> Existing {
        Existing { id: MonitorId(Uuid::from_u128(n)), revision: 7, spec: spec(name, interval) }
    }

    #[test]
    fn creates_changes_keeps_and_deletes_only_when_told() {
        let wanted = vec![spec("new", 60), spec("same", 60), spec("other", 30)];
        let present = vec![existing(1, "same", 60), existing(2, "other", 60), existing(3, "z", 60), existing(4, "old", 60)];
        let kept = plan(wanted.clone(), present.clone(), false).expect("a plan");
        assert_eq!(kept.steps.iter().map(Step::name).collect::<Vec<_>>(), ["new", "other"]);
        assert_eq!((kept.unchanged, kept.untouched), (1, 2));
        let Step::Update { id, revision, differences, .. } = &kept.steps[1] else { panic!("{kept:?}") };
        assert_eq!((*id, *revision), (MonitorId(Uuid::from_u128(2)), 7));
        assert_eq!(differences[0].to_string(), "interval_seconds: 60 → 30");

        let pruned = plan(wanted, present, true).expect("a plan");
        assert_eq!(pruned.steps.iter().map(Step::name).collect::<Vec<_>>(), ["new", "other", "old", "z"]);
        assert_eq!(pruned.untouched, 0);
    }

    #[test]
    fn what_was_applied_is_unchanged_the_next_time() {
        let mut reordered = spec("a", 60);
        reordered.regions.reverse();
        let again = plan(vec![reordered], vec![existing(1, "a", 60)], true).expect("a plan");
        assert!(again.is_empty() && again.unchanged == 1);
    }

    #[test]
    fn without_regions_in_the_file_a_monitor_stays_where_it_is() {
        let without = |interval| MonitorSpec { regions: Vec::new(), ..spec("a", interval) };
        let again = plan(vec![without(60)], vec![existing(1, "a", 60)], true).expect("a plan");
        assert!(again.is_empty() && again.unchanged == 1, "{again:?}");
        let slower = plan(vec![without(300)], vec![existing(1, "a", 60)], true).expect("a plan");
        let [Step::Update { differences, spec, .. }] = slower.steps.as_slice() else { panic!("{slower:?}") };
        assert_eq!((differences.len(), spec.regions.len()), (1, 2), "{differences:?}");
    }

    #[test]
    fn what_the_file_leaves_out_is_filled_in_alike_each_time() {
        let text = "monitors:\n- {name: a, interval_seconds: 10, probe: {kind: icmp, host: h}}";
        let read = || file::parse("m.yaml", text).expect("a valid file").remove(0);
        // The mesh keeps and gives back what it was sent, and says the regions.
        let spec = MonitorSpec { regions: spec("a", 60).regions, ..read() };
        let stored = serde_json::from_value(json!({"id": Uuid::from_u128(1), "revision": 1, "spec": spec})).expect("as the API shows it");
        let again = plan(vec![read()], vec![stored], true).expect("a plan");
        assert!(again.is_empty() && again.unchanged == 1, "{again:?}");
    }
}
