//! Regions as small numbers: there are few, and they repeat in every result.

use model::Region;
use model::history::BlockKey;

use super::{Key, Map};

/// A region's number inside one fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RegionId(u32);

#[derive(Default)]
pub(super) struct Regions {
    names: Vec<Region>,
    numbers: Map<Region, RegionId>,
}

impl Regions {
    pub fn intern(&mut self, region: &Region) -> RegionId {
        if let Some(number) = self.numbers.get(region) {
            return *number;
        }
        let number = RegionId(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        self.names.push(region.clone());
        self.numbers.insert(region.clone(), number);
        number
    }

    pub fn known(&self, region: &Region) -> Option<RegionId> {
        self.numbers.get(region).copied()
    }

    pub fn region(&self, number: RegionId) -> Region {
        self.names[number.0 as usize].clone()
    }

    pub fn intern_key(&mut self, key: &BlockKey) -> Key {
        Key { monitor: key.monitor, hour: key.hour, region: self.intern(&key.region) }
    }

    pub fn key(&self, key: &Key) -> BlockKey {
        BlockKey { monitor: key.monitor, region: self.region(key.region), hour: key.hour }
    }
}
