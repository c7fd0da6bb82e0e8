use std::process::ExitCode;

fn main() -> ExitCode {
    service::main("pinger", pinger::start)
}
