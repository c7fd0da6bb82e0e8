//! What a service is given: its settings, its metrics, its readiness and its supervised tasks.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::Registry;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::health::{Health, Readiness};
use crate::{Env, Error, Latch, Process, metrics};

/// One running service. Cheap to clone.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

struct Inner {
    name: &'static str,
    env: Env,
    process: Process,
    registry: Registry,
    health: Health,
    tracker: TaskTracker,
    /// Names of the tasks that run, with how many of each: the answer to "who hangs?".
    running: Mutex<BTreeMap<&'static str, usize>>,
}

/// What a supervised task may return: nothing, or a result whose error is logged.
pub trait TaskEnd: Send + 'static {
    fn into_result(self) -> Result<(), Error>;
}

impl TaskEnd for () {
    fn into_result(self) -> Result<(), Error> {
        Ok(())
    }
}

impl<E: Into<Error> + Send + 'static> TaskEnd for Result<(), E> {
    fn into_result(self) -> Result<(), Error> {
        self.map_err(Into::into)
    }
}

impl Context {
    /// A service inside `process`. [`crate::main`] makes one; tests and `upmesh up` make their own.
    pub fn new(name: &'static str, env: Env, process: &Process) -> Self {
        let registry = metrics::registry(name);
        let inner = Inner {
            name,
            env,
            process: process.clone(),
            registry,
            health: Health::default(),
            tracker: TaskTracker::new(),
            running: Mutex::default(),
        };
        Self(Arc::new(inner))
    }

    /// The service's name: `pinger`, `processor`, …
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    pub fn env(&self) -> &Env {
        &self.0.env
    }

    /// Cancelled when the service should finish what it holds and return.
    pub fn shutdown(&self) -> &CancellationToken {
        self.0.process.shutdown()
    }

    /// Where the service registers its metrics; `/metrics` shows them.
    pub fn metrics(&self) -> &Registry {
        &self.0.registry
    }

    /// A condition of readiness; asking twice for the same name gives the same latch.
    pub fn latch(&self, what: &'static str) -> Latch {
        self.0.health.latch(what)
    }

    /// Runs `task` for as long as the service lives. If it ends, fails or panics before shutdown, the whole process stops
    /// with the task's name in the log.
    pub fn spawn<F>(&self, task: &'static str, future: F)
    where
        F: Future<Output: TaskEnd> + Send + 'static,
    {
        let ctx = self.clone();
        self.track(task, future, move |end| {
            let error = match end {
                Ok(result) => match result.into_result() {
                    Ok(()) if ctx.shutdown().is_cancelled() => return,
                    Ok(()) => Error::msg("it ended, which it never should"),
                    Err(error) => error,
                },
                Err(panic) => Error::msg(panic),
            };
            tracing::error!(task, %error, service = ctx.name(), "a task stopped, so the process stops");
            ctx.0.process.fail(Error::msg(format!("{} / {task}: {error}", ctx.name())));
        });
    }

    /// Runs a job that may end at any time (a request, a retry). The drain waits for it; a failure or panic is logged.
    pub fn job<F>(&self, task: &'static str, future: F)
    where
        F: Future<Output: TaskEnd> + Send + 'static,
    {
        self.track(task, future, move |end| match end.map(TaskEnd::into_result) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(task, %error, "a job failed"),
            Err(panic) => tracing::error!(task, panic, "a job panicked"),
        });
    }

    fn track<F, D>(&self, task: &'static str, future: F, done: D)
    where
        F: Future<Output: TaskEnd> + Send + 'static,
        D: FnOnce(Result<F::Output, String>) + Send + 'static,
    {
        self.count(task, true);
        let ctx = self.clone();
        let span = self.span();
        self.0.tracker.spawn(
            async move {
                let inner = tokio::spawn(future.in_current_span());
                let end = inner.await.map_err(|error| match error.try_into_panic() {
                    Ok(panic) => panic_text(panic.as_ref()),
                    Err(_) => "cancelled".to_owned(),
                });
                ctx.count(task, false);
                done(end);
            }
            .instrument(span),
        );
    }

    /// The span that names the service on every log line of its tasks.
    pub(crate) fn span(&self) -> tracing::Span {
        tracing::error_span!(target: crate::logs::SERVICE_SPAN, "service", service = self.0.name)
    }

    pub(crate) fn readiness(&self) -> Readiness {
        self.0.health.readiness()
    }

    pub(crate) fn set_started(&self) {
        self.0.health.set_started();
    }

    pub(crate) fn set_draining(&self) {
        self.0.health.set_draining();
    }

    /// Waits until every task has ended; after `ceiling` gives the names of those that have not.
    pub(crate) async fn drained(&self, ceiling: Duration) -> Result<(), Vec<&'static str>> {
        self.0.tracker.close();
        let ended = tokio::time::timeout(ceiling, self.0.tracker.wait()).await;
        ended.map_err(|_| self.0.running.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect())
    }

    fn count(&self, task: &'static str, begins: bool) {
        let mut running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        let count = running.entry(task).or_default();
        *count = if begins { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            running.remove(task);
        }
    }
}

/// How a panic is told.
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    format!("panicked: {}", panic_message(panic))
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> (Process, Context) {
        let process = Process::new();
        let ctx = Context::new("pinger", Env::from_pairs([("A", "1")]), &process);
        (process, ctx)
    }

    async fn stopped(process: &Process) -> String {
        tokio::time::timeout(Duration::from_secs(5), process.shutdown().cancelled()).await.unwrap();
        process.take_failure().unwrap().to_string()
    }

    #[tokio::test]
    async fn a_task_that_ends_fails_or_panics_stops_the_process_by_name() {
        let (process, ctx) = context();
        ctx.spawn("wheel", async {});
        assert_eq!(stopped(&process).await, "pinger / wheel: it ended, which it never should");

        let (process, ctx) = context();
        ctx.spawn("wheel", async { Err::<(), _>(Error::msg("no timer")) });
        assert_eq!(stopped(&process).await, "pinger / wheel: no timer");

        let (process, ctx) = context();
        ctx.spawn("wheel", async { assert_eq!(1, 2, "gone") });
        assert!(stopped(&process).await.contains("pinger / wheel: panicked: assertion"));
    }

    #[tokio::test]
    async fn a_task_may_end_during_shutdown_and_a_job_whenever_it_likes() {
        let (process, ctx) = context();
        let token = ctx.shutdown().clone();
        ctx.spawn("wheel", async move { token.cancelled().await });
        ctx.job("retry", async { Err::<(), _>(Error::msg("refused")) });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!process.shutdown().is_cancelled());
        process.shutdown().cancel();
        ctx.drained(Duration::from_secs(5)).await.unwrap();
        assert!(process.take_failure().is_none());
    }

    #[tokio::test]
    async fn the_drain_names_who_hangs() {
        let (process, ctx) = context();
        ctx.spawn("stuck", std::future::pending::<()>());
        ctx.spawn("good", {
            let token = ctx.shutdown().clone();
            async move { token.cancelled().await }
        });
        process.shutdown().cancel();
        assert_eq!(ctx.drained(Duration::from_millis(100)).await.unwrap_err(), ["stuck"]);
    }
}
