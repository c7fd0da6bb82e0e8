//! What the command understands, and which code it ends with: 0, 1 (failed), 64 (usage), 78 (settings).

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use service::{Env, Error};

use crate::{apply, backtest, check, demo, keys, migrate, replay, status, up};

/// An event-driven uptime mesh.
#[derive(Debug, Parser)]
#[command(name = "upmesh", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run all five services in this process.
    Up(up::Options),
    /// Bring the database schema and the topics up to date.
    Migrate,
    /// Check a target once and show where the time went.
    Check(check::Options),
    /// Make the monitors what a file says: the plan is shown, then made so.
    Apply(apply::Options),
    /// Show every monitor, trouble first.
    Status(status::Options),
    /// Add sample monitors, with a target that you can take down.
    Demo(demo::Options),
    /// Build history and live state anew from the log, while the mesh runs.
    Replay(replay::Options),
    /// Try an alert policy on the log: which incidents it would have opened, against those that were.
    Backtest(backtest::Options),
    /// Which key seals what; sealing anew while SECRET_KEY is changed; giving up what no key opens.
    Keys(keys::Options),
    /// Print the OpenAPI document (docs/openapi.json).
    #[command(hide = true)]
    Openapi,
}

/// Usage errors, after sysexits.h.
const USAGE: u8 = 64;

/// Runs the command given by the process's arguments.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let env = Env::from_process();
    match cli.command {
        Command::Up(options) => service::exit("upmesh", &env, || up::run(env.clone(), options)),
        Command::Migrate => service::exit("upmesh", &env, || migrate::run(env.clone())),
        Command::Check(options) => tool(|| check::run(options)),
        Command::Openapi => tool(openapi),
        Command::Apply(options) => tool(|| apply::run(options)),
        Command::Status(options) => tool(|| status::run(options)),
        Command::Replay(options) => tool(|| replay::run(env.clone(), options)),
        Command::Backtest(options) => tool(|| backtest::run(env.clone(), options)),
        Command::Keys(options) => tool(|| keys::run(env.clone(), options)),
        Command::Demo(options) => tool(|| demo::run(options)),
    }
}

/// A command for people: no telemetry, its answer on standard output, its error in one sentence.
fn tool<Fut: Future<Output = Result<(), Error>>>(body: impl FnOnce() -> Fut) -> ExitCode {
    // Fails only when one was installed before, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let result = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime.block_on(body()),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

async fn openapi() -> Result<(), Error> {
    let text = gateway::openapi::openapi_json()?;
    #[expect(clippy::print_stdout, reason = "the document is the command's answer")]
    {
        print!("{text}");
    }
    Ok(())
}

fn complain(error: &Error) {
    #[expect(clippy::print_stderr, reason = "the command's answer to a person")]
    {
        eprintln!("upmesh: {error}");
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
