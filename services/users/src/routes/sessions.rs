//! Sessions of people and scripts.

pub(super) mod login;
pub(super) mod logout;
pub(super) mod resolve;
