//! The processor as a process of its own.

fn main() -> std::process::ExitCode {
    service::main("processor", processor::start)
}
