//! How often in a row each channel has failed. Pauses grow with it: the channel is what is in trouble, whoever's message
//! it was. A delivery's own count of claims would not do, as claims end for other reasons too (put back unsent, a sender died).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::ChannelId;

/// Cheap to clone; every sender of the process counts in the same.
#[derive(Debug, Clone, Default)]
pub struct Failures(Arc<Mutex<HashMap<ChannelId, u32>>>);

impl Failures {
    /// One more; gives how many in a row that makes.
    pub fn failed(&self, channel: ChannelId) -> u32 {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = known.entry(channel).or_insert(0);
        *count = count.saturating_add(1);
        *count
    }

    /// The channel took a message: the next failure is the first.
    pub fn worked(&self, channel: ChannelId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&channel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_count_in_a_row_and_for_their_channel_alone() {
        let (failures, one, two) = (Failures::default(), ChannelId(uuid::Uuid::from_u128(1)), ChannelId(uuid::Uuid::from_u128(2)));
        assert_eq!([failures.failed(one), failures.failed(one), failures.failed(two)], [1, 2, 1]);
        failures.worked(one);
        assert_eq!([failures.failed(one), failures.failed(two)], [1, 2]);
    }
}
