//! How far the readers of the log are behind. Asked of Kafka when somebody looks, at most every few
//! seconds, and answered to all who look meanwhile.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::sync::Mutex;

use super::{Log, PATIENCE};
use crate::api::{ConsumerLag, DeadLetterCount};

const KEPT: Duration = Duration::from_secs(5);

/// What was last heard.
#[derive(Default)]
pub(crate) struct Lags(Mutex<Option<(Instant, Facts)>>);

/// Facts about the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub consumers: Vec<ConsumerLag>,
    pub dead_letters: Vec<DeadLetterCount>,
}

impl Lags {
    pub(crate) async fn facts(&self, log: &Log) -> Facts {
        let mut known = self.0.lock().await;
        if let Some((at, facts)) = known.as_ref()
            && at.elapsed() < KEPT
        {
            return facts.clone();
        }
        let facts = ask(log).await;
        *known = Some((Instant::now(), facts.clone()));
        facts
    }
}

async fn ask(log: &Log) -> Facts {
    // The names of the groups are part of the contract of the log (docs/asyncapi.yaml).
    let readers = [("processor", &log.topics.results), ("alerter", &log.topics.results), ("alerter-sight", &log.topics.probers)];
    let consumers = join_all(readers.map(|(group, topic)| async move {
        let lag = within(lag(log, &format!("{}{group}", log.prefix), topic)).await;
        ConsumerLag { group: group.to_owned(), topic: log.plain(topic).to_owned(), lag }
    }));
    let dead_letters = join_all(log.topics.read().map(|topic| async move {
        let letters = events::Topics::dead_letter(topic);
        let count = within(async { kafka::record_count(&log.config, &letters, PATIENCE).await.ok() }).await;
        DeadLetterCount { topic: log.plain(topic).to_owned(), count }
    }));
    let (consumers, dead_letters) = tokio::join!(consumers, dead_letters);
    Facts { consumers, dead_letters }
}

/// Records after what the group has committed; none where it never did, or Kafka does not say.
async fn lag(log: &Log, group: &str, topic: &str) -> Option<u64> {
    let ends = kafka::end_offsets(&log.config, topic, PATIENCE);
    let committed = kafka::committed_offsets(&log.config, group, topic, PATIENCE);
    let (ends, committed) = (ends.await.ok()?, committed.await.ok()?);
    if committed.iter().all(Option::is_none) {
        return None;
    }
    let behind = |(end, committed): (&i64, &Option<i64>)| u64::try_from(end - committed.unwrap_or(0)).unwrap_or(0);
    Some(ends.iter().zip(&committed).map(behind).sum())
}

async fn within<T>(work: impl Future<Output = Option<T>>) -> Option<T> {
    tokio::time::timeout(PATIENCE * 2, work).await.ok().flatten()
}
