//! Every monitor in memory, by workspace and name, with what decides its state: for finding, filtering
//! and counting. Pages are read from Redis (or, while that is away, from PostgreSQL); this only says which monitors belong on them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use model::alerting::Shown;
use model::{Millis, Monitor, MonitorId, Region, Slot, WorkspaceId};
use serde::{Deserialize, Serialize};

use super::status::{Seen, status};
use super::view::as_of;
use crate::api::{RegionSystem, State, StateCounts};
use crate::auth::Secrets;
use crate::system::RegionFacts;

/// Where a monitor stands in its workspace's list: by name in any case, then by id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Position(String, MonitorId);

impl Position {
    fn of(monitor: &Monitor) -> Self {
        Self(monitor.spec.name.to_lowercase(), monitor.id)
    }
}

#[derive(Debug, Clone)]
struct Entry {
    monitor: Arc<Monitor>,
    verdict: Option<Shown>,
    seen: Vec<Seen>,
}

impl Entry {
    fn state(&self, now: Millis) -> State {
        status(&self.monitor, self.verdict.as_ref(), &self.seen, now).state
    }
}

#[derive(Debug, Default)]
struct Inner {
    places: HashMap<MonitorId, (WorkspaceId, Position)>,
    workspaces: HashMap<WorkspaceId, BTreeMap<Position, Entry>>,
    /// Grows with every change of configuration and of a judged state, and where live state comes or goes.
    edition: u64,
}

/// The index. Reads and writes are short and never wait for anything outside the process.
#[derive(Debug, Default)]
pub(crate) struct Catalog(RwLock<Inner>);

/// Which monitors of a workspace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// What the reader may see: nobody finds out by searching what is masked.
    pub secrets: Secrets,
    pub after: Option<Position>,
    pub limit: usize,
    /// Lower case.
    pub search: Option<String>,
    pub state: Option<State>,
    /// Name, and value where it matters.
    pub tag: Option<(String, Option<String>)>,
}

/// Monitors in order, and where the next page begins.
#[derive(Debug)]
pub(crate) struct Selected {
    pub monitors: Vec<Arc<Monitor>>,
    pub next: Option<Position>,
}

impl Catalog {
    /// A new or changed monitor.
    pub(crate) fn upsert(&self, monitor: Arc<Monitor>) {
        self.write(|inner| {
            let id = monitor.id;
            let old = inner.places.get(&id).cloned();
            let kept = old.and_then(|(workspace, position)| inner.workspaces.get_mut(&workspace)?.remove(&position));
            if kept.as_ref().is_some_and(|kept| kept.monitor.revision > monitor.revision && kept.monitor.workspace == monitor.workspace) {
                // An older picture came late: put back what was there.
                if let (Some(kept), Some((workspace, position))) = (kept, inner.places.get(&id).cloned()) {
                    inner.workspaces.entry(workspace).or_default().insert(position, kept);
                }
                return;
            }
            let position = Position::of(&monitor);
            let workspace = monitor.workspace;
            let (verdict, seen) = kept.map(|kept| (kept.verdict, kept.seen)).unwrap_or_default();
            inner.places.insert(id, (workspace, position.clone()));
            inner.workspaces.entry(workspace).or_default().insert(position, Entry { monitor, verdict, seen });
            inner.edition += 1;
        });
    }

    pub(crate) fn remove(&self, id: MonitorId) {
        self.write(|inner| {
            let Some((workspace, position)) = inner.places.remove(&id) else { return };
            inner.edition += 1;
            if let Some(monitors) = inner.workspaces.get_mut(&workspace) {
                monitors.remove(&position);
                if monitors.is_empty() {
                    inner.workspaces.remove(&workspace);
                }
            }
        });
    }

    /// Puts `all` in place of what is known; states of those that stay are kept.
    pub(crate) fn replace(&self, all: &[Arc<Monitor>]) {
        let present: HashSet<MonitorId> = all.iter().map(|monitor| monitor.id).collect();
        let gone: Vec<MonitorId> = self.read(|inner| inner.places.keys().filter(|id| !present.contains(id)).copied().collect());
        for id in gone {
            self.remove(id);
        }
        for monitor in all {
            self.upsert(Arc::clone(monitor));
        }
    }

    pub(crate) fn edition(&self) -> u64 {
        self.read(|inner| inner.edition)
    }

