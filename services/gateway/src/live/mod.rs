//! What is so now: configuration in memory joined with live state from Redis.

mod catalog;
mod flight;
mod follow;
mod page;
mod read;
mod reasons;
mod status;
mod tally;
mod unserved;
mod view;

pub(crate) use catalog::{Catalog, Position, Selection};
pub(crate) use flight::{Flights, accepts_gzip, compress};
pub(crate) use follow::{follow_configuration, refresh_states};
pub(crate) use page::{list, one, shared_one, statuses};
pub(crate) use read::{LiveRow, With, add_older, day_start, rows, sparkline_since};
pub(crate) use reasons::Reasons;
pub(crate) use status::{Seen, status};
pub(crate) use tally::{Gauges, tell_states};
