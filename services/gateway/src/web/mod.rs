//! What a browser gets besides the API: the dashboard, the API reference, and headers that guard both.

mod assets;
mod headers;
mod reference;

pub(crate) use assets::dashboard;
pub(crate) use headers::guard;
pub(crate) use reference::reference;
