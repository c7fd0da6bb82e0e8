//! The polling thread. It never blocks for long: a rebalance waits for the service's answer while
//! polling goes on, and a full inbox pauses the partitions instead of the polling.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError as NativeError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::context::Announced;
use super::inbox::Inbox;
use super::rebalance::{Answer, Change};
use super::{Native, Partition, list};
use crate::error::KafkaError;
use crate::record::{Detacher, Message};

/// How long a revocation waits for the service.
const REVOKE_LIMIT: Duration = Duration::from_secs(5);
/// How long a full inbox is waited for before the partitions are paused.
const FULL_LIMIT: Duration = Duration::from_secs(1);
/// How long a poll waits for a record; whoever closes the consumer waits as long.
const IDLE: Duration = Duration::from_millis(25);
/// Records moved to the inbox at once.
const CHUNK: usize = 512;

struct Pending {
    id: u64,
    announced: Announced,
    partitions: Vec<Partition>,
    since: Instant,
}

struct Poller<'a> {
    client: &'a Native,
    inbox: &'a Inbox,
    detacher: Detacher,
    pending: Vec<Pending>,
    next_id: u64,
    /// Partitions about to be revoked: what still arrives of them is dropped.
    leaving: HashSet<Partition>,
}

/// However the thread ends, whoever waits for records learns that none will come.
struct Ends<'a>(&'a Inbox);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.lock().failed = Some(KafkaError::Closed);
        self.0.wake();
    }
}

pub(super) fn run(client: Arc<Native>, inbox: &Arc<Inbox>) {
    let _ends = Ends(inbox);
    let mut poller =
        Poller { client: &client, inbox, detacher: Detacher::default(), pending: Vec::new(), next_id: 0, leaving: HashSet::new() };
    let mut chunk = Vec::with_capacity(CHUNK);
    while !inbox.is_closed() {
        poller.fetch(&mut chunk);
        poller.announce();
        poller.carry_out();
        poller.govern();
    }
    // Rebalances still waiting would keep the close waiting.
    for pending in std::mem::take(&mut poller.pending) {
        poller.finish(pending, &HashMap::new());
    }
    drop(client);
}

