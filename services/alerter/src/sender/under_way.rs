//! Which deliveries a job works on, and since when each is surely ours: only their claims are kept, and nothing is sent under a claim
//! that may have run out. A process can stand still between any two of its steps, and PostgreSQL can be away meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{Clock, Millis};
use store::incidents::ClaimedDelivery;
use tokio::time::Instant;
use uuid::Uuid;

#[derive(Clone)]
pub(super) struct UnderWay {
    known: Arc<Mutex<HashMap<Uuid, Moment>>>,
    clock: Arc<dyn Clock>,
}

/// When PostgreSQL was asked for a claim that it gave or kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    steady: Instant,
    wall: Millis,
}

/// Until it is dropped, these deliveries are under way.
pub(super) struct Kept {
    all: UnderWay,
    ours: Vec<Uuid>,
}

impl UnderWay {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { known: Arc::default(), clock }
    }

    /// To be taken before PostgreSQL is asked: the claim lasts from then on at the latest.
    pub fn now(&self) -> Moment {
        Moment { steady: Instant::now(), wall: self.clock.now_ms() }
    }

    pub fn begin(&self, deliveries: &[ClaimedDelivery], claimed: Moment) -> Kept {
        let ours: Vec<Uuid> = deliveries.iter().map(|delivery| delivery.id).collect();
        self.lock().extend(ours.iter().map(|id| (*id, claimed)));
        Kept { all: self.clone(), ours }
    }

    pub fn deliveries(&self) -> Vec<Uuid> {
        self.lock().keys().copied().collect()
    }

    /// These are ours as of `asked`.
    pub fn confirm(&self, kept: &[Uuid], asked: Moment) {
        let mut known = self.lock();
        for id in kept {
            if let Some(moment) = known.get_mut(id) {
                *moment = asked;
            }
        }
    }

    /// By the clock that cannot be set, or by the other where that one stood still (it does while a machine sleeps).
    fn since(&self, moment: Moment) -> Duration {
        let wall = Duration::from_millis((self.clock.now_ms() - moment.wall).unsigned_abs());
        moment.steady.elapsed().max(wall)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Moment>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    pub fn all(&self) -> &UnderWay {
        &self.all
    }

    /// Whether PostgreSQL said within `limit` that this delivery is ours.
    pub fn is_ours(&self, delivery: Uuid, limit: Duration) -> bool {
        let known = self.all.lock().get(&delivery).copied();
        known.is_some_and(|moment| self.all.since(moment) < limit)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut known = self.all.lock();
        for id in &self.ours {
            known.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    struct Wall(AtomicI64);

    impl Clock for Wall {
        fn now_ms(&self) -> Millis {
            self.0.load(Ordering::Relaxed)
        }
    }

    const LIMIT: Duration = Duration::from_secs(5);
    const ID: Uuid = Uuid::from_u128(1);

    /// One delivery, claimed so many seconds ago.
    fn begun(seconds: u64, wall: &Arc<Wall>) -> Kept {
        let all = UnderWay::new(Arc::clone(wall) as Arc<dyn Clock>);
        let claimed = ago(seconds, &all);
        all.lock().insert(ID, claimed);
        Kept { all, ours: vec![ID] }
    }

    fn ago(seconds: u64, all: &UnderWay) -> Moment {
        let now = all.now();
        Moment { steady: now.steady.checked_sub(Duration::from_secs(seconds)).expect("the machine is up for longer"), ..now }
    }

    #[test]
    fn a_claim_is_sure_for_a_while_after_each_answer() {
        let wall = Arc::new(Wall(AtomicI64::new(0)));
        assert!(begun(4, &wall).is_ours(ID, LIMIT));
        let kept = begun(6, &wall);
        assert!(!kept.is_ours(ID, LIMIT), "six seconds without an answer");
        let others = Uuid::from_u128(2);
        kept.all().confirm(&[ID, others], ago(1, kept.all()));
        assert!(kept.is_ours(ID, LIMIT));
        assert!(!kept.is_ours(others, LIMIT), "not under way at all");
        let all = kept.all().clone();
        drop(kept);
        assert!(all.deliveries().is_empty());
    }

    #[test]
    fn a_machine_that_slept_is_sure_of_nothing() {
        let wall = Arc::new(Wall(AtomicI64::new(0)));
        let kept = begun(0, &wall);
        wall.0.store(3_600_000, Ordering::Relaxed);
        assert!(!kept.is_ours(ID, LIMIT), "its steady clock stood still");
    }
}
