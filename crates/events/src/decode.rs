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

/// Longer names of pingers are cut.
pub(crate) const NAME: usize = 255;

/// A text for people: at most `most` characters, and no control character. PostgreSQL takes no NUL; for a word in a text, what
/// the record says otherwise is not given up.
pub(crate) fn clean(text: &mut String, most: usize) {
    // As cheap as it can be: every record passes here.
    if text.bytes().any(|byte| byte.is_ascii_control()) || (text.len() > most && text.chars().nth(most).is_some()) {
        *text = text.chars().take(most).map(|c| if c.is_control() { ' ' } else { c }).collect();
    }
}

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
