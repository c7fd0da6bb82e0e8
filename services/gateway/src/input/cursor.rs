//! Opaque positions in a list. They hold no rights: every read is bound to the caller's workspace.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Params;

/// A position of shape `T`, as text for `next_cursor` and `cursor`.
pub(crate) struct Cursor;

impl Cursor {
    pub(crate) fn encode<T: Serialize>(position: &T) -> Option<String> {
        serde_json::to_vec(position).ok().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The parameter `cursor`.
    pub(crate) fn read<T: DeserializeOwned>(params: &mut Params) -> Option<T> {
        let text = params.text("cursor", 2048)?;
        let position = URL_SAFE_NO_PAD.decode(&text).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if position.is_none() {
            params.wrong("cursor", "is none of ours: use next_cursor of the page before");
        }
        position
    }
}
