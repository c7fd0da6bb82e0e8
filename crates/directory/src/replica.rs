//! The monitors, in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use model::{Millis, Monitor, MonitorId, Region};
use tokio::sync::{Notify, broadcast, watch};
use uuid::Uuid;

use crate::changes::{Change, Changes};
use crate::client::Client;
use crate::replication::Replication;
use crate::wire::MonitorPage;

/// Changes a slow reader may be behind before it is told to look at everything.
const BACKLOG: usize = 4096;

/// The local replica. Cheap to clone; reads never leave the process.
#[derive(Debug, Clone)]
pub struct Directory {
    pub(crate) inner: Arc<Inner>,
}

/// The list, and the count of changes it was made after.
type Sorted = (u64, Arc<[Arc<Monitor>]>);

#[derive(Debug)]
pub(crate) struct Inner {
    state: RwLock<State>,
    /// All monitors sorted by id, made when first asked for after a change.
    sorted: Mutex<Option<Sorted>>,
    changes: broadcast::Sender<Change>,
    loaded: watch::Sender<bool>,
    clock: Mutex<Option<Heard>>,
    pub(crate) wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    monitors: HashMap<MonitorId, Arc<Monitor>>,
    source: Uuid,
    revision: i64,
    /// Counts the changes of this replica, for `sorted`.
    edition: u64,
    synced: Option<Instant>,
}

/// What users' clock showed at some moment between two of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    pub time: Millis,
    pub asked: Instant,
    pub answered: Instant,
}

/// How fresh the replica is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    pub monitors: usize,
    /// Position in the stream of changes.
    pub revision: i64,
    /// Since users last confirmed that this is all; `None` before the first snapshot.
    pub age: Option<Duration>,
}

impl Directory {
    /// An empty replica of the monitors of `region` (`None`: of all), and the work that fills and
    /// follows it: spawn [`Replication::run`] as a supervised task.
    pub fn new(client: Client, region: Option<Region>) -> (Self, Replication) {
        let inner = Inner {
            state: RwLock::default(),
            sorted: Mutex::default(),
            changes: broadcast::Sender::new(BACKLOG),
            loaded: watch::Sender::new(false),
            clock: Mutex::default(),
            wake: Notify::new(),
        };
        let directory = Self { inner: Arc::new(inner) };
        (directory.clone(), Replication::new(directory, client, region))
    }

    /// Returns once the first snapshot is complete.
    pub async fn loaded(&self) {
        // Fails only when the sender is gone, and we hold it.
        let _ = self.inner.loaded.subscribe().wait_for(|loaded| *loaded).await;
    }

    /// Looks at users at once, rather than at the next reconciliation.
    pub fn wake(&self) {
        self.inner.wake.notify_one();
    }

    pub fn get(&self, id: MonitorId) -> Option<Arc<Monitor>> {
        self.read(|state| state.monitors.get(&id).cloned())
    }

    /// Every monitor, sorted by id. Costs one pointer copy while nothing changes.
    pub fn monitors(&self) -> Arc<[Arc<Monitor>]> {
        let mut sorted = self.inner.sorted.lock().unwrap_or_else(PoisonError::into_inner);
        self.read(|state| match &*sorted {
            Some((edition, list)) if *edition == state.edition => Arc::clone(list),
            _ => {
                let mut list: Vec<_> = state.monitors.values().cloned().collect();
                list.sort_unstable_by_key(|monitor| monitor.id);
                let list: Arc<[_]> = list.into();
                *sorted = Some((state.edition, Arc::clone(&list)));
                list
            }
        })
    }

    /// What changes from now on.
    pub fn subscribe(&self) -> Changes {
        Changes(self.inner.changes.subscribe())
    }

    pub fn status(&self) -> Status {
        self.read(|state| Status { monitors: state.monitors.len(), revision: state.revision, age: state.synced.map(|at| at.elapsed()) })
    }

    /// Users' clock, as its newest answer told it.
    pub fn clock(&self) -> Option<Heard> {
        *self.inner.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn heard(&self, heard: Heard) {
        *self.inner.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some(heard);
    }

    /// The database and the position from which the next page follows.
    pub(crate) fn position(&self) -> (Uuid, i64) {
        self.read(|state| (state.source, state.revision))
    }

    /// Users confirmed that nothing is missing.
    pub(crate) fn confirm(&self) {
        self.write(|state| state.synced = Some(Instant::now()));
        self.inner.loaded.send_if_modified(|loaded| !std::mem::replace(loaded, true));
    }

    /// Takes over one page of changes.
    pub(crate) fn apply(&self, page: MonitorPage) {
        self.write(|state| {
            state.revision = state.revision.max(page.revision);
            for monitor in page.monitors {
                self.upsert(state, monitor);
            }
            for gone in page.deleted {
                self.remove(state, gone.id, gone.revision);
            }
        });
    }

    /// Puts a whole snapshot in place of what is known, telling only the differences.
    pub(crate) fn replace(&self, source: Uuid, revision: i64, monitors: Vec<Monitor>) {
        self.write(|state| {
            // Revisions of another database say nothing about which is newer.
            let foreign = state.source != source;
            state.source = source;
            state.revision = revision;
            let mut gone: HashMap<MonitorId, Arc<Monitor>> = std::mem::take(&mut state.monitors);
            for monitor in monitors {
                match gone.remove(&monitor.id) {
                    Some(known) if !foreign && known.revision == monitor.revision => {
                        state.monitors.insert(known.id, known);
                    }
                    _ => self.upsert(state, monitor),
                }
            }
            for known in gone.into_values() {
                self.tell(state, Change::Deleted { id: known.id, revision });
            }
        });
    }

    fn upsert(&self, state: &mut State, monitor: Monitor) {
        let known = state.monitors.get(&monitor.id);
        if known.is_some_and(|known| known.revision >= monitor.revision) {
            return;
        }
        let monitor = Arc::new(monitor);
        state.monitors.insert(monitor.id, Arc::clone(&monitor));
        self.tell(state, Change::Upserted(monitor));
    }

    fn remove(&self, state: &mut State, id: MonitorId, revision: i64) {
        if state.monitors.get(&id).is_some_and(|known| known.revision < revision) {
            state.monitors.remove(&id);
            self.tell(state, Change::Deleted { id, revision });
        }
    }

    /// Under the write lock, so that readers see changes in the order of the state.
    fn tell(&self, state: &mut State, change: Change) {
        state.edition += 1;
        // Fails only when nobody listens.
        let _ = self.inner.changes.send(change);
    }

    fn read<T>(&self, f: impl FnOnce(&State) -> T) -> T {
        f(&self.inner.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.inner.state.write().unwrap_or_else(PoisonError::into_inner))
    }
}
