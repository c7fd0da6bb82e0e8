//! The files of the spool, oldest first: appended at one end, drained at the other, bounded in bytes.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::record::SpoolItem;
use super::segment::Segment;

/// A file is closed at this size: what is compacted, drained and deleted goes file by file.
const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;

/// The spool's files.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    limit: u64,
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
    /// Steady results replaced by the gaps they leave.
    pub evicted: u64,
    /// Records lost with the oldest file, since nothing steady was left.
    pub dropped: Vec<SpoolItem>,
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
        let mut store = Self { dir: dir.to_owned(), limit, segments: VecDeque::new(), writer: None, head: None, corrupt: 0 };
        for sequence in sequences {
            let (segment, corrupt) = Segment::recover(dir, sequence)?;
            store.corrupt += corrupt;
            if segment.records == 0 {
                fs::remove_file(&segment.path)?;
            } else {
                store.segments.push_back(segment);
            }
        }
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

    /// Writes and syncs; then gives up the oldest steady results where the limit is passed.
    pub fn append(&mut self, items: &[SpoolItem]) -> io::Result<GivenUp> {
        if self.segments.back().is_none_or(|last| last.bytes >= SEGMENT_BYTES) {
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
        if let Some(last) = self.segments.back_mut() {
            last.append(writer, items)?;
        }
        self.keep_limit()
    }

    /// The oldest results that wait, at most `most` and of one file.
    pub fn peek(&mut self, most: usize) -> Batch {
        loop {
            let Some(first) = self.segments.front() else { return Batch::default() };
            let sequence = first.sequence;
            if self.head.is_none() {
                if self.segments.len() == 1 {
                    // The file being drained is not appended to any more.
                    self.writer = None;
                }
                match first.read() {
                    Ok(contents) => {
                        self.corrupt += contents.corrupt;
                        self.head = Some(contents.items.into());
                    }
                    Err(error) => {
                        tracing::error!(%error, file = %first.path.display(), "a file of the spool cannot be read and is left aside");
                        self.corrupt += first.records.max(1);
                        let _ = fs::rename(&first.path, first.path.with_extension("unreadable"));
                        self.segments.pop_front();
                        continue;
                    }
                }
            }
            let items: Vec<SpoolItem> = self.head.iter().flatten().take(most).cloned().collect();
            if items.is_empty() {
                self.remove_first();
                continue;
            }
            return Batch { items, from_memory: false, sequence };
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
        {
            // Sent again after a restart, which changes nothing.
            tracing::warn!(%error, file = %first.path.display(), "a drained file of the spool cannot be deleted");
        }
    }

    fn keep_limit(&mut self) -> io::Result<GivenUp> {
        let mut given_up = GivenUp::default();
        // The head's file may be on its way to Kafka, and the last one is open: both are left alone.
        let skip = usize::from(self.head.is_some());
        while self.bytes() > self.limit {
            let last = self.segments.len().saturating_sub(1);
            let oldest = self.segments.iter_mut().take(last).skip(skip).find(|segment| !segment.compact);
            if let Some(oldest) = oldest {
                given_up.evicted += oldest.give_up_steady()?;
                continue;
            }
            if last <= skip {
                break;
            }
            let Some(given) = self.segments.remove(skip) else { break };
            given_up.dropped.extend(given.read()?.items);
            fs::remove_file(&given.path)?;
        }
        Ok(given_up)
    }
}
