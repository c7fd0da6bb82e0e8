//! Passwords and tokens.

mod passwords;
mod tokens;

pub(crate) use passwords::{PasswordError, Passwords};
pub(crate) use tokens::Token;
