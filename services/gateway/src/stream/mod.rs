//! Live updates: one Redis subscription per process, spread to this process's readers by workspace.

mod feed;
mod hub;
mod reader;

pub(crate) use feed::follow_updates;
pub(crate) use hub::Hub;
pub(crate) use reader::read;
