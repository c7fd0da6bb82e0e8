//! The newest result of a monitor in a region.

use bytes::Bytes;
use cache::{LiveResult, LiveWrite};
use model::history::hour_of;
use model::uptime::Counts;
use model::{MonitorId, Region};

pub(super) struct Latest {
    pub live: LiveResult,
    /// Redis may not have it.
    pub unwritten: bool,
}

impl Latest {
    /// The same order as the script that stores it: the later slot, then the outcome that outranks, then
    /// the later configuration, then a fixed order of the bytes.
    pub fn is_older_than(&self, other: &LiveResult) -> bool {
        let rank = |live: &LiveResult| (live.slot, live.outcome.merge_rank(), live.revision);
        match rank(&self.live).cmp(&rank(other)) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Greater => false,
            std::cmp::Ordering::Equal => self.live != *other && self.json() < json(other),
        }
    }

    pub fn json(&self) -> Option<Bytes> {
        json(&self.live)
    }

    /// A write of the latest result alone.
    pub fn write(&self, monitor: MonitorId, region: Region) -> LiveWrite {
        LiveWrite {
            monitor,
            region,
            hour: hour_of(self.live.slot),
            expected: Bytes::new(),
            block: Bytes::new(),
            counts: Counts::default(),
            latest: None,
        }
    }
}

fn json(live: &LiveResult) -> Option<Bytes> {
    // A struct of numbers and strings always has a JSON.
    serde_json::to_vec(live).ok().map(Bytes::from)
}
