//! The monitors of the region, in few bytes each and shard by shard, since shards come and go as a whole: the configuration
//! is shared with the directory.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, LazyLock};

use model::schedule::{SHARDS, shard_of};
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
    /// By shard.
    parts: Vec<Part>,
    index: HashMap<MonitorId, u32>,
    generation: u32,
}

/// The monitors of one shard.
#[derive(Debug, Default)]
struct Part {
    entries: Vec<Option<Entry>>,
    /// Places without an entry.
    free: Vec<u32>,
    /// Checks per second.
    rate: f64,
}

impl Table {
    pub(crate) fn new(region: Region) -> Self {
        let parts = std::iter::repeat_with(Part::default).take(usize::from(SHARDS)).collect();
        Self { region, parts, index: HashMap::new(), generation: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// The shard of whatever has, or had, this index.
    pub(crate) fn shard_at(index: u32) -> Shard {
        Shard(u16::try_from(index % u32::from(SHARDS)).unwrap_or_default())
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Entry> {
        self.parts.get(usize::from(Self::shard_at(index).0))?.entries.get(place_of(index))?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut Entry> {
        self.parts.get_mut(usize::from(Self::shard_at(index).0))?.entries.get_mut(place_of(index))?.as_mut()
    }

    /// What something was queued for, unless it is gone or was rescheduled since.
    pub(crate) fn current(&self, index: u32, generation: u32) -> Option<&Entry> {
        self.get(index).filter(|entry| entry.generation == generation)
    }

    /// Every index in use of a shard.
    pub(crate) fn of_shard(&self, shard: Shard) -> Vec<u32> {
        let Some(part) = self.parts.get(usize::from(shard.0)) else { return Vec::new() };
        (0..).zip(&part.entries).filter(|(_, entry)| entry.is_some()).map(|(place, _)| index_of(shard, place)).collect()
    }

    /// Checks per second of a shard.
    pub(crate) fn rate(&self, shard: Shard) -> f64 {
        self.parts.get(usize::from(shard.0)).map_or(0.0, |part| part.rate)
    }

    /// Ids of all, to compare with the directory.
    pub(crate) fn ids(&self) -> impl Iterator<Item = MonitorId> {
        self.index.keys().copied()
    }

    /// The latest generation given. Whatever comes later is newer.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
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
        let Some(part) = self.parts.get_mut(usize::from(Self::shard_at(index).0)) else { return };
        if let Some(entry) = part.entries.get_mut(place_of(index)).and_then(Option::take) {
            part.rate -= per_second(entry.schedule.interval_ms);
            part.free.push(index);
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
        let (id, shard) = (entry.monitor.id, entry.shard);
        let Some(part) = self.parts.get_mut(usize::from(shard.0)) else { return u32::MAX };
        part.rate += per_second(entry.schedule.interval_ms);
        let index = known.or_else(|| part.free.pop()).unwrap_or_else(|| {
            part.entries.push(None);
            index_of(shard, u32::try_from(part.entries.len() - 1).unwrap_or(u32::MAX))
        });
        if let Some(place) = part.entries.get_mut(place_of(index)) {
            if let Some(before) = place.take() {
                part.rate -= per_second(before.schedule.interval_ms);
            }
            *place = Some(entry);
        }
        self.index.insert(id, index);
        index
    }
}

/// The shard and the place in it, in one number.
fn index_of(shard: Shard, place: u32) -> u32 {
    place.saturating_mul(u32::from(SHARDS)) + u32::from(shard.0)
}

fn place_of(index: u32) -> usize {
    usize::try_from(index / u32::from(SHARDS)).unwrap_or(usize::MAX)
}

fn per_second(interval_ms: Millis) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "intervals are far below 2^52 ms")]
    let interval_ms = interval_ms.max(1) as f64;
    1000.0 / interval_ms
}

fn compile(monitor: &Monitor) -> Arc<Compiled> {
    if monitor.spec.assertions.is_empty() { Arc::clone(&NO_ASSERTIONS) } else { Arc::new(Compiled::of(&monitor.spec)) }
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
