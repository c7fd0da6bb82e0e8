//! The files of the spool, oldest first: appended at one end, drained at the other, bounded in bytes.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use egress::FailureKind;

use super::record::SpoolItem;
use super::segment::{Level, MOST_KNOWN, Segment, is_full};

/// A file is closed at this size: what is given up, drained and deleted goes file by file. A small spool
/// has smaller files, since the first and the last are left alone.
const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;
const LEAST_SEGMENT_BYTES: u64 = 64 * 1024;
/// Files that could not be read are left aside for whoever looks into the disk, up to so much of the limit beside it.
const ASIDE_IN: u64 = 8;
const ASIDE: &str = "unreadable";

/// The spool's files.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    limit: u64,
    segment_bytes: u64,
    segments: VecDeque<Segment>,
    /// Appends to the last segment.
    writer: Option<File>,
    /// What is left of the first segment, read when draining began.
    head: Option<VecDeque<SpoolItem>>,
    corrupt: u64,
}

/// Results taken from the head, to be given back to [`Store::advance`] once they are on the log.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub items: Vec<SpoolItem>,
    /// They wait in memory, not on disk.
    pub(super) from_memory: bool,
    sequence: u64,
}

impl Batch {
    pub(super) fn from_memory(items: Vec<SpoolItem>) -> Self {
        Self { items, from_memory: true, sequence: 0 }
    }
}

/// What was given up to keep the limit.
#[derive(Debug, Default)]
pub struct GivenUp {
    /// Results replaced by the gaps they leave.
    pub evicted: u64,
    /// Records lost with the oldest file, since only gaps were left.
    pub dropped: Vec<SpoolItem>,
}

/// Why items were not written, and what was given up for them before that was clear.
#[derive(Debug)]
pub struct NotWritten {
    pub error: io::Error,
    pub given_up: GivenUp,
}

