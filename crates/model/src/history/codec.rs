//! The bytes of a block, version 1:
//!
//! - `1`, then the number of entries n (varint; nothing follows when it is 0);
//! - slots as runs of equal steps, until n are described: gap from the slot before (from −1 at first)
//!   minus one, number of further slots in the run, and, if there are any, their step minus one;
//! - outcomes as runs, until n are described: `(length − 1) << 3 | code`;
//! - latencies in steps of 100 µs, per entry: 0 for none, else 1 + the zigzag difference to the last one present.
//!
//! Numbers are LEB128. A run is extended as far as it goes, so the bytes are a function of the set.

use crate::history::HOUR_MS;
use crate::history::block::Block;
use crate::history::entry::Entry;
use crate::outcome::Outcome;

const VERSION: u8 = 1;

/// Bytes that are no block of a version we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    #[error("the block ends early")]
    Short,
    #[error("block version {0} is not known")]
    Version(u8),
    #[error("the block holds a number out of its range")]
    Range,
    #[error("{0} bytes follow the block")]
    Trailing(usize),
}

impl BlockError {
    /// Whether a newer program wrote it: nothing is damaged, and this one must not put its own in the place.
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Version(version) if *version > VERSION)
    }
}

impl Block {
    pub fn encode(&self) -> Vec<u8> {
        let entries = self.entries();
        let mut out = Vec::with_capacity(16 + entries.len() * 2);
        out.push(VERSION);
        put(&mut out, entries.len() as u64);
        encode_slots(&mut out, entries);
        encode_outcomes(&mut out, entries);
        encode_latencies(&mut out, entries);
        out
    }

    /// Reads what [`Self::encode`] wrote; anything else is an error, never a panic.
    pub fn decode(bytes: &[u8]) -> Result<Self, BlockError> {
        let mut input = Input(bytes);
        match input.byte()? {
            VERSION => {}
            other => return Err(BlockError::Version(other)),
        }
        // An hour has no more milliseconds than that.
        let count = Some(input.number()?).filter(|count| *count <= HOUR_MS.unsigned_abs()).ok_or(BlockError::Range)?;
        let count = usize::try_from(count).map_err(|_| BlockError::Range)?;
        let slots = decode_slots(&mut input, count)?;
        let outcomes = decode_outcomes(&mut input, count)?;
        let mut last = 0_i64;
        let mut entries = Vec::with_capacity(slots.len());
        for (slot, outcome) in slots.into_iter().zip(outcomes) {
            let steps = match input.number()? {
                0 => None,
                coded => {
                    last = last.checked_add(unzigzag(coded - 1)).ok_or(BlockError::Range)?;
                    let steps = u32::try_from(last).map_err(|_| BlockError::Range)?;
                    if steps == u32::MAX {
                        return Err(BlockError::Range); // The mark of "none".
                    }
                    Some(steps)
                }
            };
            entries.push(Entry::from_steps(slot, outcome, steps));
        }
        match input.0.len() {
            0 => Ok(Self::from_sorted(entries)),
            trailing => Err(BlockError::Trailing(trailing)),
        }
    }
}

fn encode_slots(out: &mut Vec<u8>, entries: &[Entry]) {
    let mut at = 0;
    let mut before = None;
    while let Some(first) = entries.get(at).map(|entry| entry.offset_ms()) {
        let gap = before.map_or(first, |before: u32| first - before - 1);
        let step = entries.get(at + 1).map(|next| next.offset_ms() - first);
        let mut further = 0_usize;
        if let Some(step) = step {
            let mut last = first;
            while entries.get(at + further + 1).is_some_and(|next| next.offset_ms() - last == step) {
                last += step;
                further += 1;
            }
        }
        put(out, u64::from(gap));
        put(out, further as u64);
        if let (Some(step), 1..) = (step, further) {
            put(out, u64::from(step - 1));
        }
        at += further + 1;
        before = entries.get(at - 1).map(|entry| entry.offset_ms());
    }
}

fn decode_slots(input: &mut Input<'_>, count: usize) -> Result<Vec<u32>, BlockError> {
    let hour = HOUR_MS.unsigned_abs();
    // Each run takes two bytes at least but may stand for many slots: do not trust the count with memory.
    let mut slots: Vec<u32> = Vec::with_capacity(count.min(4096));
    let mut next_free = 0_u64;
    while slots.len() < count {
        let first = input.number()?.checked_add(next_free).filter(|slot| *slot < hour).ok_or(BlockError::Range)?;
        let further = usize::try_from(input.number()?).map_err(|_| BlockError::Range)?;
        if further >= count - slots.len() {
            return Err(BlockError::Range);
        }
        let step = if further > 0 { input.number()?.checked_add(1).ok_or(BlockError::Range)? } else { 0 };
        let last = step.checked_mul(further as u64).and_then(|span| span.checked_add(first)).filter(|slot| *slot < hour);
        let last = last.ok_or(BlockError::Range)?;
        let mut slot = first;
        for _ in 0..=further {
            slots.push(u32::try_from(slot).map_err(|_| BlockError::Range)?);
            slot += step;
        }
        next_free = last + 1;
    }
    Ok(slots)
}

fn encode_outcomes(out: &mut Vec<u8>, entries: &[Entry]) {
    for run in entries.chunk_by(|a, b| a.outcome() == b.outcome()) {
        if let Some(first) = run.first() {
            put(out, (run.len() as u64 - 1) << 3 | u64::from(first.outcome().code()));
        }
    }
}

fn decode_outcomes(input: &mut Input<'_>, count: usize) -> Result<Vec<Outcome>, BlockError> {
    let mut outcomes = Vec::with_capacity(count.min(4096));
    while outcomes.len() < count {
        let coded = input.number()?;
        let outcome = Outcome::from_code((coded & 7) as u8).ok_or(BlockError::Range)?;
        let length = usize::try_from(coded >> 3).map_err(|_| BlockError::Range)?;
        if length >= count - outcomes.len() {
            return Err(BlockError::Range);
        }
        outcomes.resize(outcomes.len() + length + 1, outcome);
    }
    Ok(outcomes)
}

fn encode_latencies(out: &mut Vec<u8>, entries: &[Entry]) {
    let mut last = 0_i64;
    for entry in entries {
        match entry.steps() {
            None => put(out, 0),
            Some(steps) => {
                put(out, zigzag(i64::from(steps) - last) + 1);
                last = i64::from(steps);
            }
        }
    }
}

fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

fn unzigzag(coded: u64) -> i64 {
    (coded >> 1).cast_signed() ^ -(coded & 1).cast_signed()
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Result<u8, BlockError> {
        let (first, rest) = self.0.split_first().ok_or(BlockError::Short)?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u64, BlockError> {
        let mut number = 0_u64;
        // Five groups of seven bits hold every number we write, zigzag latencies included.
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                // One spelling per number: padding would make unequal bytes of equal sets.
                return if byte == 0 && shift > 0 { Err(BlockError::Range) } else { Ok(number) };
            }
        }
        Err(BlockError::Range)
    }
}

#[cfg(test)]
mod tests;
