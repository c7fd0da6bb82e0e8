//! Reading the log: decoded on all cores, folded in order, staged when memory fills.

use std::collections::HashMap;
use std::num::NonZero;
use std::time::Instant;

use futures::{StreamExt as _, TryStreamExt as _};
use kafka::{LogReader, Message, Stretch};
use model::history::HOUR_MS;
use model::{CheckResult, Millis};

use super::{Goal, Phase, Replay, ReplayError};
use crate::fold::Fold;
use crate::intake::{Intake, Rejected};

/// Blocks and results in memory before they are staged.
const BLOCKS: usize = 150_000;
const RESULTS: u64 = 4_000_000;
/// The log's first record was written about when the median of so many was.
const HEAD: usize = 21;
/// How much the clocks of pingers differ.
const SKEW_MS: Millis = 5 * 60_000;

/// What was seen of the log.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub records: u64,
    pub unreadable: u64,
    pub too_old: u64,
    heads: HashMap<i32, Head>,
}

/// The beginning of a partition's log.
#[derive(Debug, Default)]
struct Head {
    /// Records were deleted before what was read.
    cut: bool,
    timestamps: Vec<Millis>,
}

impl Head {
    /// About when its first record was written.
    fn begins(&self) -> Option<Millis> {
        let mut sorted = self.timestamps.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}

impl Seen {
    pub fn begin(&mut self, bounds: &[Stretch]) {
        let head = |stretch: &Stretch| (stretch.partition, Head { cut: stretch.from > 0, timestamps: Vec::new() });
        self.heads = bounds.iter().map(head).collect();
    }

    /// The first hour of which the log holds every result: a result is written after its slot, so those of
    /// later hours lie behind the log's beginning. A partition from which nothing was deleted says only
    /// how young the topic is; one from which everything was deleted says nothing.
    pub fn covered_from(&self, now: Millis) -> Millis {
        let topic = self.heads.values().filter_map(Head::begins).min().unwrap_or(now);
        let cut = self.heads.values().filter(|head| head.cut).map(|head| head.begins().unwrap_or(now)).max().unwrap_or(topic);
        let begins = topic.max(cut) + SKEW_MS;
        begins + (-begins).rem_euclid(HOUR_MS)
    }

    fn take(&mut self, decoded: &Decoded, positions: &HashMap<i32, i64>) {
        self.records += decoded.records;
        self.unreadable += decoded.unreadable;
        self.too_old += decoded.too_old;
        for (partition, offset, timestamp) in &decoded.heads {
            let head = self.heads.entry(*partition).or_default();
            // Deleted since the log was measured.
            head.cut |= head.timestamps.is_empty() && positions.get(partition).is_some_and(|expected| offset > expected);
            if head.timestamps.len() < HEAD {
                head.timestamps.push(*timestamp);
            }
        }
    }
}

/// A batch as it is folded.
#[derive(Default)]
struct Decoded {
    records: u64,
    unreadable: u64,
    too_old: u64,
    results: Vec<CheckResult>,
    /// Next offset per partition.
    next: HashMap<i32, i64>,
    /// (partition, offset, timestamp) of the first records of each partition.
    heads: Vec<(i32, i64, Millis)>,
}

fn decode(batch: &[Message], intake: Intake) -> Decoded {
    let mut decoded = Decoded { records: batch.len() as u64, results: Vec::with_capacity(batch.len()), ..Decoded::default() };
    let mut heads: HashMap<i32, usize> = HashMap::new();
    for message in batch {
        decoded.next.insert(message.partition, message.offset + 1);
        let seen = heads.entry(message.partition).or_default();
        if *seen < HEAD {
            *seen += 1;
            let timestamp = if message.timestamp_ms > 0 { message.timestamp_ms } else { intake.now };
            decoded.heads.push((message.partition, message.offset, timestamp));
        }
        match intake.read(message.key.as_deref(), message.value.as_deref()) {
            Ok(result) => decoded.results.push(result),
            Err(Rejected::TooOld) => decoded.too_old += 1,
            Err(Rejected::Unreadable(_) | Rejected::Future(_)) => decoded.unreadable += 1,
        }
    }
    decoded
}

impl Replay<'_> {
    /// Reads on to where the goals say; what is read goes to `recent`, too, if there is one.
    pub(super) async fn read_to(&mut self, goals: &[Goal], mut recent: Option<&mut Fold>) -> Result<(), ReplayError> {
        let stretch = |goal: &Goal| Stretch {
            partition: goal.partition,
            from: self.positions.get(&goal.partition).copied().unwrap_or(goal.from),
            to: goal.read_to,
        };
        let stretches: Vec<Stretch> = goals.iter().map(stretch).filter(|stretch| !stretch.is_empty()).collect();
        if stretches.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        let reader = LogReader::start(&self.kafka, &self.topic, &stretches)?;
        let lanes = std::thread::available_parallelism().map_or(2, NonZero::get);
        let intake = self.intake();
        let batches = futures::stream::try_unfold(reader, |mut reader| async {
            let batch = reader.next().await?;
            Ok::<_, ReplayError>(batch.map(|batch| (batch, reader)))
        });
        let decoded = batches
            .map_ok(|batch| async move { Ok::<_, ReplayError>(tokio::task::spawn_blocking(move || decode(&batch, intake)).await?) })
            .try_buffered(lanes + 1);
        let mut decoded = std::pin::pin!(decoded);
        let mut unstaged = 0;
        while let Some(decoded) = decoded.next().await {
            let decoded = decoded?;
            self.log.take(&decoded, &self.positions);
            unstaged += decoded.results.len() as u64;
            for result in decoded.results {
                if let Some(recent) = recent.as_deref_mut() {
                    recent.apply(result.clone(), intake.now);
                }
                self.fold.apply(result, intake.now);
            }
            self.positions.extend(decoded.next);
            if unstaged >= RESULTS || self.fold.sizes().0 >= BLOCKS {
                unstaged = 0;
                self.stage_blocks().await?;
            }
            self.progress(Phase::Reading);
        }
        // A stretch may end in what is no record (a marker of a transaction).
        for stretch in stretches {
            self.positions.insert(stretch.partition, stretch.to);
        }
        self.report.reading += began.elapsed();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Millis = 1_772_323_200_000;

    fn seen(heads: &[(bool, &[Millis])]) -> Seen {
        let heads = heads.iter().zip(0..).map(|((cut, minutes), partition)| {
            (partition, Head { cut: *cut, timestamps: minutes.iter().map(|minute| HOUR + minute * 60_000).collect() })
        });
        Seen { heads: heads.collect(), ..Seen::default() }
    }

    #[test]
    fn the_log_covers_whole_hours_from_where_nothing_was_deleted() {
        let now = HOUR + 50 * HOUR_MS;
        let covered = |heads: &[(bool, &[Millis])]| (seen(heads).covered_from(now) - HOUR) / HOUR_MS;
        assert_eq!(covered(&[(false, &[10]), (false, &[130])]), 1, "a partition that was used later is no gap");
        assert_eq!(covered(&[(true, &[10]), (true, &[130])]), 3, "what was deleted of the second is missing");
        assert_eq!(covered(&[(false, &[10]), (true, &[])]), 51, "all was deleted, whenever that was");
        assert_eq!(covered(&[(false, &[58])]), 2, "clocks differ by minutes");
        assert_eq!(covered(&[(true, &[-900_000, 10, 20])]), 1, "one broken clock at the beginning decides nothing");
        assert_eq!(covered(&[(false, &[]), (false, &[])]), 51);
    }
}
