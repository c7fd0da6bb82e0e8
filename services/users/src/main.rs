use std::process::ExitCode;

fn main() -> ExitCode {
    service::main("users", users::start)
}
