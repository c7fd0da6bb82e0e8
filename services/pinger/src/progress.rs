//! How far each shard has come: an instant before which every slot's result is on the log. Slots are
//! opened when they come due and closed when Kafka has their result.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use model::schedule::SHARDS;
use model::{Millis, Shard, Slot};

/// Shared by the engine (opens), the reporter (closes) and the lease loop (writes to Redis).
#[derive(Debug)]
pub struct Progress(Mutex<Vec<Option<Track>>>);

#[derive(Debug)]
struct Track {
    epoch: u64,
    /// Open slots by whole second: an outage of half an hour stays a list of 1800.
    open: BTreeMap<i64, u32>,
    /// Every slot up to here has been opened.
    seen_until: Option<Millis>,
    /// On its way to another pinger: what comes due is opened no more.
    paused: bool,
    written: Option<Millis>,
}

impl Default for Progress {
    fn default() -> Self {
        Self(Mutex::new((0..SHARDS).map(|_| None).collect()))
    }
}

impl Progress {
    /// A shard was acquired. Nothing is known to be done until [`Progress::seen`].
    pub fn begin(&self, shard: Shard, epoch: u64) {
        self.with(|tracks| {
            if let Some(track) = tracks.get_mut(usize::from(shard.0)) {
                *track = Some(Track { epoch, open: BTreeMap::new(), seen_until: None, paused: false, written: None });
            }
        });
    }

    /// Nothing of the shard is opened from here on, so its progress stays where it is, short of what the
    /// next owner has to run.
    pub fn pause(&self, shard: Shard) {
        self.with(|tracks| {
            if let Some(Some(track)) = tracks.get_mut(usize::from(shard.0)) {
                track.paused = true;
            }
        });
    }

    /// The shard stays here after all.
    pub fn resume(&self, shard: Shard) {
        self.with(|tracks| {
            if let Some(Some(track)) = tracks.get_mut(usize::from(shard.0)) {
                track.paused = false;
            }
        });
    }

    /// A shard was given up.
    pub fn end(&self, shard: Shard) {
        self.with(|tracks| {
            if let Some(track) = tracks.get_mut(usize::from(shard.0)) {
                *track = None;
            }
        });
    }

    /// A slot came due.
    pub fn open(&self, shard: Shard, slot: Slot) {
        self.with(|tracks| {
            if let Some(Some(track)) = tracks.get_mut(usize::from(shard.0)) {
                *track.open.entry(slot.div_euclid(1000)).or_default() += 1;
            }
        });
    }

    /// A slot's result is on the log. Ignored if the shard was acquired anew since.
    pub fn close(&self, shard: Shard, epoch: u64, slot: Slot) {
        self.with(|tracks| {
            let Some(Some(track)) = tracks.get_mut(usize::from(shard.0)) else { return };
            if track.epoch != epoch {
                return;
            }
            if let std::collections::btree_map::Entry::Occupied(mut open) = track.open.entry(slot.div_euclid(1000)) {
                *open.get_mut() -= 1;
                if *open.get() == 0 {
                    open.remove();
                }
            }
        });
    }

    /// Every slot up to `until` has been opened, in all shards held.
    pub fn seen(&self, until: Millis) {
        self.with(|tracks| {
            tracks.iter_mut().flatten().filter(|track| !track.paused).for_each(|track| track.seen_until = Some(until));
        });
    }

    /// What to write to Redis: shard, epoch, instant, for each that advanced since it was written last.
    pub fn advanced(&self) -> Vec<(Shard, u64, Millis)> {
        self.with(|tracks| {
            let mut advanced = Vec::new();
            for (shard, track) in (0..).zip(tracks.iter_mut()) {
                let Some(track) = track else { continue };
                if let Some(until) = track.until().filter(|until| track.written.is_none_or(|written| written < *until)) {
                    advanced.push((Shard(shard), track.epoch, until));
                }
            }
            advanced
        })
    }

    /// Up to where a shard's slots are on the log.
    pub fn until(&self, shard: Shard) -> Option<Millis> {
        self.with(|tracks| tracks.get(usize::from(shard.0))?.as_ref()?.until())
    }

    /// These are in Redis now.
    pub fn written(&self, written: &[(Shard, u64, Millis)]) {
        self.with(|tracks| {
            for (shard, epoch, until) in written {
                if let Some(Some(track)) = tracks.get_mut(usize::from(shard.0))
                    && track.epoch == *epoch
                {
                    track.written = Some(*until);
                }
            }
        });
    }

    /// Redis forgot: everything is to be written again.
    pub fn rewrite(&self) {
        self.with(|tracks| tracks.iter_mut().flatten().for_each(|track| track.written = None));
    }

    /// Slots of a shard that are open.
    pub fn open_slots(&self, shard: Shard) -> u32 {
        self.with(|tracks| tracks.get(usize::from(shard.0)).and_then(Option::as_ref).map_or(0, |track| track.open.values().sum()))
    }

    fn with<T>(&self, f: impl FnOnce(&mut Vec<Option<Track>>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Track {
    fn until(&self) -> Option<Millis> {
        let seen = self.seen_until?;
        Some(self.open.first_key_value().map_or(seen, |(second, _)| seen.min(second * 1000 - 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_stops_before_the_oldest_open_slot() {
        let progress = Progress::default();
        let shard = Shard(3);
        progress.begin(shard, 7);
        assert_eq!(progress.advanced(), [], "nothing is known yet");
        progress.open(shard, 10_250);
        progress.open(shard, 10_900);
        progress.open(shard, 12_000);
        progress.seen(12_500);
        assert_eq!(progress.advanced(), [(shard, 7, 9_999)]);
        progress.close(shard, 7, 10_250);
        assert_eq!(progress.advanced(), [(shard, 7, 9_999)]);
        progress.close(shard, 7, 10_900);
        assert_eq!(progress.advanced(), [(shard, 7, 11_999)]);
        progress.close(shard, 6, 12_000);
        assert_eq!(progress.advanced(), [(shard, 7, 11_999)], "an earlier epoch closes nothing");
        progress.close(shard, 7, 12_000);
        assert_eq!(progress.advanced(), [(shard, 7, 12_500)]);
    }

    #[test]
    fn a_paused_shard_does_not_pass_what_it_did_not_open() {
        let progress = Progress::default();
        progress.begin(Shard(1), 1);
        progress.open(Shard(1), 4_500);
        progress.seen(5_000);
        progress.pause(Shard(1));
        progress.seen(9_000);
        progress.close(Shard(1), 1, 4_500);
        assert_eq!(progress.advanced(), [(Shard(1), 1, 5_000)]);
        progress.begin(Shard(1), 2);
        progress.seen(9_500);
        assert_eq!(progress.advanced(), [(Shard(1), 2, 9_500)], "acquired again");
    }

    #[test]
    fn only_what_advanced_is_written_and_all_of_it_after_redis_forgot() {
        let progress = Progress::default();
        progress.begin(Shard(1), 1);
        progress.seen(5_000);
        let advanced = progress.advanced();
        progress.written(&advanced);
        assert_eq!(progress.advanced(), []);
        progress.rewrite();
        assert_eq!(progress.advanced(), [(Shard(1), 1, 5_000)]);
        progress.end(Shard(1));
        assert_eq!(progress.advanced(), []);
    }
}
