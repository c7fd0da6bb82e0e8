//! Who is asking, and whether a browser was tricked into asking.

mod address;
mod caller;
mod csrf;
mod rate;
mod secrets;
mod sessions;
mod token;

pub(crate) use address::client_address;
pub(crate) use caller::{Admin, Caller, Editor};
pub(crate) use csrf::refuse_cross_site;
pub(crate) use rate::Limit;
pub(crate) use secrets::Secrets;
pub(crate) use sessions::Sessions;
pub(crate) use token::{Token, cookie, expired_cookie};
