//! Clock jobs: retention, roll-ups, partitions ahead. Each may run in several processors at once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use model::{Clock, Millis};
use service::{Context, Error};
use store::{Store, StoreError};
use tokio_cron_scheduler::{Job, JobScheduler};

use crate::settings::Settings;

const DAY_MS: Millis = 24 * 3_600_000;
/// A job that takes longer is given up; the next run takes it up again.
const LIMIT: Duration = Duration::from_secs(1800);

#[derive(Clone)]
struct Jobs {
    store: Store,
    clock: Arc<dyn Clock>,
    retention_ms: Millis,
    rollup_retention_ms: Millis,
}

impl Jobs {
    /// Partitions of yesterday to the day after tomorrow: a flush seldom has to make one.
    async fn partitions(self) -> Result<(), StoreError> {
        let now = self.clock.now_ms();
        self.store.ensure_history_days((-1..=2).map(|day| now + day * DAY_MS)).await
    }

    async fn retention(self) -> Result<(), StoreError> {
        let dropped = self.store.expire_history(self.retention_ms, self.rollup_retention_ms).await?;
        if dropped > 0 {
            tracing::info!(dropped, "days of history beyond the retention were dropped");
        }
        Ok(())
    }

    async fn roll_up(self) -> Result<(), StoreError> {
        let days = self.store.roll_up().await?;
        tracing::debug!(days, "days rolled up");
        Ok(())
    }
}

type Work = fn(Jobs) -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

/// Seconds first; UTC.
const SCHEDULE: [(&str, &str, Work); 3] = [
    ("partitions", "0 30 * * * *", |jobs| Box::pin(jobs.partitions())),
    // Roll-ups are complete before their blocks may go.
    ("roll-ups", "0 5 * * * *", |jobs| Box::pin(jobs.roll_up())),
    ("retention", "0 0 2 * * *", |jobs| Box::pin(jobs.retention())),
];

/// Runs every job once soon (a laptop may sleep through its hour), then by the clock.
pub(crate) async fn start(ctx: &Context, store: &Store, settings: &Settings, clock: Arc<dyn Clock>) -> Result<(), Error> {
    let jobs = Jobs { store: store.clone(), clock, retention_ms: settings.retention_ms, rollup_retention_ms: settings.rollup_retention_ms };
    let mut scheduler = JobScheduler::new().await?;
    for (name, when, work) in SCHEDULE {
        let jobs = jobs.clone();
        let job = Job::new_async(when, move |_, _| {
            let jobs = jobs.clone();
            Box::pin(async move {
                run(name, work, jobs).await;
            })
        })?;
        scheduler.add(job).await?;
    }
    scheduler.start().await?;
    let shutdown = ctx.shutdown().clone();
    ctx.spawn("clock jobs", async move {
        for (name, _, work) in SCHEDULE {
            tokio::select! {
                () = run_until_done(name, work, jobs.clone()) => {}
                () = shutdown.cancelled() => break,
            }
        }
        shutdown.cancelled().await;
        if let Err(error) = scheduler.shutdown().await {
            tracing::debug!(%error, "the scheduler did not stop cleanly");
        }
    });
    Ok(())
}

/// At the start PostgreSQL may not be there yet.
async fn run_until_done(name: &'static str, work: Work, jobs: Jobs) {
    while !run(name, work, jobs.clone()).await {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

async fn run(name: &'static str, work: Work, jobs: Jobs) -> bool {
    match tokio::time::timeout(LIMIT, work(jobs)).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(job = name, %error, "a clock job failed; it runs again");
            false
        }
        Err(_) => {
            tracing::warn!(job = name, "a clock job took too long; it runs again");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use model::SystemClock;

    use super::*;

    const MINUTE_MS: Millis = 60_000;

    /// When a job of this schedule would run next, as the scheduler reads it.
    fn next_run(when: &str) -> Millis {
        let mut job = Job::new_async(when, |_, _| Box::pin(async {})).expect("a schedule");
        let next = job.job_data().expect("what the scheduler knows of it").next_tick;
        Millis::try_from(next).expect("a time") * 1000
    }

    #[test]
    fn retention_runs_at_two_in_the_morning_utc_and_the_others_once_an_hour() {
        let expected = [
            ("partitions", 60 * MINUTE_MS, 30 * MINUTE_MS),
            ("roll-ups", 60 * MINUTE_MS, 5 * MINUTE_MS),
            ("retention", DAY_MS, 120 * MINUTE_MS),
        ];
        for ((name, when, _), (expected, period, after)) in SCHEDULE.into_iter().zip(expected) {
            let (now, next) = (SystemClock.now_ms(), next_run(when));
            assert_eq!((name, next % period), (expected, after), "{when}");
            // The next one, and not one of another day. The hour may turn between the two readings.
            assert!((0..=period + MINUTE_MS).contains(&(next - now)), "{name} runs {} ms from now", next - now);
        }
    }
}
