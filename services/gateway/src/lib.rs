//! The only public port: the API with its documentation, live updates and the dashboard.

pub mod api;
pub mod openapi;
mod routes;

pub use openapi::openapi;
