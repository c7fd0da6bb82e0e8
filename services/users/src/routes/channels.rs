//! Channels, for the alerter.

pub(super) mod list;