    /// From now on no answer from before is given.
    pub(crate) fn begin_edition(&self) {
        self.write(|inner| inner.edition += 1);
    }

    /// A monitor of this workspace; those of others are as good as absent.
    pub(crate) fn get(&self, workspace: WorkspaceId, id: MonitorId) -> Option<Arc<Monitor>> {
        self.read(|inner| {
            let (owner, position) = inner.places.get(&id).filter(|(owner, _)| *owner == workspace)?;
            inner.workspaces.get(owner)?.get(position).map(|entry| Arc::clone(&entry.monitor))
        })
    }

    pub(crate) fn workspace_of(&self, id: MonitorId) -> Option<WorkspaceId> {
        self.read(|inner| inner.places.get(&id).map(|(workspace, _)| *workspace))
    }

    /// A page.
    pub(crate) fn select(&self, workspace: WorkspaceId, selection: &Selection, now: Millis) -> Selected {
        let start = selection.after.clone().map_or(Bound::Unbounded, Bound::Excluded);
        self.read(|inner| {
            let Some(all) = inner.workspaces.get(&workspace) else { return Selected { monitors: Vec::new(), next: None } };
            let mut found = all.range((start, Bound::Unbounded)).filter(|(position, entry)| selection.matches(position, entry, now));
            let page: Vec<_> = found.by_ref().take(selection.limit).collect();
            let next = found.next().and_then(|_| page.last().map(|(position, _)| (*position).clone()));
            Selected { monitors: page.into_iter().map(|(_, entry)| Arc::clone(&entry.monitor)).collect(), next }
        })
    }

    /// How many monitors of the workspace are in each state.
    pub(crate) fn counts(&self, workspace: WorkspaceId, now: Millis) -> StateCounts {
        let mut counts = StateCounts::default();
        self.read(|inner| {
            for entry in inner.workspaces.get(&workspace).into_iter().flat_map(BTreeMap::values) {
                *counts.of(entry.state(now)) += 1;
            }
        });
        counts
    }

    /// Up to when the workspace is known, while live state is away.
    pub(crate) fn as_of(&self, workspace: WorkspaceId, now: Millis) -> Option<Millis> {
        self.read(|inner| {
            let entries = inner.workspaces.get(&workspace).into_iter().flat_map(BTreeMap::values);
            as_of(entries.map(|entry| (entry.monitor.as_ref(), entry.seen.as_slice())), now)
        })
    }

    /// How many monitors of all workspaces are in each state, and which are unknown.
    pub(crate) fn tally(&self, now: Millis) -> (StateCounts, HashSet<MonitorId>) {
        let (mut counts, mut unknown) = (StateCounts::default(), HashSet::new());
        self.read(|inner| {
            for entry in inner.workspaces.values().flat_map(BTreeMap::values) {
                let state = entry.state(now);
                *counts.of(state) += 1;
                if state == State::Unknown {
                    unknown.insert(entry.monitor.id);
                }
            }
        });
        (counts, unknown)
    }

    /// What each region contributes to the workspace.
    pub(crate) fn regions(&self, workspace: WorkspaceId, now: Millis, fresh: fn(&Monitor, Slot, Millis) -> bool) -> Vec<RegionSystem> {
        let mut regions: BTreeMap<Region, RegionFacts> = BTreeMap::new();
        self.read(|inner| {
            let entries = inner.workspaces.get(&workspace).into_iter().flat_map(BTreeMap::values);
            for entry in entries.filter(|entry| !entry.monitor.spec.paused) {
                for region in &entry.monitor.spec.regions {
                    let newest = entry.seen.iter().find(|seen| seen.region == *region).map(|seen| seen.slot);
                    let facts = regions.entry(region.clone()).or_default();
                    facts.monitors += 1;
                    facts.stale += u32::from(!newest.is_some_and(|slot| fresh(&entry.monitor, slot, now)));
                    facts.newest = facts.newest.max(newest);
                }
            }
        });
        regions.into_iter().map(|(region, facts)| facts.shown(region, now)).collect()
    }

    /// A region's result as PostgreSQL has it, while nothing is heard: the verdict that was heard before speaks no longer.
    pub(crate) fn fall_back(&self, id: MonitorId, new: Seen) {
        self.saw(id, new);
        self.entry(id, |entry| entry.verdict = None);
    }

