//! The command line: the whole mesh in one process, one check by hand, monitors as code, a demonstration.

mod api;
mod apply;
mod check;
mod cli;
mod demo;
mod migrate;
mod status;
mod up;

pub use cli::main;
