//! The monitors of the region, in few bytes each and shard by shard, since shards come and go as a whole: the configuration
//! is shared with the directory.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, LazyLock};

use model::schedule::{SHARDS, shard_of};
use model::{Millis, Monitor, MonitorId, ProbeSpec, Region, Schedule, Shard, Slot};

use super::due::is_here;
use crate::assertions::Compiled;

/// Monitors without assertions share one.
static NO_ASSERTIONS: LazyLock<Arc<Compiled>> = LazyLock::new(|| Arc::new(Compiled::default()));

/// One monitor as the engine sees it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) compiled: Arc<Compiled>,
    /// Of the last segment.
    pub(crate) schedule: Schedule,
    /// Since when the last segment holds.
    pub(crate) since: Millis,
    /// Due here at present; if not, it is here for the sake of earlier slots only.
    pub(crate) active: bool,
    pub(crate) shard: Shard,
    /// Hash of the target's host, for admission.
    pub(crate) host: u64,
    /// Outdates what was queued before the shard was taken or given up.
    pub(crate) generation: u32,
    /// Every slot due up to here was opened by us, or is another pinger's to record. What was due from here to now, by whichever
    /// segment, is still to be accounted for, whatever happened in between.
    pub(crate) until: Millis,
    /// When the timeline has it looked at next, if at all. Anything else queued, but for what is made up for, is outdated.
    pub(crate) next: Option<Millis>,
    /// Just made, or resumed, by somebody who waits for its first check.
    pub(crate) fresh: bool,
    /// The latest slot handed out.
    pub(crate) last: Option<Slot>,
    /// The last check was up: the next one up is steady.
    pub(crate) was_up: bool,
}

/// What an update means for the timeline.
#[derive(Debug)]
pub(crate) enum Update {
    /// New here.
    New(u32),
    /// Due at other instants than by what stood here.
    Changed(u32, Arc<Monitor>),
    /// Same slots, perhaps other settings; or never due here.
    Keep,
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
    /// Monitors that are due at present, and their checks per second.
    active: usize,
    rate: f64,
}

impl Part {
    fn add(&mut self, entry: &Entry) {
        if entry.active {
            self.active += 1;
            self.rate += per_second(entry.schedule.interval_ms);
        }
    }

    fn subtract(&mut self, entry: &Entry) {
        if entry.active {
            self.active -= 1;
            self.rate -= per_second(entry.schedule.interval_ms);
        }
    }
}

impl Table {
    pub(crate) fn new(region: Region) -> Self {
        let parts = std::iter::repeat_with(Part::default).take(usize::from(SHARDS)).collect();
        Self { region, parts, index: HashMap::new(), generation: 0 }
    }

    /// How many are due at present.
    pub(crate) fn active(&self) -> usize {
        self.parts.iter().map(|part| part.active).sum()
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

    /// What something was queued for, unless it is gone or its shard was taken anew since.
    pub(crate) fn current(&self, index: u32, generation: u32) -> Option<&Entry> {
        self.get(index).filter(|entry| entry.generation == generation)
    }

    pub(crate) fn current_mut(&mut self, index: u32, generation: u32) -> Option<&mut Entry> {
        self.get_mut(index).filter(|entry| entry.generation == generation)
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
        // One that is paused stays: slots from before may lack a record.
        let Some(segment) = monitor.segments.last().filter(|_| monitor.segments.iter().any(|segment| is_here(segment, &self.region)))
        else {
            self.remove(monitor.id);
            return Update::Keep;
        };
        let active = is_here(segment, &self.region) && !monitor.spec.paused;
        let schedule = Schedule::new(monitor.id, &self.region, segment.interval_ms);
        let since = segment.from;
        if let Some(index) = self.index.get(&monitor.id).copied()
            && let Some(part) = self.parts.get_mut(usize::from(Self::shard_at(index).0))
            && let Some(mut entry) = part.entries.get_mut(place_of(index)).and_then(Option::take)
        {
            let update = if entry.monitor.revision >= monitor.revision {
                Update::Keep
            } else {
                part.subtract(&entry);
                let same = entry.schedule == schedule && entry.since == since && entry.active == active;
                let (known, new) = (&entry.monitor.spec, &monitor.spec);
                // The probe too: its secrets are kept out of what an assertion repeats.
                if known.assertions != new.assertions || known.probe != new.probe {
                    entry.compiled = compile(monitor);
                }
                entry.host = host_of(&monitor.spec.probe);
                entry.fresh |= active && !entry.active;
                (entry.schedule, entry.since, entry.active) = (schedule, since, active);
                let before = std::mem::replace(&mut entry.monitor, Arc::clone(monitor));
                part.add(&entry);
                if same { Update::Keep } else { Update::Changed(index, before) }
            };
            if let Some(place) = part.entries.get_mut(place_of(index)) {
                *place = Some(entry);
            }
            return update;
        }
        self.generation = self.generation.wrapping_add(1);
        Update::New(self.place(Entry {
            monitor: Arc::clone(monitor),
            compiled: compile(monitor),
            schedule,
            since,
            active,
            shard: shard_of(monitor.id),
            host: host_of(&monitor.spec.probe),
            generation: self.generation,
            until: since - 1,
            next: None,
            fresh: active,
            last: None,
            was_up: false,
        }))
    }

    pub(crate) fn remove(&mut self, id: MonitorId) {
        let Some(index) = self.index.remove(&id) else { return };
        let Some(part) = self.parts.get_mut(usize::from(Self::shard_at(index).0)) else { return };
        if let Some(entry) = part.entries.get_mut(place_of(index)).and_then(Option::take) {
            part.subtract(&entry);
            part.free.push(index);
        }
    }

    /// Outdates whatever is queued for an entry.
    pub(crate) fn outdate(&mut self, index: u32) {
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        if let Some(entry) = self.get_mut(index) {
            entry.generation = generation;
            entry.next = None;
        }
    }

    fn place(&mut self, entry: Entry) -> u32 {
        let (id, shard) = (entry.monitor.id, entry.shard);
        let Some(part) = self.parts.get_mut(usize::from(shard.0)) else { return u32::MAX };
        part.add(&entry);
        let index = part.free.pop().unwrap_or_else(|| {
            part.entries.push(None);
            index_of(shard, u32::try_from(part.entries.len() - 1).unwrap_or(u32::MAX))
        });
        if let Some(place) = part.entries.get_mut(place_of(index)) {
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
