//! How many checks run at once: over all, and per host, so that one host that hangs does not take the
//! room of the others. What has no room waits, in order and not for long.

use std::collections::{HashMap, VecDeque};

use model::{Millis, Slot};

/// A slot that waits for room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) index: u32,
    pub(crate) generation: u32,
    pub(crate) slot: Slot,
    pub(crate) host: u64,
    /// Past this it is missed.
    pub(crate) until: Millis,
}

/// Where a slot goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admitted {
    Run,
    Wait,
    /// The queues are full.
    Refused,
}

#[derive(Debug)]
pub(crate) struct Admission {
    most: usize,
    most_per_host: usize,
    most_waiting: usize,
    running: usize,
    waiting: usize,
    hosts: HashMap<u64, Host>,
    /// Those held up by the whole, not by their host.
    queue: VecDeque<Waiting>,
}

#[derive(Debug, Default)]
struct Host {
    running: usize,
    queue: VecDeque<Waiting>,
}

impl Admission {
    pub(crate) fn new(most: usize, most_per_host: usize, most_waiting: usize) -> Self {
        Self { most, most_per_host, most_waiting, running: 0, waiting: 0, hosts: HashMap::new(), queue: VecDeque::new() }
    }

    pub(crate) fn running(&self) -> usize {
        self.running
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Runs it, or has it wait its turn.
    pub(crate) fn admit(&mut self, slot: Waiting) -> Admitted {
        let host = self.hosts.entry(slot.host).or_default();
        let host_full = host.running >= self.most_per_host || !host.queue.is_empty();
        let full = self.running >= self.most || !self.queue.is_empty();
        if !host_full && !full {
            host.running += 1;
            self.running += 1;
            return Admitted::Run;
        }
        if self.waiting >= self.most_waiting {
            return Admitted::Refused;
        }
        self.waiting += 1;
        if host_full {
            host.queue.push_back(slot);
        } else {
            self.queue.push_back(slot);
        }
        Admitted::Wait
    }

    /// A check of `host` ended.
    pub(crate) fn release(&mut self, host: u64) {
        self.running = self.running.saturating_sub(1);
        let Some(known) = self.hosts.get_mut(&host) else { return };
        known.running = known.running.saturating_sub(1);
        self.promote(host);
    }

    /// A host's next one joins the common queue if its turn for the host has come.
    fn promote(&mut self, host: u64) {
        let Some(known) = self.hosts.get_mut(&host) else { return };
        if known.running < self.most_per_host
            && let Some(next) = known.queue.pop_front()
        {
            self.queue.push_back(next);
        }
        if known.running == 0 && known.queue.is_empty() {
            self.hosts.remove(&host);
        }
    }

    /// The next one that may run now; it is counted as running. Too late ones come out, too, as `Err`.
    pub(crate) fn next(&mut self, now: Millis) -> Option<Result<Waiting, Waiting>> {
        while let Some(front) = self.queue.front().copied() {
            let late = front.until < now;
            if !late && self.running >= self.most {
                return None;
            }
            self.queue.pop_front();
            if late {
                self.waiting -= 1;
                // It does not run, so no end of it brings the host's next one.
                self.promote(front.host);
                return Some(Err(front));
            }
            let host = self.hosts.entry(front.host).or_default();
            if host.running < self.most_per_host {
                host.running += 1;
                self.running += 1;
                self.waiting -= 1;
                return Some(Ok(front));
            }
            host.queue.push_back(front);
        }
        None
    }

    /// Those that waited too long for their host.
    pub(crate) fn overdue(&mut self, now: Millis) -> Vec<Waiting> {
        let mut late = Vec::new();
        for host in self.hosts.values_mut() {
            while let Some(front) = host.queue.front().copied().filter(|front| front.until < now) {
                host.queue.pop_front();
                late.push(front);
            }
        }
        self.hosts.retain(|_, host| host.running > 0 || !host.queue.is_empty());
        self.waiting -= late.len();
        late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(slot: Slot, host: u64) -> Waiting {
        Waiting { index: 0, generation: 0, slot, host, until: slot + 100 }
    }

    #[test]
    fn a_host_that_hangs_leaves_room_for_the_others() {
        let mut admission = Admission::new(4, 2, 10);
        assert_eq!([1, 2, 3, 4].map(|n| admission.admit(slot(n, 7))), [Admitted::Run, Admitted::Run, Admitted::Wait, Admitted::Wait]);
        assert_eq!(admission.admit(slot(5, 8)), Admitted::Run);
        assert_eq!((admission.running(), admission.waiting()), (3, 2));
        assert_eq!(admission.next(5), None);
        admission.release(7);
        assert_eq!(admission.next(5), Some(Ok(slot(3, 7))));
        assert_eq!(admission.next(5), None);
        assert_eq!((admission.running(), admission.waiting()), (3, 1));
    }

    #[test]
    fn a_slot_that_expires_before_its_turn_passes_it_on() {
        let mut admission = Admission::new(2, 1, 10);
        assert_eq!(admission.admit(slot(1, 7)), Admitted::Run);
        assert_eq!(admission.admit(slot(2, 7)), Admitted::Wait);
        assert_eq!(admission.admit(slot(500, 7)), Admitted::Wait);
        assert_eq!(admission.admit(slot(3, 8)), Admitted::Run);
        admission.release(7);
        assert_eq!(admission.next(550), Some(Err(slot(2, 7))));
        assert_eq!(admission.next(550), Some(Ok(slot(500, 7))));
        assert_eq!((admission.running(), admission.waiting()), (2, 0));
    }

    #[test]
    fn what_a_full_host_sends_back_keeps_its_order() {
        let mut admission = Admission::new(3, 2, 10);
        for n in 1..=3 {
            assert_eq!(admission.admit(slot(n, 100 + u64::try_from(n).expect("small"))), Admitted::Run);
        }
        for n in 4..=7 {
            assert_eq!(admission.admit(slot(n, 7)), Admitted::Wait);
        }
        (101..=103).for_each(|host| admission.release(host));
        assert_eq!([4, 5].map(|n| Some(Ok(slot(n, 7)))), [admission.next(8), admission.next(8)]);
        assert_eq!(admission.next(8), None);
        admission.release(7);
        assert_eq!(admission.next(8), Some(Ok(slot(6, 7))));
        admission.release(7);
        assert_eq!(admission.next(8), Some(Ok(slot(7, 7))));
    }

    #[test]
    fn what_waited_too_long_comes_out_as_missed() {
        let mut admission = Admission::new(1, 1, 2);
        assert_eq!(admission.admit(slot(1, 7)), Admitted::Run);
        assert_eq!(admission.admit(slot(2, 8)), Admitted::Wait);
        assert_eq!(admission.admit(slot(3, 7)), Admitted::Wait);
        assert_eq!(admission.admit(slot(4, 9)), Admitted::Refused);
        assert_eq!(admission.next(50), None);
        assert_eq!(admission.next(1000), Some(Err(slot(2, 8))));
        assert_eq!(admission.overdue(1000), [slot(3, 7)]);
        assert_eq!((admission.running(), admission.waiting()), (1, 0));
        admission.release(7);
        assert_eq!((admission.running(), admission.next(1000)), (0, None));
    }
}