    /// A region's newer result. Says whose it is.
    pub(crate) fn saw(&self, id: MonitorId, new: Seen) -> Option<WorkspaceId> {
        self.entry(id, |entry| match entry.seen.iter_mut().find(|one| one.region == new.region) {
            Some(known) if known.slot > new.slot => {}
            Some(known) => *known = new,
            None => entry.seen.push(new),
        })
    }

    /// The alerter's newer verdict. Says whose it is.
    pub(crate) fn judged(&self, id: MonitorId, verdict: Shown) -> Option<WorkspaceId> {
        let mut changed = false;
        let workspace = self.entry(id, |entry| {
            if entry.verdict.as_ref().is_none_or(|known| known.slot <= verdict.slot) {
                changed = entry.verdict.as_ref().is_none_or(|known| (known.state, known.incident) != (verdict.state, verdict.incident));
                entry.verdict = Some(verdict);
            }
        });
        if changed {
            // Whoever hears of it and asks must not be given an answer from before.
            self.begin_edition();
        }
        workspace
    }

    /// The newest results that are known of a monitor.
    pub(crate) fn seen(&self, id: MonitorId) -> Vec<Seen> {
        self.read(|inner| {
            let entry = inner.places.get(&id).and_then(|(workspace, position)| inner.workspaces.get(workspace)?.get(position));
            entry.map(|entry| entry.seen.clone()).unwrap_or_default()
        })
    }

    /// What Redis holds of a monitor, or PostgreSQL while Redis is away, in place of what was known.
    pub(crate) fn refresh(&self, id: MonitorId, verdict: Option<Shown>, seen: Vec<Seen>) {
        self.entry(id, |entry| {
            entry.verdict = verdict;
            entry.seen = seen;
        });
    }

    fn entry(&self, id: MonitorId, change: impl FnOnce(&mut Entry)) -> Option<WorkspaceId> {
        self.write(|inner| {
            let (workspace, position) = inner.places.get(&id)?;
            let entry = inner.workspaces.get_mut(workspace)?.get_mut(position)?;
            change(entry);
            Some(*workspace)
        })
    }

