//! The monitors of the region, in few bytes each: the configuration is shared with the directory.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, LazyLock};

use model::schedule::shard_of;
use model::{Millis, Monitor, MonitorId, ProbeSpec, Region, Schedule, Shard, Slot};

use crate::assertions::Compiled;

/// Monitors without assertions share one.
static NO_ASSERTIONS: LazyLock<Arc<Compiled>> = LazyLock::new(|| Arc::new(Compiled::default()));

/// One monitor as the engine sees it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) compiled: Arc<Compiled>,
    pub(crate) schedule: Schedule,
    /// Since when this schedule holds; its slots before were never due.
    pub(crate) since: Millis,
    pub(crate) shard: Shard,
    /// Hash of the target's host, for admission.
    pub(crate) host: u64,
    /// Outdates what is queued for an earlier schedule.
    pub(crate) generation: u32,
    /// The latest slot handed out.
    pub(crate) last: Option<Slot>,
    /// The last check was up: the next one up is steady.
    pub(crate) was_up: bool,
}

/// What an update means for the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Update {
    /// New here, or with another schedule: queue it.
    Schedule(u32),
    /// Same slots, perhaps other settings.
    Keep,
    /// Not checked here (any more).
    Gone,
}

#[derive(Debug)]
pub(crate) struct Table {
    region: Region,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    index: HashMap<MonitorId, u32>,
    generation: u32,
}

impl Table {
    pub(crate) fn new(region: Region) -> Self {
        Self { region, entries: Vec::new(), free: Vec::new(), index: HashMap::new(), generation: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Entry> {
        self.entries.get(usize::try_from(index).ok()?)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut Entry> {
        self.entries.get_mut(usize::try_from(index).ok()?)?.as_mut()
    }

    /// Every monitor with its index.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Entry)> {
        (0..).zip(&self.entries).filter_map(|(index, entry)| Some((index, entry.as_ref()?)))
    }

    /// Ids of all, to compare with the directory.
    pub(crate) fn ids(&self) -> impl Iterator<Item = MonitorId> {
        self.index.keys().copied()
    }

    pub(crate) fn upsert(&mut self, monitor: &Arc<Monitor>) -> Update {
        let active = monitor.segments.last().filter(|segment| segment.active && segment.regions.contains(&self.region));
        let Some(segment) = active.filter(|_| !monitor.spec.paused) else {
            self.remove(monitor.id);
            return Update::Gone;
        };
        let schedule = Schedule::new(monitor.id, &self.region, segment.interval_ms);
        let since = segment.from;
        let known = self.index.get(&monitor.id).copied();
        if let Some(entry) = known.and_then(|index| self.get_mut(index)) {
            if entry.monitor.revision >= monitor.revision {
                return Update::Keep;
            }
            if entry.monitor.spec.assertions != monitor.spec.assertions {
                entry.compiled = compile(monitor);
            }
            entry.monitor = Arc::clone(monitor);
            entry.host = host_of(&monitor.spec.probe);
            if entry.schedule == schedule && entry.since == since {
                return Update::Keep;
            }
        }
        self.generation = self.generation.wrapping_add(1);
        let entry = Entry {
            monitor: Arc::clone(monitor),
            compiled: compile(monitor),
            schedule,
            since,
            shard: shard_of(monitor.id),
            host: host_of(&monitor.spec.probe),
            generation: self.generation,
            last: None,
            was_up: false,
        };
        Update::Schedule(self.place(known, entry))
    }

    pub(crate) fn remove(&mut self, id: MonitorId) {
        let Some(index) = self.index.remove(&id) else { return };
        if let Some(entry) = usize::try_from(index).ok().and_then(|at| self.entries.get_mut(at)) {
            *entry = None;
            self.free.push(index);
        }
    }

    /// Outdates whatever is queued for an entry.
    pub(crate) fn outdate(&mut self, index: u32) -> Option<u32> {
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        self.get_mut(index).map(|entry| {
            entry.generation = generation;
            generation
        })
    }

    fn place(&mut self, known: Option<u32>, entry: Entry) -> u32 {
        let id = entry.monitor.id;
        let index = known.or_else(|| self.free.pop());
        if let Some((index, slot)) = index.and_then(|index| Some((index, self.entries.get_mut(usize::try_from(index).ok()?)?))) {
            *slot = Some(entry);
            self.index.insert(id, index);
            return index;
        }
        let index = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.entries.push(Some(entry));
        self.index.insert(id, index);
        index
    }
}

fn compile(monitor: &Monitor) -> Arc<Compiled> {
    if monitor.spec.assertions.is_empty() { Arc::clone(&NO_ASSERTIONS) } else { Arc::new(Compiled::new(&monitor.spec.assertions)) }
}

fn host_of(probe: &ProbeSpec) -> u64 {
    let mut hash = DefaultHasher::new();
    match probe {
        // Enough of the URL: scheme, host and port lead it.
        ProbeSpec::Http(http) => http.url.split('/').nth(2).unwrap_or(&http.url).hash(&mut hash),
        ProbeSpec::Tcp(tcp) => tcp.host.hash(&mut hash),
        ProbeSpec::Icmp(icmp) => icmp.host.hash(&mut hash),
    }
    hash.finish()
}
