//! Which deliveries a job works on: only their claims are kept.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use store::incidents::ClaimedDelivery;
use uuid::Uuid;

#[derive(Clone, Default)]
pub(super) struct UnderWay(Arc<Mutex<HashSet<Uuid>>>);

/// Until it is dropped, these deliveries are under way.
pub(super) struct Kept {
    all: UnderWay,
    ours: Vec<Uuid>,
}

impl UnderWay {
    pub fn begin(&self, deliveries: &[ClaimedDelivery]) -> Kept {
        let ours: Vec<Uuid> = deliveries.iter().map(|delivery| delivery.id).collect();
        self.lock().extend(&ours);
        Kept { all: self.clone(), ours }
    }

    pub fn deliveries(&self) -> Vec<Uuid> {
        self.lock().iter().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        for id in &self.ours {
            all.remove(id);
        }
    }
}
