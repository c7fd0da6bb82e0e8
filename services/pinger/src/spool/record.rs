//! One record of the spool: mark, length, checksum, payload. Found again after damage by its mark.

use bytes::{BufMut as _, Bytes, BytesMut};
use model::{CheckResult, Millis, MonitorId, Slot};
use uuid::Uuid;

const MARK: [u8; 2] = [0xa7, 0x55];
/// Mark, length, checksum.
const HEAD: usize = 10;
/// Kind, monitor, slot, interval, epoch, revision.
const FIXED: usize = 1 + 16 + 8 + 8 + 8 + 8;
/// Larger values are not results of ours.
const MOST_VALUE: usize = 256 * 1024;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A result that is kept.
    Result,
    /// An up that follows an up: the first to be given up.
    Steady,
    /// One that was given up: without a value.
    Gap,
}

/// A result as it waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolItem {
    pub kind: Kind,
    pub monitor: MonitorId,
    pub slot: Slot,
    pub interval_ms: Millis,
    pub epoch: u64,
    pub revision: i64,
    /// The record's value as it goes to Kafka; empty for a gap.
    pub value: Bytes,
}

impl SpoolItem {
    pub fn result(result: &CheckResult, value: Bytes, steady: bool) -> Self {
        Self {
            kind: if steady { Kind::Steady } else { Kind::Result },
            monitor: result.monitor,
            slot: result.slot,
            interval_ms: result.interval_ms,
            epoch: result.epoch,
            revision: result.revision,
            value,
        }
    }

    /// Its bytes on disk.
    pub(super) fn encoded_len(&self) -> u64 {
        (HEAD + FIXED + self.value.len()) as u64
    }

    /// The gap it leaves when it is given up.
    pub(super) fn given_up(mut self) -> Self {
        self.give_up();
        self
    }

    pub(super) fn give_up(&mut self) {
        self.kind = Kind::Gap;
        self.value = Bytes::new();
    }

    pub(super) fn encode(&self, out: &mut BytesMut) {
        let length = FIXED + self.value.len();
        out.reserve(HEAD + length);
        out.put_slice(&MARK);
        out.put_u32_le(u32::try_from(length).unwrap_or(u32::MAX));
        let at = out.len();
        out.put_u32_le(0);
        out.put_u8(match self.kind {
            Kind::Result => 1,
            Kind::Steady => 2,
            Kind::Gap => 3,
        });
        out.put_slice(self.monitor.0.as_bytes());
        out.put_i64_le(self.slot);
        out.put_i64_le(self.interval_ms);
        out.put_u64_le(self.epoch);
        out.put_i64_le(self.revision);
        out.put_slice(&self.value);
        let checksum = checksum(out.get(at - 4..at).unwrap_or_default(), out.get(at + 4..).unwrap_or_default());
        if let Some(place) = out.get_mut(at..at + 4) {
            place.copy_from_slice(&checksum.to_le_bytes());
        }
    }

    /// The record at the start of `bytes`, and its length; none if there is no whole, sound one.
    pub(super) fn decode(bytes: &Bytes) -> Option<(Self, usize)> {
        let head = bytes.get(..HEAD)?;
        if head.get(..2)? != MARK {
            return None;
        }
        let length_bytes = head.get(2..6)?;
        let length = usize::try_from(u32::from_le_bytes(length_bytes.try_into().ok()?)).ok()?;
        if !(FIXED..=FIXED + MOST_VALUE).contains(&length) {
            return None;
        }
        let payload = bytes.get(HEAD..HEAD + length)?;
        if checksum(length_bytes, payload) != u32::from_le_bytes(head.get(6..10)?.try_into().ok()?) {
            return None;
        }
        let number = |from: usize| Some(i64::from_le_bytes(payload.get(from..from + 8)?.try_into().ok()?));
        let item = Self {
            kind: match payload.first()? {
                1 => Kind::Result,
                2 => Kind::Steady,
                3 => Kind::Gap,
                _ => return None,
            },
            monitor: MonitorId(Uuid::from_bytes(payload.get(1..17)?.try_into().ok()?)),
            slot: number(17)?,
            interval_ms: number(25)?,
            epoch: number(33)?.cast_unsigned(),
            revision: number(41)?,
            value: bytes.slice(HEAD + FIXED..HEAD + length),
        };
        Some((item, HEAD + length))
    }
}

/// Over the length, too: a flipped bit there must not send the reader astray.
fn checksum(length: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(length);
    hasher.update(payload);
    hasher.finalize()
}
