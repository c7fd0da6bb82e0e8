//! The rendezvous of a rebalance: the thread waits (polling) for the service's answer.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use super::Partition;
use super::inbox::Inbox;

/// A rebalance on its way to the service.
pub(super) enum Change {
    Assigned(u64, Vec<Partition>),
    Revoked(u64, Vec<Partition>, bool),
}

/// The service's answer.
pub(super) enum Answer {
    Start(u64, HashMap<Partition, i64>),
    Done(u64),
}

/// Partitions that become ours. Reading starts when [`Self::start`] is called; the group waits for it,
/// at most until the rebalance timeout. Dropping it starts at the committed offsets.
#[derive(Debug)]
pub struct Assignment(Ticket);

/// Partitions that go. The group waits five seconds for [`Self::done`]; dropping it is the same.
#[derive(Debug)]
pub struct Revocation {
    ticket: Ticket,
    lost: bool,
}

type MakeAnswer = fn(u64, HashMap<Partition, i64>) -> Answer;

struct Ticket {
    inbox: Weak<Inbox>,
    id: u64,
    partitions: Vec<Partition>,
    answer: Option<MakeAnswer>,
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.partitions).finish()
    }
}

impl Ticket {
    fn answer(&mut self, offsets: HashMap<Partition, i64>) {
        if let (Some(answer), Some(inbox)) = (self.answer.take(), self.inbox.upgrade()) {
            inbox.answer(answer(self.id, offsets));
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.answer(HashMap::new());
    }
}

impl Assignment {
    pub(super) fn new(inbox: &Arc<Inbox>, id: u64, partitions: Vec<Partition>) -> Self {
        Self(Ticket { inbox: Arc::downgrade(inbox), id, partitions, answer: Some(Answer::Start) })
    }

    pub fn partitions(&self) -> &[Partition] {
        &self.0.partitions
    }

    /// Whether the group has not taken any of it back meanwhile, as far as we have heard.
    pub fn stands(&self) -> bool {
        let Some(inbox) = self.0.inbox.upgrade() else { return false };
        let state = inbox.lock();
        let gone = |partition: &Partition| {
            let mut changes = state.changes.iter();
            changes.any(|change| matches!(change, Change::Revoked(_, revoked, _) if revoked.contains(partition)))
        };
        !self.0.partitions.iter().any(gone)
    }

    /// Starts reading. A partition without an offset starts where the group committed, or at the
    /// earliest record; an offset outside the log means the earliest record too.
    pub fn start(mut self, offsets: HashMap<Partition, i64>) {
        self.0.answer(offsets);
    }
}

impl Revocation {
    pub(super) fn new(inbox: &Arc<Inbox>, id: u64, partitions: Vec<Partition>, lost: bool) -> Self {
        let answer: MakeAnswer = |id, _| Answer::Done(id);
        Self { ticket: Ticket { inbox: Arc::downgrade(inbox), id, partitions, answer: Some(answer) }, lost }
    }

    pub fn partitions(&self) -> &[Partition] {
        &self.ticket.partitions
    }

    /// The member was put out of the group (it was silent too long): another may already read these
    /// partitions, and a commit is refused.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Lets them go.
    pub fn done(self) {
        drop(self);
    }
}
