//! From the first line of a process to its exit code: start, live, drain.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::{Context, Env, Error, Process, admin, probe, telemetry};

/// Usage errors, after sysexits.h.
const USAGE: u8 = 64;

/// Runs one service as this process. Exit codes: 0 after a drain, 1 after a failure, 64 for arguments it does not know,
/// 78 when settings are wrong. With the argument `ready` it only asks whether the running one is ready.
pub fn main<F, Fut, E>(name: &'static str, start: F) -> ExitCode
where
    F: FnOnce(Context) -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: Into<Error>,
{
    #[cfg(feature = "failpoints")]
    crate::crash::arm();
    let env = Env::from_process();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        None => {}
        Some("ready") if arguments.len() == 1 => return probe::ready(name, &env),
        Some(_) => {
            say(&format!("{name} takes its settings from the environment; its one argument is `ready`"));
            return ExitCode::from(USAGE);
        }
    }
    exit(name, &env, || async {
        let process = Process::new();
        let ctx = Context::new(name, env.clone(), &process);
        run(&process, std::slice::from_ref(&ctx), start(ctx.clone())).await
    })
}

/// Runs `body` on a new runtime with telemetry set up, and turns its end into an exit code.
pub fn exit<F, Fut>(name: &'static str, env: &Env, body: F) -> ExitCode
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<(), Error>>,
{
    // Fails only when one was installed before, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Each check and each connection takes a descriptor, and the usual soft limit is 1,024. Where it cannot be raised, it stays.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let telemetry = match telemetry::init(name, env) {
        Ok(telemetry) => telemetry,
        Err(error) => return report(name, &error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().thread_name(name).build() {
        Ok(runtime) => runtime,
        Err(error) => return report(name, &error.into()),
    };
    let result = runtime.block_on(body());
    // Tasks of libraries that ignore shutdown must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    telemetry.shutdown();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(name, &error),
    }
}

/// Opens the admin ports of `contexts`, awaits `start`, lives until a signal or a failure, then drains.
pub async fn run<E: Into<Error>>(process: &Process, contexts: &[Context], start: impl Future<Output = Result<(), E>>) -> Result<(), Error> {
    watch_signals(process, contexts)?;
    for ctx in contexts {
        admin::start(ctx).await?;
    }
    let names: Vec<_> = contexts.iter().map(Context::name).collect();
    let started = tokio::select! {
        // A signal during the start ends it; what it already spawned drains.
        () = process.shutdown().cancelled() => Ok(()),
        result = start => result.map_err(Into::into),
    };
    match started {
        Ok(()) => contexts.iter().for_each(Context::set_started),
        Err(error) => process.fail(all_mistakes(contexts, error)),
    }
    if !process.shutdown().is_cancelled() {
        tracing::info!(services = names.join(","), version = crate::VERSION, "started");
    }
    process.shutdown().cancelled().await;
    drain(contexts).await;
    process.take_failure().map_or(Ok(()), Err)
}

/// A start that stopped at its first mistake still shows those that were read before it.
fn all_mistakes(contexts: &[Context], error: Error) -> Error {
    if error.config().is_none() {
        return error;
    }
    let mut all: Vec<crate::Mistake> = error.config().map(|config| config.0.clone()).unwrap_or_default();
    for seen in contexts.iter().filter_map(|ctx| ctx.env().check().err()).flat_map(|config| config.0) {
        if !all.contains(&seen) {
            all.push(seen);
        }
    }
    crate::ConfigError(all).into()
}

async fn drain(contexts: &[Context]) {
    let Some(first) = contexts.first() else { return };
    let seconds = first.env().or("DRAIN_SECONDS", 20_u64).unwrap_or(20);
    contexts.iter().for_each(Context::set_draining);
    let begin = std::time::Instant::now();
    let deadline = begin + Duration::from_secs(seconds);
    for ctx in contexts {
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        if let Err(tasks) = ctx.drained(left).await {
            tracing::error!(service = ctx.name(), tasks = tasks.join(","), "still running after {seconds} s; left behind");
        }
    }
    tracing::info!(ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX), "drained");
}

/// The first SIGTERM or SIGINT drains; the second ends the process at once.
fn watch_signals(process: &Process, contexts: &[Context]) -> Result<(), Error> {
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let process = process.clone();
    let contexts = contexts.to_vec();
    // Where an orchestrator needs time to take the address out of rotation before connections are refused.
    let delay = contexts.first().and_then(|ctx| ctx.env().or("DRAIN_DELAY_SECONDS", 0_u64).ok()).unwrap_or(0);
    tokio::spawn(async move {
        tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("draining");
        contexts.iter().for_each(Context::set_draining);
        let wait = tokio::time::sleep(Duration::from_secs(delay));
        tokio::select! { () = wait => {}, _ = interrupt.recv() => {} }
        process.shutdown().cancel();
        tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
        tracing::warn!("a second signal: ends without draining");
        std::process::exit(130);
    });
    Ok(())
}

fn report(name: &str, error: &Error) -> ExitCode {
    say(&format!("{name}: {error}"));
    ExitCode::from(error.exit_code())
}

/// The log may be what failed; people read standard error either way.
fn say(text: &str) {
    #[expect(clippy::print_stderr, reason = "the last words of a process")]
    {
        eprintln!("{text}");
    }
}
