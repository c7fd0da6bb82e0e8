//! `make faults`: runs the table for `MINUTES` and writes docs/reliability.md where `WRITE` names it.

#![expect(clippy::print_stderr, clippy::print_stdout, reason = "a program that tells its progress")]

use std::process::ExitCode;
use std::time::Instant;

use tokio::signal::unix::{SignalKind, signal};

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).and_then(|text| text.parse().ok())
}

fn main() -> ExitCode {
    let seed = setting("SEED").unwrap_or_else(fresh);
    let only: String = setting("ONLY").unwrap_or_default();
    let options = faults::Options {
        seed,
        minutes: setting("MINUTES").unwrap_or(20.0),
        only: only.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        short: setting::<String>("SHORT").is_some(),
    };
    eprintln!("SEED={seed} MINUTES={}", options.minutes);
    let began = Instant::now();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    // A signal ends the run like its end does: what was started is stopped, what was made is removed.
    let rows = runtime.block_on(Box::pin(async {
        let mut term = signal(SignalKind::terminate()).ok()?;
        let mut interrupt = signal(SignalKind::interrupt()).ok()?;
        tokio::select! {
            rows = faults::run(&options) => Some(rows),
            _ = term.recv() => None,
            _ = interrupt.recv() => None,
        }
    }));
    let Some(rows) = rows else {
        eprintln!("stopped");
        return ExitCode::FAILURE;
    };
    let document = faults::document(&options, &rows, began.elapsed());
    println!("{document}");
    if let Some(path) = setting::<String>("WRITE")
        && let Err(error) = std::fs::write(&path, &document)
    {
        eprintln!("{path} cannot be written: {error}");
        return ExitCode::FAILURE;
    }
    let broken: usize = rows.iter().map(|row| row.violations.len()).sum();
    // What was never exposed has shown nothing.
    let idle: Vec<&str> = rows.iter().filter(|row| row.exposures == 0).map(|row| row.id).collect();
    eprintln!("{} rows, {broken} violations; never exposed: {idle:?}; again with SEED={seed}", rows.len());
    if broken == 0 && idle.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Another seed each time.
fn fresh() -> u64 {
    system_tests::now().unsigned_abs() % 1_000_000
}
