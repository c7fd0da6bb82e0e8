//! A quorum over regions. Three-valued: what the silent regions might say is never guessed.

use super::policy::Policy;
use super::region::Confirmed;
use crate::clock::Millis;
use crate::ids::Region;
use crate::schedule::Slot;

/// The judged state of a monitor over its regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Up,
    Down,
    /// Too few regions have fresh evidence to say either, whatever the others might say.
    Insufficient,
}

/// What one region says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence<'a> {
    pub region: &'a Region,
    /// The newest slot with a verdict about the target.
    pub newest: Slot,
    /// Absent until enough samples came.
    pub confirmed: Option<Confirmed>,
}

/// A verdict with what led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub verdict: Verdict,
    /// The regions that are down by fresh evidence, sorted.
    pub down: Vec<Region>,
    /// When the quorum was first met (down: the failing run of the region that completed it; up: the
    /// passing run of the region that made a quorum impossible). Absent where nothing is decided.
    pub since: Option<Slot>,
    /// The slot that confirmed it.
    pub at: Option<Slot>,
}

/// Judges at `as_of` (slot time). Down needs `quorum` regions confirmed down by fresh evidence; up
/// needs so many up that the rest could not make a quorum. Everything else is insufficient.
pub fn judge<'a>(policy: &Policy, evidence: impl Iterator<Item = Evidence<'a>>, as_of: Millis) -> Judged {
    let mut down: Vec<(Confirmed, &Region)> = Vec::new();
    let mut up: Vec<Confirmed> = Vec::new();
    for one in evidence.filter(|one| policy.regions.contains(one.region) && policy.is_fresh(one.newest, as_of)) {
        match one.confirmed {
            Some(confirmed) if confirmed.down => down.push((confirmed, one.region)),
            Some(confirmed) => up.push(confirmed),
            None => {}
        }
    }
    let blocking = (policy.regions.len() + 1).saturating_sub(policy.quorum).max(1);
    let (verdict, since, at) = if down.len() >= policy.quorum {
        (Verdict::Down, nth(down.iter().map(|(c, _)| c.since), policy.quorum), nth(down.iter().map(|(c, _)| c.at), policy.quorum))
    } else if up.len() >= blocking {
        (Verdict::Up, nth(up.iter().map(|c| c.since), blocking), nth(up.iter().map(|c| c.at), blocking))
    } else {
        (Verdict::Insufficient, None, None)
    };
    let mut down: Vec<Region> = down.into_iter().map(|(_, region)| region.clone()).collect();
    down.sort();
    Judged { verdict, down, since, at }
}

/// The n-th smallest, counted from 1.
fn nth(slots: impl Iterator<Item = Slot>, n: usize) -> Option<Slot> {
    let mut slots: Vec<Slot> = slots.collect();
    slots.sort_unstable();
    slots.get(n - 1).copied()
}
