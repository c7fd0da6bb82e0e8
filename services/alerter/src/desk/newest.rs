//! How far each region is judged.

use std::collections::BTreeMap;

use model::{CheckResult, Region, Slot};

/// The newest slot of each region that was judged here.
#[derive(Debug, Default)]
pub struct Newest {
    slots: BTreeMap<Region, Slot>,
    /// Something is newer than was told last, or what was told may be lost.
    untold: bool,
}

impl Newest {
    pub fn note(&mut self, result: &CheckResult) {
        if self.slots.get(&result.region).is_none_or(|known| *known < result.slot) {
            self.slots.insert(result.region.clone(), result.slot);
            self.untold = true;
        }
    }

    /// All of them are to be told once more.
    pub fn tell_again(&mut self) {
        self.untold = !self.slots.is_empty();
    }

    /// All of them, where any is to be told.
    pub fn untold(&mut self) -> Option<Vec<(Region, Slot)>> {
        let untold = std::mem::take(&mut self.untold);
        untold.then(|| self.slots.iter().map(|(region, slot)| (region.clone(), *slot)).collect())
    }
}
