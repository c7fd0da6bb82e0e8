//! `monitoring-results`: key = monitor id, value = one check's result.

mod quick;
mod wire;

use model::CheckResult;
use uuid::Uuid;

use crate::decode::{DecodeError, NAME, clean, open};
use wire::{In, Out};

const VERSION: u32 = 1;

/// A slot lies between 2020 and 2100; anything else is a broken writer's clock.
const SLOTS: std::ops::Range<i64> = 1_577_836_800_000..4_102_444_800_000;

/// Characters of a detail.
const DETAIL: usize = 300;

/// The record's value.
pub fn encode_result(result: &CheckResult) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Out::of(result))
}

/// Reads and judges a record. `key` must be the monitor's id, as the partition depends on it.
pub fn decode_result(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<CheckResult, DecodeError> {
    let value = open(value, VERSION)?;
    let (id, mut result) = match quick::read(value) {
        Some(read) => read,
        None => serde_json::from_slice::<In>(value)?.split(),
    };
    let invalid = |message: &str| Err(DecodeError::Invalid(message.to_owned()));
    if id != result.id() {
        return invalid("the id is not the one of (monitor, region, slot)");
    }
    let mut monitor = Uuid::encode_buffer();
    let monitor = result.monitor.0.hyphenated().encode_lower(&mut monitor);
    if key != Some(monitor.as_bytes()) {
        return invalid("the key is not the monitor's id");
    }
    if !SLOTS.contains(&result.slot) {
        return invalid("the slot lies outside 2020–2100");
    }
    if result.interval_ms < 1000 {
        return invalid("the interval is below one second");
    }
    if let Some(detail) = &mut result.detail {
        clean(detail, DETAIL);
    }
    clean(&mut result.pinger, NAME);
    Ok(result)
}
