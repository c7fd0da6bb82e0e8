//! `make faults`: runs the table for `MINUTES` and writes docs/reliability.md.

#![expect(clippy::print_stderr, clippy::print_stdout, reason = "a program that tells its progress")]

use std::process::ExitCode;

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).and_then(|text| text.parse().ok())
}

fn main() -> ExitCode {
    let seed = setting("SEED").unwrap_or_else(|| std::time::SystemTime::now().elapsed().map_or(1, |_| fresh()));
    let only: String = setting("ONLY").unwrap_or_default();
    let options = faults::Options {
        seed,
        minutes: setting("MINUTES").unwrap_or(20.0),
        only: only.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        short: setting::<String>("SHORT").is_some(),
    };
    eprintln!("SEED={seed} MINUTES={}", options.minutes);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let rows = runtime.block_on(faults::run(&options));
    for row in &rows {
        println!("{row:#?}");
    }
    if rows.iter().all(|row| row.violations.is_empty()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Another seed each time.
fn fresh() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) ^ since.as_secs()
}
