//! `prober-status`: what each pinger says of its own sight, every few seconds and at every change.
//! Key = region, so that all pingers of a region lie in one partition, in order.

use model::sight::ProberStatus;
use serde::{Deserialize, Serialize};

use crate::decode::{DecodeError, NAME, clean, open};

const VERSION: u32 = 1;

#[derive(Serialize)]
struct Out<'a> {
    v: u32,
    #[serde(flatten)]
    status: &'a ProberStatus,
}

#[derive(Deserialize)]
struct In {
    #[serde(flatten)]
    status: ProberStatus,
}

/// The record's value.
pub fn encode_prober(status: &ProberStatus) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Out { v: VERSION, status })
}

/// Reads and judges a record. `key` must be the region, as the partition depends on it.
pub fn decode_prober(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<ProberStatus, DecodeError> {
    let In { mut status } = serde_json::from_slice(open(value, VERSION)?)?;
    if key != Some(status.region.as_str().as_bytes()) {
        return Err(DecodeError::Invalid("the key is not the region".to_owned()));
    }
    clean(&mut status.pinger, NAME);
    Ok(status)
}
