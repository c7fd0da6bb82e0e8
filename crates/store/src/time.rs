//! Milliseconds since the Unix epoch on our side, `timestamptz` on PostgreSQL's.

use chrono::{DateTime, Datelike as _, Utc};
use model::Millis;

/// The instant as PostgreSQL keeps it. What lies outside its calendar (of which the first years are left out) becomes the epoch.
pub fn from_millis(at: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at).filter(|at| at.year() > -4000).unwrap_or_default()
}

/// Milliseconds since the Unix epoch; finer digits are dropped.
pub fn to_millis(at: DateTime<Utc>) -> Millis {
    at.timestamp_millis()
}
