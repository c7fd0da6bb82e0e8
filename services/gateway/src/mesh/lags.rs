//! How far the readers of the log are behind. Asked of Kafka when somebody looks, at most every few
//! seconds, and answered to all who look meanwhile. Nobody waits long for a Kafka that is away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::sync::Notify;

use super::{Log, PATIENCE};
use crate::api::{ConsumerLag, DeadLetterCount};

const KEPT: Duration = Duration::from_secs(5);
/// A page waits no longer for news; it shows what was known, or that nothing is.
const PAGE: Duration = Duration::from_millis(1_500);
/// What is older than this is not known any more.
const STALE: Duration = Duration::from_secs(30);
/// Who reads what; the names are part of the contract of the log (docs/asyncapi.yaml).
const READERS: [&str; 3] = ["processor", "alerter", "alerter-sight"];

/// What was last heard.
#[derive(Default)]
pub(crate) struct Lags {
    known: Mutex<Option<(Instant, Facts)>>,
    asking: AtomicBool,
    heard: Notify,
}

/// Facts about the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub consumers: Vec<ConsumerLag>,
    pub dead_letters: Vec<DeadLetterCount>,
}

impl Lags {
    fn known(&self, within: Duration) -> Option<Facts> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(at, _)| at.elapsed() < within).map(|(_, facts)| facts.clone())
    }
}

/// What is known now.
pub(crate) async fn facts(log: &Arc<Log>) -> Facts {
    if let Some(facts) = log.lags.known(KEPT) {
        return facts;
    }
    let heard = log.lags.heard.notified();
    tokio::pin!(heard);
    heard.as_mut().enable();
    if !log.lags.asking.swap(true, Ordering::AcqRel) {
        let log = Arc::clone(log);
        tokio::spawn(async move {
            let facts = ask(&log).await;
            *log.lags.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), facts));
            log.lags.asking.store(false, Ordering::Release);
            log.lags.heard.notify_waiters();
        });
    }
    let _ = tokio::time::timeout(PAGE, heard).await;
    log.lags.known(STALE).unwrap_or_else(|| nothing(log))
}

/// The readers and topics, of which nothing is known.
fn nothing(log: &Log) -> Facts {
    let consumer = |(group, topic): (&str, &str)| ConsumerLag { group: group.to_owned(), topic: topic.to_owned(), lag: None };
    let letters = |topic: &str| DeadLetterCount { topic: log.plain(topic).to_owned(), count: None };
    Facts { consumers: readers(log).map(consumer).to_vec(), dead_letters: log.topics.read().map(letters).to_vec() }
}

fn readers(log: &Log) -> [(&'static str, &str); 3] {
    let topics = [&log.topics.results, &log.topics.results, &log.topics.probers];
    std::array::from_fn(|n| (READERS[n], log.plain(topics[n])))
}

async fn ask(log: &Log) -> Facts {
    let consumers = join_all(readers(log).map(|(group, topic)| async move {
        let lag = within(lag(log, &format!("{}{group}", log.prefix), &format!("{}{topic}", log.prefix))).await;
        ConsumerLag { group: group.to_owned(), topic: topic.to_owned(), lag }
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