impl Store {
    /// Opens the directory, made where it is missing. `limit` is the most all files may hold together.
    pub fn open(dir: &Path, limit: u64) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let mut sequences: Vec<u64> = Vec::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("spool") => {
                    sequences.extend(path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u64>().ok()));
                }
                // A compaction that did not end; its original is still there.
                Some("fresh") => fs::remove_file(&path)?,
                _ => {}
            }
        }
        sequences.sort_unstable();
        let segment_bytes = (limit / 8).clamp(LEAST_SEGMENT_BYTES, SEGMENT_BYTES);
        let mut store = Self { dir: dir.to_owned(), limit, segment_bytes, segments: VecDeque::new(), writer: None, head: None, corrupt: 0 };
        for sequence in sequences {
            let segment = Segment::recover(dir, sequence)?;
            store.corrupt += segment.corrupt;
            if segment.records == 0 {
                fs::remove_file(&segment.path)?;
            } else {
                store.segments.push_back(segment);
            }
        }
        store.bound_aside();
        Ok(store)
    }

    /// Results that wait.
    pub fn records(&self) -> u64 {
        let head = self.segments.front().map_or(0, |first| self.head.as_ref().map_or(first.records, |head| head.len() as u64));
        head + self.segments.iter().skip(1).map(|segment| segment.records).sum::<u64>()
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Damaged places found so far.
    pub fn corrupt(&self) -> u64 {
        self.corrupt
    }

    /// Writes and syncs, after the oldest results were given up as far as the limit or the disk asks for it.
    pub fn append(&mut self, items: &[SpoolItem]) -> Result<GivenUp, NotWritten> {
        let mut given_up = GivenUp::default();
        let incoming: u64 = items.iter().map(SpoolItem::encoded_len).sum();
        let done = self.keep_limit(incoming, &mut given_up).and_then(|()| {
            loop {
                match self.write(items) {
                    // Where nothing is left to give up, the open file is closed, and then it is its turn.
                    Err(error) if is_full(&error) && (self.give_way(&mut given_up)? || self.close_last()) => {}
                    done => return done,
                }
            }
        });
        match done {
            Ok(()) => Ok(given_up),
            Err(error) => Err(NotWritten { error, given_up }),
        }
    }

    fn write(&mut self, items: &[SpoolItem]) -> io::Result<()> {
        if self.segments.back().is_none_or(|last| last.bytes >= self.segment_bytes) {
            self.writer = None;
        }
        let writer = if let Some(writer) = self.writer.as_mut() {
            writer
        } else {
            let segment = Segment::new(&self.dir, self.segments.back().map_or(1, |last| last.sequence + 1));
            let file = OpenOptions::new().create_new(true).append(true).open(&segment.path)?;
            self.segments.push_back(segment);
            self.writer.insert(file)
        };
        let remember = MOST_KNOWN.saturating_sub(self.segments.iter().map(|segment| segment.known.len()).sum());
        match self.segments.back_mut() {
            Some(last) => last.append(writer, items, remember),
            None => Ok(()),
        }
    }

    /// The oldest results that wait, at most `most` and of one file. Fails where it is the machine that lacks something just now: the
    /// file is sound, and is read later.
    pub fn peek(&mut self, most: usize) -> io::Result<Batch> {
        loop {
            let only = self.segments.len() == 1;
            let Some(first) = self.segments.front_mut() else { return Ok(Batch::default()) };
            let sequence = first.sequence;
            if self.head.is_none() {
                if only {
                    // The file being drained is not appended to any more.
                    self.writer = None;
                }
                match first.read() {
                    Ok(contents) => {
                        self.corrupt += contents.corrupt.saturating_sub(first.corrupt);
                        self.head = Some(contents.items.into());
                    }
                    Err(error) if passes(&error) => return Err(error),
                    Err(error) => {
                        tracing::error!(%error, file = %first.path.display(), "a file of the spool cannot be read and is left aside");
                        self.corrupt += first.records.max(1);
                        let _ = fs::rename(&first.path, first.path.with_extension(ASIDE));
                        // Nothing of it is left here but what is still known.
                        first.bytes = 0;
                        self.head = Some(std::mem::take(&mut first.known).into());
                        self.bound_aside();
                    }
                }
            }
            let items: Vec<SpoolItem> = self.head.iter().flatten().take(most).cloned().collect();
            if items.is_empty() {
                self.remove_first();
                continue;
            }
            return Ok(Batch { items, from_memory: false, sequence });
        }
    }

    /// A batch is on the log; its file is deleted with its last record.
    pub fn advance(&mut self, batch: &Batch) {
        if self.segments.front().is_none_or(|first| first.sequence != batch.sequence) {
            return;
        }
        let Some(head) = self.head.as_mut() else { return };
        head.drain(..batch.items.len().min(head.len()));
        if head.is_empty() {
            self.remove_first();
        }
    }

    fn remove_first(&mut self) {
        self.head = None;
        if self.segments.len() == 1 {
            self.writer = None;
        }
        if let Some(first) = self.segments.pop_front()
            && let Err(error) = fs::remove_file(&first.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            // Sent again after a restart, which changes nothing.
            tracing::warn!(%error, file = %first.path.display(), "a drained file of the spool cannot be deleted");
        }
    }

    /// The oldest files that were left aside go where they are too many.
    fn bound_aside(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.extension().is_some_and(|is| is == ASIDE));
        let mut aside: Vec<(PathBuf, u64)> = paths.map(|path| (path.clone(), fs::metadata(&path).map_or(0, |file| file.len()))).collect();
        aside.sort_unstable();
        let mut bytes: u64 = aside.iter().map(|(_, length)| length).sum();
        for (path, length) in aside {
            if bytes <= self.limit / ASIDE_IN {
                return;
            }
            bytes -= length;
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(%error, file = %path.display(), "a file that was left aside cannot be deleted");
            }
        }
    }

    /// Nothing is appended to the last file any more. Says whether it holds anything.
    fn close_last(&mut self) -> bool {
        self.segments.back().is_some_and(|last| last.records > 0) && self.writer.take().is_some()
    }

    /// Makes room for what comes.
    fn keep_limit(&mut self, incoming: u64, given_up: &mut GivenUp) -> io::Result<()> {
        while self.bytes() + incoming > self.limit {
            if self.give_way(given_up)? {
                continue;
            }
            // Only gaps are left: the oldest go, and their slots stay without a record.
            let skip = usize::from(self.head.is_some());
            if self.segments.len() <= skip + 1 {
                break;
            }
            let Some(given) = self.segments.remove(skip) else { break };
            given_up.dropped.extend(given.read()?.items);
            fs::remove_file(&given.path)?;
        }
        Ok(())
    }

    /// Gives up the oldest steady results there are; where there are none, the oldest of the others.
    /// Says whether there were any.
    fn give_way(&mut self, given_up: &mut GivenUp) -> io::Result<bool> {
        // The head's file may be on its way to Kafka, and the last one is open: both are left alone.
        let skip = usize::from(self.head.is_some());
        let last = self.segments.len().saturating_sub(usize::from(self.writer.is_some()));
        for level in [Level::Steady, Level::Everything] {
            let oldest = self.segments.iter_mut().take(last).skip(skip).find(|segment| segment.given_up < level);
            if let Some(oldest) = oldest {
                let (evicted, corrupt) = oldest.give_up(level)?;
                given_up.evicted += evicted;
                self.corrupt += corrupt;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a file may well be readable once there are descriptors or memory again.
pub(super) fn passes(error: &io::Error) -> bool {
    egress::io_kind(error) == FailureKind::Resources
        || matches!(error.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}
