//! Pinger, Kafka and alerter with virtual monitors, many side by side: one process serves their targets and takes their messages.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;

use crate::child::{Core, Process};
use crate::measures::Suite;
use crate::measures::checks::rig::{Rig, Size, Task, target};
use crate::roles::target::{Arrival, Outages, Post, arrivals, control, posts};

pub struct Alerts {
    pub rig: Rig,
    alerter: Process,
    seen: Vec<Arrival>,
    told: Vec<Post>,
}

impl Alerts {
    /// Starts both and waits until every monitor runs as usual. `feed`: more words for the feed of monitors.
    pub async fn start(suite: &Suite, size: Size, feed: String, confirm_ms: Option<i32>) -> Result<Self> {
        let target = target(suite, false).await?;
        let confirm = confirm_ms.map(|ms| ("CONFIRM_PAUSE_MS".to_owned(), ms.to_string()));
        let rig = Rig::start(suite, &Task { feed, settings: confirm.into_iter().collect(), ..Task::plain(size) }, target).await?;
        let mut settings: HashMap<String, String> = rig.stack.environment().await;
        settings.insert("USERS_URL".to_owned(), format!("http://127.0.0.1:{}", rig.feed));
        settings.insert("ADMIN_ADDR".to_owned(), format!("127.0.0.1:{}", system_tests::free_port()));
        settings.insert("RUST_LOG".to_owned(), "warn".to_owned());
        let settings: Vec<(String, String)> = settings.into_iter().collect();
        let alerter = Process::service(Core::Any, "alerter", &settings, suite.scratch.path())?;
        rig.settled().await?;
        arrivals(rig.target).await?;
        Ok(Self { rig, alerter, seen: Vec::new(), told: Vec::new() })
    }

    /// Lets targets fail.
    pub async fn fail(&self, outages: Outages) -> Result<()> {
        control(self.rig.target, &outages.path()).await?;
        Ok(())
    }

    /// Waits until `enough` says so of all messages, or for so long.
    pub async fn until(&mut self, within: Duration, enough: impl Fn(&[Post]) -> bool) -> Result<()> {
        let end = std::time::Instant::now() + within;
        while std::time::Instant::now() < end && !enough(&self.told) {
            tokio::time::sleep(Duration::from_millis(500)).await;
            self.seen.extend(arrivals(self.rig.target).await?);
            self.told.extend(posts(self.rig.target).await?);
        }
        // Fails with its log where it has ended.
        self.alerter.pid()?;
        Ok(())
    }

    pub fn told(&self) -> &[Post] {
        &self.told
    }

    /// When each target first answered with a failure, µs.
    pub fn first_failures(&self) -> HashMap<u32, i64> {
        let mut first = HashMap::new();
        for Arrival(n, at, status) in &self.seen {
            if *status >= 500 {
                first.entry(*n).or_insert(*at);
            }
        }
        first
    }

    pub async fn end(self) -> Result<()> {
        self.alerter.terminate(Duration::from_secs(40)).await?;
        self.rig.end().await
    }
}

/// The monitors that a message names.
pub fn named(post: &Post) -> Vec<u32> {
    let mut numbers: Vec<u32> = post.body.split("monitor-").skip(1).filter_map(|rest| rest.get(..6)?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}
