//! One file of the spool.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bytes::{Buf as _, Bytes, BytesMut};

use super::record::{Kind, SpoolItem};

/// A file and what is known of it.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) sequence: u64,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) records: u64,
    /// Damaged places that are counted already.
    pub(super) corrupt: u64,
    /// How much of it has been given up.
    pub(super) given_up: Level,
    /// What was written to it in this run, as the gaps it would leave: told where the file cannot be read back. Not of what a former
    /// run left, whose slots are not ours, and not of more than [`MOST_KNOWN`] records of all files.
    pub(super) known: Vec<SpoolItem>,
}

/// About 18 MB: an hour of 50 checks a second.
pub(super) const MOST_KNOWN: usize = 200_000;

/// What a file has given up, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Nothing,
    /// Its steady results: successes after successes.
    Steady,
    /// All its results.
    Everything,
}

/// The records of a file, and how many damaged places were skipped.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) items: Vec<SpoolItem>,
    pub(super) corrupt: u64,
}

impl Segment {
    pub(super) fn new(dir: &Path, sequence: u64) -> Self {
        Self {
            sequence,
            path: dir.join(format!("{sequence:016}.spool")),
            bytes: 0,
            records: 0,
            corrupt: 0,
            given_up: Level::Nothing,
            known: Vec::new(),
        }
    }

    /// The file of a former run; a torn tail is cut off.
    pub(super) fn recover(dir: &Path, sequence: u64) -> io::Result<Self> {
        let mut segment = Self::new(dir, sequence);
        let (contents, sound) = scan(fs::read(&segment.path)?.into());
        let length = fs::metadata(&segment.path)?.len();
        if sound < length {
            tracing::warn!(file = %segment.path.display(), bytes = length - sound, "cutting a torn tail off the spool");
            OpenOptions::new().write(true).open(&segment.path)?.set_len(sound)?;
        }
        segment.bytes = sound;
        segment.records = contents.items.len() as u64;
        segment.corrupt = contents.corrupt;
        Ok(segment)
    }

    /// Its records. Of those of this run that are damaged, the gaps they leave come last: their slots are open, and stand in the way
    /// of their shards' progress until something is said of them.
    pub(super) fn read(&self) -> io::Result<Contents> {
        let mut contents = scan(fs::read(&self.path)?.into()).0;
        if contents.items.len() < self.known.len() {
            let found: HashSet<_> = contents.items.iter().map(|item| (item.monitor, item.slot)).collect();
            let lost: Vec<_> = self.known.iter().filter(|item| !found.contains(&(item.monitor, item.slot))).cloned().collect();
            contents.corrupt = contents.corrupt.max(u64::from(!lost.is_empty()));
            contents.items.extend(lost);
        }
        Ok(contents)
    }

    /// Appends and syncs. On failure the file is put back to what it was. `remember` as many of them.
    pub(super) fn append(&mut self, file: &mut File, items: &[SpoolItem], remember: usize) -> io::Result<()> {
        let mut buffer = BytesMut::with_capacity(items.len() * 512);
        for item in items {
            item.encode(&mut buffer);
        }
        let written = file.write_all(&buffer).and_then(|()| file.sync_data());
        if let Err(error) = written {
            // A half-written record would only be skipped as damaged later; cutting it is tidier.
            let _ = file.set_len(self.bytes);
            return Err(error);
        }
        self.bytes += buffer.len() as u64;
        self.records += items.len() as u64;
        self.known.extend(items.iter().take(remember).map(|item| item.clone().given_up()));
        self.given_up = Level::Nothing;
        Ok(())
    }

    /// Replaces results by the gaps they leave. Answers how many, and how many damaged places were found on
    /// the way.
    pub(super) fn give_up(&mut self, level: Level) -> io::Result<(u64, u64)> {
        let contents = self.read()?;
        let mut evicted = 0;
        let mut buffer = BytesMut::new();
        let (records, mut corrupt) = (contents.items.len() as u64, 0);
        for item in contents.items {
            if item.kind == Kind::Steady || (item.kind == Kind::Result && level == Level::Everything) {
                evicted += 1;
                item.given_up().encode(&mut buffer);
            } else {
                item.encode(&mut buffer);
            }
        }
        if evicted > 0 {
            self.replace(&buffer)?;
            self.bytes = buffer.len() as u64;
            self.records = records;
            corrupt = contents.corrupt.saturating_sub(std::mem::take(&mut self.corrupt));
        }
        self.given_up = level;
        Ok((evicted, corrupt))
    }

    /// Puts other bytes, never more, in place of the file's. A full disk has no room for a second file:
    /// then they are written over the first. If we die in between, the checksums tell, and the slots
    /// that are lost are open still, so that whoever checks the shard next records them as missed.
    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let fresh = self.path.with_extension("fresh");
        let beside = File::create(&fresh)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_data()))
            .and_then(|()| fs::rename(&fresh, &self.path));
        match beside {
            Ok(()) => Ok(()),
            Err(error) if is_full(&error) => {
                let _ = fs::remove_file(&fresh);
                let mut file = OpenOptions::new().write(true).open(&self.path)?;
                file.write_all(bytes)?;
                file.set_len(bytes.len() as u64)?;
                file.sync_data()
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether the disk takes no more.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

/// Reads record by record; where one is damaged, goes on at the next sound one. Answers, too, up to
/// where the file is worth keeping.
fn scan(mut bytes: Bytes) -> (Contents, u64) {
    let mut contents = Contents::default();
    let mut at = 0;
    let mut sound = 0;
    let mut astray = false;
    while !bytes.is_empty() {
        if let Some((item, length)) = SpoolItem::decode(&bytes) {
            // Damage before a sound record is damage; damage at the end is a torn tail.
            contents.corrupt += u64::from(std::mem::take(&mut astray));
            contents.items.push(item);
            bytes.advance(length);
            at += length as u64;
            sound = at;
        } else {
            astray = true;
            bytes.advance(1);
            at += 1;
        }
    }
    (contents, sound)
}
