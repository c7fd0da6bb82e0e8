//! The only public port: the API with its documentation, live updates and the dashboard.
//!
//! Live reads touch Redis only, and once an hour PostgreSQL for the sparklines of what is checked rarely; long history comes
//! from the PostgreSQL read replica; writes go to the users service. `live` is what is so now, `history` what was so, `stream` what changes.

pub mod api;
mod app;
mod auth;
mod channels;
mod error;
mod history;
mod input;
mod live;
mod mesh;
pub mod openapi;
mod routes;
mod settings;
mod start;
mod stream;
mod system;
mod web;

pub use openapi::openapi;
pub use start::start;