    fn read<T>(&self, f: impl FnOnce(&Inner) -> T) -> T {
        f(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Selection {
    /// Whether monitors in this state are asked for.
    pub(crate) fn shows(&self, state: State) -> bool {
        self.state.is_none_or(|asked| asked == state)
    }

    fn matches(&self, Position(name, _): &Position, entry: &Entry, now: Millis) -> bool {
        let spec = &entry.monitor.spec;
        let tag = self
            .tag
            .as_ref()
            .is_none_or(|(tag, value)| spec.tags.get(tag).is_some_and(|found| value.as_ref().is_none_or(|value| value == found)));
        let text =
            self.search.as_ref().is_none_or(|text| name.contains(text) || self.secrets.target(&spec.probe).to_lowercase().contains(text));
        tag && text && (self.state.is_none() || self.shows(entry.state(now)))
    }
}

impl StateCounts {
    pub(crate) fn of(&mut self, state: State) -> &mut u32 {
        match state {
            State::Up => &mut self.up,
            State::Degraded => &mut self.degraded,
            State::Down => &mut self.down,
            State::Unknown => &mut self.unknown,
            State::Paused => &mut self.paused,
            State::Pending => &mut self.pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{MonitorSpec, Outcome};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    const NOW: Millis = 1_800_000_000_000;

    fn monitor(workspace: u128, id: u128, name: &str, revision: i64) -> Arc<Monitor> {
        let spec: MonitorSpec = serde_json::from_value(
            json!({"name": name, "regions": ["local"], "probe": {"kind": "icmp", "host": "h.example"}, "tags": {"team": name}}),
        )
        .expect("a spec");
        Arc::new(Monitor {
            id: Uuid::from_u128(id).into(),
            workspace: Uuid::from_u128(workspace).into(),
            revision,
            created_at: 0,
            updated_at: 0,
            spec,
            segments: Vec::new(),
        })
    }

    fn names(catalog: &Catalog, workspace: u128, selection: &Selection) -> Vec<String> {
        let selected = catalog.select(Uuid::from_u128(workspace).into(), selection, NOW);
        selected.monitors.iter().map(|monitor| monitor.spec.name.clone()).collect()
    }

    fn all() -> Selection {
        Selection { limit: 100, ..Selection::default() }
    }

    #[test]
    fn pages_follow_each_other_by_name_and_stay_in_the_workspace() {
        let catalog = Catalog::default();
        for (workspace, id, name) in [(1, 1, "b"), (1, 2, "A"), (1, 3, "c"), (2, 4, "a foreign one")] {
            catalog.upsert(monitor(workspace, id, name, 1));
        }
        assert_eq!(names(&catalog, 1, &all()), ["A", "b", "c"]);
        let first = catalog.select(Uuid::from_u128(1).into(), &Selection { limit: 2, ..Selection::default() }, NOW);
        assert_eq!(names(&catalog, 1, &Selection { after: first.next, ..all() }), ["c"]);
        let last = catalog.select(Uuid::from_u128(1).into(), &Selection { limit: 3, ..Selection::default() }, NOW);
        assert!(last.next.is_none());
        assert!(catalog.get(Uuid::from_u128(1).into(), Uuid::from_u128(4).into()).is_none());
    }

    #[test]
    fn a_rename_moves_and_an_older_picture_does_not() {
        let catalog = Catalog::default();
        catalog.upsert(monitor(1, 1, "old", 1));
        catalog.upsert(monitor(1, 1, "new", 3));
        catalog.upsert(monitor(1, 1, "late", 2));
        assert_eq!(names(&catalog, 1, &all()), ["new"]);
        catalog.remove(Uuid::from_u128(1).into());
        assert!(names(&catalog, 1, &all()).is_empty());
    }

    #[test]
    fn a_viewer_does_not_find_a_secret_by_searching_for_it() {
        let catalog = Catalog::default();
        let mut keyed = monitor(1, 1, "shop", 1).as_ref().clone();
        keyed.spec.probe = serde_json::from_value(json!({"kind": "http", "url": "https://h.example/p?key=s3cret"})).expect("a probe");
        catalog.upsert(Arc::new(keyed));
        let search = |secrets, text: &str| names(&catalog, 1, &Selection { secrets, search: Some(text.to_owned()), ..all() });
        assert_eq!(search(Secrets::Shown, "key=s3"), ["shop"]);
        assert!(search(Secrets::Masked, "s3").is_empty());
        assert_eq!(search(Secrets::Masked, "h.example/p?key="), ["shop"]);
    }

    #[test]
    fn filters_and_counts() {
        let catalog = Catalog::default();
        catalog.replace(&[monitor(1, 1, "shop", 1), monitor(1, 2, "mail", 1)]);
        let seen = |outcome| Seen { region: "local".parse().expect("a region"), slot: NOW, outcome, cause: None, latency_us: None };
        assert!(catalog.saw(Uuid::from_u128(1).into(), seen(Outcome::Down)).is_some());
        assert!(catalog.saw(Uuid::from_u128(9).into(), seen(Outcome::Down)).is_none());
        assert_eq!(names(&catalog, 1, &Selection { state: Some(State::Down), ..all() }), ["shop"]);
        assert_eq!(names(&catalog, 1, &Selection { search: Some("ai".to_owned()), ..all() }), ["mail"]);
        assert_eq!(names(&catalog, 1, &Selection { search: Some("h.example".to_owned()), ..all() }).len(), 2);
        assert_eq!(names(&catalog, 1, &Selection { tag: Some(("team".to_owned(), Some("shop".to_owned()))), ..all() }), ["shop"]);
        assert_eq!(names(&catalog, 1, &Selection { tag: Some(("team".to_owned(), None)), ..all() }).len(), 2);
        assert_eq!(catalog.counts(Uuid::from_u128(1).into(), NOW), StateCounts { down: 1, unknown: 1, ..StateCounts::default() });
        catalog.upsert(monitor(2, 3, "of another workspace", 1));
        let (counts, unknown) = catalog.tally(NOW);
        assert_eq!(counts, StateCounts { down: 1, unknown: 2, ..StateCounts::default() });
        assert_eq!(unknown, [2, 3].map(|id| Uuid::from_u128(id).into()).into());
        catalog.replace(&[monitor(1, 2, "mail", 1)]);
        assert_eq!(catalog.counts(Uuid::from_u128(1).into(), NOW), StateCounts { unknown: 1, ..StateCounts::default() });
    }
}
