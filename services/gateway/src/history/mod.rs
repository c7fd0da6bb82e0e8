//! What was so: blocks from PostgreSQL, with the newest of Redis merged in.

mod checks;
mod gather;
mod incidents;
mod older;
mod recent;
mod windows;

pub(crate) use checks::{CheckPosition, checks};
pub(crate) use incidents::{IncidentPosition, acknowledge, incident, incidents};
pub(crate) use older::{Older, older_samples};
pub(crate) use recent::{recent_rows, recent_states};
pub(crate) use windows::{timeline, uptime};
