//! Where updates meet readers. A reader that is too slow loses events and is told to read everything again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use model::{MonitorId, UserId, WorkspaceId};
use prometheus::{IntCounter, IntGauge};
use serde::Serialize;
use tokio::sync::{Notify, broadcast};

use crate::api::{ConfigEvent, LiveEvent};

/// Events a reader may be behind.
const BACKLOG: usize = 256;
/// Readers of one process.
const MAX_READERS: i64 = 5_000;
/// Of them, of one person: nobody takes the places of all others.
const MAX_PER_PERSON: usize = 100;

/// One event, serialised once for all its readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub id: u64,
    pub name: &'static str,
    pub data: Bytes,
}

/// The readers of each workspace.
pub(crate) struct Hub {
    rooms: Mutex<HashMap<WorkspaceId, broadcast::Sender<Arc<Told>>>>,
    people: Arc<Mutex<HashMap<UserId, usize>>>,
    next: AtomicU64,
    /// Whether updates are heard.
    live: AtomicBool,
    turned: Notify,
    readers: IntGauge,
    lagged: IntCounter,
}

/// One reader's place; gives it up when dropped.
pub(crate) struct Seat {
    events: broadcast::Receiver<Arc<Told>>,
    person: UserId,
    people: Arc<Mutex<HashMap<UserId, usize>>>,
    readers: IntGauge,
    lagged: IntCounter,
}

impl Hub {
    /// `first_id` must be above the ids of an earlier process, so that a browser sees them grow.
    pub(crate) fn new(metrics: &prometheus::Registry, first_id: u64) -> Result<Self, prometheus::Error> {
        let readers = IntGauge::new("upmesh_gateway_stream_clients", "Open live streams.")?;
        let lagged = IntCounter::new("upmesh_gateway_stream_resyncs_total", "Live streams that were too slow and had to begin anew.")?;
        metrics.register(Box::new(readers.clone()))?;
        metrics.register(Box::new(lagged.clone()))?;
        Ok(Self {
            rooms: Mutex::default(),
            people: Arc::default(),
            next: AtomicU64::new(first_id),
            live: AtomicBool::new(false),
            turned: Notify::new(),
            readers,
            lagged,
        })
    }

    /// A place for a reader, if there is one left.
    pub(crate) fn join(&self, workspace: WorkspaceId, person: UserId) -> Option<Seat> {
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        if self.readers.get() >= MAX_READERS || people.get(&person).is_some_and(|seats| *seats >= MAX_PER_PERSON) {
            return None;
        }
        *people.entry(person).or_default() += 1;
        drop(people);
        self.readers.inc();
        let mut rooms = self.rooms();
        let room = rooms.entry(workspace).or_insert_with(|| broadcast::Sender::new(BACKLOG));
        let (events, people) = (room.subscribe(), Arc::clone(&self.people));
        Some(Seat { events, person, people, readers: self.readers.clone(), lagged: self.lagged.clone() })
    }

    pub(crate) fn readers(&self) -> u32 {
        u32::try_from(self.readers.get()).unwrap_or(0)
    }

    /// Whether anybody of this workspace listens; what nobody hears need not be put into words.
    pub(crate) fn is_heard(&self, workspace: WorkspaceId) -> bool {
        self.rooms().get(&workspace).is_some_and(|room| room.receiver_count() > 0)
    }

    /// Tells the readers of one workspace.
    pub(crate) fn tell<T: Serialize>(&self, workspace: WorkspaceId, name: &'static str, data: &T) {
        let mut rooms = self.rooms();
        let Some(room) = rooms.get(&workspace) else { return };
        if room.receiver_count() == 0 {
            rooms.remove(&workspace);
            return;
        }
        match serde_json::to_vec(data) {
            Ok(data) => drop(room.send(self.event(name, data.into()))),
            Err(error) => tracing::error!(%error, name, "an event could not be serialised"),
        }
    }

    /// Tells everybody to read everything again.
    pub(crate) fn resync(&self) {
        self.tell_all("resync", &Bytes::from_static(b"{}"));
    }

