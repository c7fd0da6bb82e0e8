//! Why a record cannot be read. The text is the dead letter's reason header.

/// A record that will never be readable by this version; it goes to the dead letters.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("the record has no value")]
    Tombstone,
    #[error("the value has {0} bytes, more than {MAX_VALUE_BYTES}")]
    TooLarge(usize),
    #[error("the value is no JSON of this shape: {0}")]
    Json(#[from] serde_json::Error),
    #[error("version {0} is newer than this reader knows")]
    Version(u32),
    #[error("{0}")]
    Invalid(String),
}

/// Larger values are refused unread.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

#[derive(serde::Deserialize)]
struct Versioned {
    v: u32,
}

/// The value's bytes, after size and version were judged.
pub(crate) fn open(value: Option<&[u8]>, known: u32) -> Result<&[u8], DecodeError> {
    let value = value.ok_or(DecodeError::Tombstone)?;
    if value.len() > MAX_VALUE_BYTES {
        return Err(DecodeError::TooLarge(value.len()));
    }
    // The version leads every value we write, so the usual case needs no second parse.
    let expected = if known == 1 { &b"{\"v\":1,"[..] } else { &[][..] };
    if !expected.is_empty() && value.starts_with(expected) {
        return Ok(value);
    }
    let Versioned { v } = serde_json::from_slice(value)?;
    if v == 0 || v > known { Err(DecodeError::Version(v)) } else { Ok(value) }
}
