//! Monitors: the feed for replicas, and changes on behalf of a person.

pub(super) mod create;
pub(super) mod delete;
pub(super) mod feed;
pub(super) mod get;
pub(super) mod list;
pub(super) mod pause;
pub(super) mod update;