    fn tell_all(&self, name: &'static str, data: &Bytes) {
        self.rooms().retain(|_, room| room.send(self.event(name, data.clone())).is_ok());
    }

    /// A monitor changed.
    pub(crate) fn configured(&self, workspace: WorkspaceId, monitor: MonitorId, revision: i64, deleted: bool) {
        self.tell(workspace, "config", &ConfigEvent { monitor, revision, deleted });
    }

    /// The subscription stands (again), or was lost. Tells everybody.
    pub(crate) fn set_live(&self, live: bool) {
        self.live.store(live, Ordering::Release);
        match serde_json::to_vec(&LiveEvent { live }) {
            Ok(data) => self.tell_all("live", &data.into()),
            Err(error) => tracing::error!(%error, "an event could not be serialised"),
        }
        self.turned.notify_one();
    }

    pub(crate) fn is_live(&self) -> bool {
        self.live.load(Ordering::Acquire)
    }

    /// Returns when the subscription stood again or was lost since the last call.
    pub(crate) async fn turned(&self) {
        self.turned.notified().await;
    }

    pub(crate) fn event(&self, name: &'static str, data: Bytes) -> Arc<Told> {
        Arc::new(Told { id: self.next.fetch_add(1, Ordering::Relaxed), name, data })
    }

    fn rooms(&self) -> std::sync::MutexGuard<'_, HashMap<WorkspaceId, broadcast::Sender<Arc<Told>>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// The next event; none where events were lost, and everything must be read again. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Arc<Told>> {
        match self.events.recv().await {
            Ok(told) => Some(told),
            Err(broadcast::error::RecvError::Lagged(_)) => {
                self.lagged.inc();
                // What is still queued is part of "everything".
                self.events = self.events.resubscribe();
                None
            }
            // The room is removed only when nobody is in it.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.readers.dec();
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seats) = people.get_mut(&self.person) {
            *seats -= 1;
            if *seats == 0 {
                people.remove(&self.person);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn workspace(n: u128) -> WorkspaceId {
        Uuid::from_u128(n).into()
    }

    fn person(n: u128) -> UserId {
        Uuid::from_u128(n).into()
    }

    #[test]
    fn nobody_takes_the_places_of_all_others() {
        let hub = Hub::new(&prometheus::Registry::new(), 1).expect("a hub");
        let mut seats: Vec<_> = (0..MAX_PER_PERSON).map(|_| hub.join(workspace(1), person(1)).expect("a seat")).collect();
        assert!(hub.join(workspace(1), person(1)).is_none());
        assert!(hub.join(workspace(1), person(2)).is_some());
        seats.pop();
        assert!(hub.join(workspace(1), person(1)).is_some());
    }

    #[tokio::test]
    async fn readers_hear_their_own_workspace_and_the_slow_are_told() {
        let hub = Hub::new(&prometheus::Registry::new(), 10).expect("a hub");
        let (mut ours, mut theirs) =
            (hub.join(workspace(1), person(1)).expect("a seat"), hub.join(workspace(2), person(2)).expect("a seat"));
        hub.configured(workspace(1), Uuid::from_u128(7).into(), 3, false);
        hub.configured(workspace(2), Uuid::from_u128(8).into(), 4, true);
        let told = ours.next().await.expect("an event");
        assert_eq!((told.name, told.id), ("config", 10));
        assert!(String::from_utf8_lossy(&told.data).contains("00000007"));
        assert!(String::from_utf8_lossy(&theirs.next().await.expect("an event").data).contains("00000008"));
        for _ in 0..=BACKLOG {
            hub.configured(workspace(1), Uuid::from_u128(7).into(), 5, false);
        }
        assert!(ours.next().await.is_none());
        hub.configured(workspace(1), Uuid::from_u128(7).into(), 99, false);
        assert!(String::from_utf8_lossy(&ours.next().await.expect("an event").data).contains("99"));
        assert_eq!(hub.readers(), 2);
        drop((ours, theirs));
        assert_eq!(hub.readers(), 0);
        assert!(!hub.is_heard(workspace(1)));
    }
}
