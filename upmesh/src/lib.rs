//! The command line: the whole mesh in one process, one check by hand, monitors as code, a demonstration, a history
//! built anew from the log.

mod api;
mod apply;
mod check;
mod cli;
mod demo;
mod migrate;
mod output;
mod replay;
mod status;
mod up;

pub use cli::main;
