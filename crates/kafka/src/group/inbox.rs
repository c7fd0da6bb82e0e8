//! What the polling thread has and the service has not taken yet. Bounded: the thread looks at
//! [`State::full`] and stops fetching.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::rebalance::{Answer, Change};
use super::{Assignment, Event, Partition, Revocation};
use crate::error::KafkaError;
use crate::record::Message;

/// Above this many records or bytes the thread stops fetching.
const MAX_RECORDS: usize = 20_000;
const MAX_BYTES: usize = 32 << 20;

#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    arrived: Notify,
    room: Condvar,
    closed: AtomicBool,
}

#[derive(Default)]
pub(super) struct State {
    /// Rebalances the service has not seen yet.
    pub changes: VecDeque<Change>,
    /// The service's answers the thread has not carried out yet.
    pub answers: Vec<Answer>,
    pub messages: VecDeque<Message>,
    bytes: usize,
    /// Started and not revoked.
    pub owned: HashSet<Partition>,
    /// Paused by the service.
    pub paused: HashSet<Partition>,
    /// Everything is paused because the inbox is full.
    pub flow_paused: bool,
    /// Next offset to hand out, and the log's end, per partition.
    handed: HashMap<Partition, i64>,
    pub ends: HashMap<Partition, (i64, i64)>,
    pub failed: Option<KafkaError>,
}

impl State {
    pub fn full(&self) -> bool {
        self.messages.len() >= MAX_RECORDS || self.bytes >= MAX_BYTES
    }

    pub fn half_empty(&self) -> bool {
        self.messages.len() < MAX_RECORDS / 2 && self.bytes < MAX_BYTES / 2
    }

    /// Drops what waits of these partitions: the next owner reads it.
    pub fn purge(&mut self, partitions: &HashSet<Partition>) {
        self.messages.retain(|message| !partitions.iter().any(|(topic, n)| *n == message.partition && **topic == *message.topic));
        self.bytes = self.messages.iter().map(size).sum();
        for partition in partitions {
            self.owned.remove(partition);
            self.paused.remove(partition);
            self.handed.remove(partition);
            self.ends.remove(partition);
        }
    }

    pub fn lags(&self) -> HashMap<Partition, i64> {
        let lag = |partition: &Partition| {
            let (position, end) = *self.ends.get(partition)?;
            let next = self.handed.get(partition).copied().unwrap_or(position);
            Some((end - next).max(0))
        };
        self.owned.iter().filter_map(|partition| Some((partition.clone(), lag(partition)?))).collect()
    }

    fn take(&mut self, max: usize) -> Vec<Message> {
        let count = max.max(1).min(self.messages.len());
        let batch: Vec<Message> = self.messages.drain(..count).collect();
        self.bytes -= batch.iter().map(size).sum::<usize>();
        let mut runs = batch.iter().peekable();
        while let Some(message) = runs.next() {
            // Records come in runs of one partition; only a run's last offset matters.
            if runs.peek().is_none_or(|next| next.partition != message.partition || next.topic != message.topic) {
                self.handed.insert((message.topic.clone(), message.partition), message.offset + 1);
            }
        }
        batch
    }
}

fn size(message: &Message) -> usize {
    message.key.as_ref().map_or(0, bytes::Bytes::len) + message.value.as_ref().map_or(0, bytes::Bytes::len) + 64
}

impl Inbox {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread's side: adds records of partitions that are still ours.
    pub fn push(&self, messages: &mut Vec<Message>) {
        if messages.is_empty() {
            return;
        }
        let mut state = self.lock();
        state.bytes += messages.iter().map(size).sum::<usize>();
        state.messages.extend(messages.drain(..));
        drop(state);
        self.arrived.notify_one();
    }

    /// Wakes the service to look at changes or a failure.
    pub fn wake(&self) {
        self.arrived.notify_one();
    }

    /// The thread's side: waits until there is room, the service answered, or `limit` passed.
    pub fn wait_for_room(&self, limit: Duration) -> bool {
        let state = self.lock();
        let waiting = |state: &mut State| state.full() && state.answers.is_empty() && !self.is_closed();
        let (state, _) = self.room.wait_timeout_while(state, limit, waiting).unwrap_or_else(PoisonError::into_inner);
        !state.full()
    }

    pub fn answer(&self, answer: Answer) {
        self.lock().answers.push(answer);
        self.room.notify_all();
    }

    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.room.notify_all();
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The service's side.
    pub async fn next(self: &std::sync::Arc<Self>, max: usize, linger: Duration) -> Result<Event, KafkaError> {
        let mut until: Option<Instant> = None;
        loop {
            {
                let mut state = self.lock();
                if let Some(change) = state.changes.pop_front() {
                    return Ok(match change {
                        Change::Assigned(id, partitions) => Event::Assigned(Assignment::new(self, id, partitions)),
                        Change::Revoked(id, partitions, lost) => Event::Revoked(Revocation::new(self, id, partitions, lost)),
                    });
                }
                let waiting = state.messages.len();
                let due = until.is_some_and(|until| until <= Instant::now());
                if waiting >= max.max(1) || (waiting > 0 && (due || linger.is_zero())) {
                    let batch = state.take(max);
                    drop(state);
                    self.room.notify_all();
                    return Ok(Event::Batch(batch));
                }
                if waiting > 0 && until.is_none() {
                    until = Some(Instant::now() + linger);
                }
                if waiting == 0 {
                    until = None;
                    if let Some(error) = state.failed.take() {
                        return Err(error);
                    }
                }
            }
            match until {
                Some(until) => {
                    let _ = tokio::time::timeout_at(until, self.arrived.notified()).await;
                }
                None => self.arrived.notified().await,
            }
        }
    }
}
