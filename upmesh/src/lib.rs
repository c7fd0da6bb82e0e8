//! The command line: the whole mesh in one process, one check by hand, monitors as code, a demonstration, a history
//! built anew from the log, an alert policy tried on it, the keys of secrets.

mod api;
mod apply;
mod backtest;
mod check;
mod cli;
mod demo;
mod keys;
mod migrate;
mod output;
mod progress;
mod replay;
mod status;
mod up;

pub use cli::main;
