//! What a browser gets besides the API: the dashboard, the API reference; and what guards all three.

mod assets;
mod guard;
mod reference;

pub(crate) use assets::dashboard;
pub(crate) use guard::guard;
pub(crate) use reference::reference;