impl Poller<'_> {
    /// Polls once, and on while records are there.
    fn fetch(&mut self, chunk: &mut Vec<Message>) {
        let mut wait = if self.pending.is_empty() { IDLE } else { Duration::from_millis(10) };
        while let Some(polled) = self.client.poll(wait) {
            wait = Duration::ZERO;
            match polled {
                Ok(message) => {
                    let message = self.detacher.detach(&message);
                    if self.leaving.is_empty() || !self.leaving.contains(&(Arc::clone(&message.topic), message.partition)) {
                        chunk.push(message);
                    }
                }
                Err(error) => self.judge(error),
            }
            if chunk.len() >= CHUNK {
                break;
            }
        }
        self.inbox.push(chunk);
    }

    fn judge(&self, error: NativeError) {
        match error {
            NativeError::MessageConsumptionFatal(_) => {
                self.inbox.lock().failed = Some(error.into());
                self.inbox.wake();
            }
            // The process was frozen; the client rejoins by itself and the partitions come back.
            NativeError::MessageConsumption(RDKafkaErrorCode::PollExceeded) => {
                tracing::warn!("the Kafka consumer was not polled in time and rejoins its group");
            }
            error => tracing::debug!(%error, "Kafka consumer"),
        }
    }

    /// Shows the service the rebalances librdkafka announced.
    fn announce(&mut self) {
        for announced in self.client.context().take_announced() {
            let elements = announced.list.elements();
            let partitions: Vec<Partition> = elements.iter().map(|e| (self.detacher.name(e.topic()), e.partition())).collect();
            let id = self.next_id;
            self.next_id += 1;
            let mut state = self.inbox.lock();
            if announced.assign {
                state.changes.push_back(Change::Assigned(id, partitions.clone()));
            } else {
                let leaving: HashSet<Partition> = partitions.iter().cloned().collect();
                drop(state);
                self.settle_assigns(&leaving);
                state = self.inbox.lock();
                // Still owned until it is done, so that a last commit goes through.
                let owned: Vec<Partition> = leaving.iter().filter(|p| state.owned.contains(*p)).cloned().collect();
                state.purge(&leaving);
                if !announced.lost {
                    state.owned.extend(owned);
                }
                state.changes.push_back(Change::Revoked(id, partitions.clone(), announced.lost));
                self.leaving.extend(leaving);
            }
            drop(state);
            self.inbox.wake();
            tracing::info!(assign = announced.assign, lost = announced.lost, ?partitions, "Kafka rebalance");
            self.pending.push(Pending { id, announced, partitions, since: Instant::now() });
        }
    }

    /// An assignment the service has not answered yet is carried out before its loss: librdkafka takes nothing away that it
    /// was not given, and an answer that comes later must not bring back what is gone.
    fn settle_assigns(&mut self, leaving: &HashSet<Partition>) {
        let unanswered = |pending: &Pending| pending.announced.assign && pending.partitions.iter().any(|one| leaving.contains(one));
        while let Some(at) = self.pending.iter().position(unanswered) {
            let pending = self.pending.remove(at);
            self.finish(pending, &HashMap::new());
        }
    }

    /// Carries out what the service answered, and revocations it did not answer in time.
    fn carry_out(&mut self) {
        if self.pending.is_empty() {
            self.inbox.lock().answers.clear();
            return;
        }
        let answers = std::mem::take(&mut self.inbox.lock().answers);
        for answer in answers {
            let (id, offsets) = match answer {
                Answer::Start(id, offsets) => (id, offsets),
                Answer::Done(id) => (id, HashMap::new()),
            };
            if let Some(at) = self.pending.iter().position(|pending| pending.id == id) {
                let pending = self.pending.remove(at);
                self.finish(pending, &offsets);
            }
        }
        let overdue = |pending: &Pending| !pending.announced.assign && (pending.announced.lost || pending.since.elapsed() > REVOKE_LIMIT);
        while let Some(at) = self.pending.iter().position(overdue) {
            let pending = self.pending.remove(at);
            self.finish(pending, &HashMap::new());
        }
    }

    fn finish(&mut self, mut pending: Pending, offsets: &HashMap<Partition, i64>) {
        let result = if pending.announced.assign {
            self.assign(&mut pending.announced.list, offsets)
        } else {
            self.client.incremental_unassign(&pending.announced.list)
        };
        let mut state = self.inbox.lock();
        for partition in &pending.partitions {
            self.leaving.remove(partition);
            if pending.announced.assign && result.is_ok() {
                state.owned.insert(partition.clone());
            } else if !pending.announced.assign {
                state.owned.remove(partition);
            }
        }
        // A newly assigned partition joins the others in waiting for room.
        let flow_paused = state.flow_paused;
        drop(state);
        if flow_paused && pending.announced.assign {
            let _ = self.client.pause(&pending.announced.list);
        }
        self.client.context().count(if pending.announced.assign { "assigned" } else { "revoked" }, &pending.partitions);
        if let Err(error) = result {
            // The assignment was lost meanwhile; another rebalance follows.
            tracing::warn!(%error, "Kafka rebalance was not carried out");
        }
    }

    fn assign(&self, list: &mut TopicPartitionList, offsets: &HashMap<Partition, i64>) -> Result<(), NativeError> {
        for ((topic, partition), offset) in offsets {
            if list.find_partition(topic, *partition).is_some() {
                list.set_partition_offset(topic, *partition, Offset::Offset(*offset))?;
            }
        }
        self.client.incremental_assign(list)
    }

    /// Stops fetching while the service is behind, without stopping to poll.
    fn govern(&self) {
        let state = self.inbox.lock();
        let (full, half_empty, paused) = (state.full(), state.half_empty(), state.flow_paused);
        drop(state);
        if paused && half_empty {
            self.flow(false);
        } else if full && !paused && !self.inbox.wait_for_room(FULL_LIMIT) && self.inbox.lock().full() {
            self.flow(true);
        }
    }

    fn flow(&self, pause: bool) {
        let mut state = self.inbox.lock();
        state.flow_paused = pause;
        let affected: Vec<Partition> = state.owned.iter().filter(|p| !state.paused.contains(*p)).cloned().collect();
        drop(state);
        let done = list(&affected).and_then(|list| Ok(if pause { self.client.pause(&list) } else { self.client.resume(&list) }?));
        if let Err(error) = done {
            tracing::warn!(%error, pause, "Kafka flow control");
        }
    }
}
