//! The alerter as a program of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main("alerter", alerter::start)
}
