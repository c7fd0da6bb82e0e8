//! What comes from outside, judged before it is used. Every refusal names the field.

mod body;
mod cursor;
mod id;
pub(crate) mod oversized;
mod query;
mod window;

pub(crate) use body::Json;
pub(crate) use cursor::Cursor;
pub(crate) use id::Id;
pub(crate) use query::{Asked, FromParams, Params};
pub(crate) use window::{read_window, resolve_window};
