//! The log from its beginning to its end: what came before the span asked for decides in which state it begins.

use std::collections::{HashMap, HashSet};
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _};
use kafka::{KafkaConfig, LogReader, Message, Stretch};
use model::{CheckResult, Clock, Millis, MonitorId, SystemClock};
use service::Error;

use super::judge::Judge;

const LOOKUP: Duration = Duration::from_secs(15);
/// The alerter takes no slot that lies further in the future.
const SKEW_MS: Millis = 60_000;

/// What was read.
#[derive(Debug, Default)]
pub struct Read {
    pub records: u64,
    /// Results of the monitors that were tested.
    pub results: u64,
    pub unreadable: u64,
    pub took: Duration,
    /// From which slot on the log tells everything; absent where it holds nothing.
    pub begins: Option<Millis>,
}

/// Reads everything there is into the judge.
pub async fn read(
    config: &KafkaConfig,
    topic: &str,
    judge: &mut Judge,
    tell: &(dyn Fn(u64, u64, Duration) + Send + Sync),
) -> Result<Read, Error> {
    let bounds = kafka::log_bounds(config, topic, LOOKUP).await?;
    let total: u64 = bounds.iter().map(Stretch::len).sum();
    let cut: HashSet<i32> = bounds.iter().filter(|stretch| stretch.from > 0).map(|stretch| stretch.partition).collect();
    let wanted: Arc<HashSet<String>> = Arc::new(judge.monitors().map(|monitor: MonitorId| monitor.to_string()).collect());
    let (mut read, began) = (Read::default(), Instant::now());
    let mut firsts: HashMap<i32, Millis> = HashMap::new();
    let reader = LogReader::start(config, topic, &bounds)?;
    let batches = futures::stream::try_unfold(reader, |mut reader| async {
        let batch = reader.next().await?;
        Ok::<_, Error>(batch.map(|batch| (batch, reader)))
    });
    let lanes = std::thread::available_parallelism().map_or(2, NonZero::get);
    let decoded = batches
        .map_ok(|batch| {
            let wanted = Arc::clone(&wanted);
            async move { Ok::<_, Error>(tokio::task::spawn_blocking(move || decode(&batch, &wanted)).await?) }
        })
        .try_buffered(lanes + 1);
    let mut decoded = std::pin::pin!(decoded);
    while let Some(batch) = decoded.next().await {
        let batch = batch?;
        read.records += batch.records;
        read.unreadable += batch.unreadable;
        read.results += batch.results.len() as u64;
        for (partition, result) in &batch.results {
            let first = firsts.entry(*partition).or_insert(result.slot);
            if !cut.contains(partition) {
                *first = (*first).min(result.slot);
            }
            judge.take(result);
        }
        tell(read.records, total, began.elapsed());
    }
    // What was deleted of a partition may have decided what its first results mean.
    let cut = firsts.iter().filter(|(partition, _)| cut.contains(partition)).map(|(_, slot)| *slot).max();
    read.begins = cut.or(firsts.values().copied().min());
    read.took = began.elapsed();
    Ok(read)
}

struct Decoded {
    records: u64,
    unreadable: u64,
    results: Vec<(i32, CheckResult)>,
}

fn decode(batch: &[Message], wanted: &HashSet<String>) -> Decoded {
    let latest = SystemClock.now_ms() + SKEW_MS;
    let mut decoded = Decoded { records: batch.len() as u64, unreadable: 0, results: Vec::new() };
    for message in batch {
        let key = message.key.as_deref();
        // Records of other monitors cost no more than a look at their key.
        if !key.and_then(|key| std::str::from_utf8(key).ok()).is_some_and(|key| wanted.contains(key)) {
            continue;
        }
        match events::decode_result(key, message.value.as_deref()) {
            Ok(result) if result.slot <= latest => decoded.results.push((message.partition, result)),
            _ => decoded.unreadable += 1,
        }
    }
    decoded
}
