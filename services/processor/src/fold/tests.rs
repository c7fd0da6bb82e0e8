use bytes::Bytes;
use cache::LiveWrite;
use model::Phases;
use model::history::HOUR_MS;
use uuid::Uuid;

use super::*;

const HOUR: Millis = 1_772_323_200_000;

fn result(monitor: u128, region: &str, slot: Millis, outcome: Outcome, latency_us: Option<u32>) -> CheckResult {
    CheckResult {
        monitor: MonitorId(Uuid::from_u128(monitor)),
        region: region.parse().expect("a region"),
        slot,
        interval_ms: 60_000,
        outcome,
        cause: None,
        detail: None,
        latency_us,
        phases: Phases::default(),
        status: None,
        certificate_expires_at: None,
        attempts: 1,
        started_at: slot + 3,
        epoch: 1,
        pinger: "p".to_owned(),
        revision: 1,
        suspect: false,
    }
}

fn apply_all(fold: &mut Fold, results: Vec<CheckResult>) {
    for result in results {
        fold.apply(result, HOUR);
    }
}

fn flushed(fold: &mut Fold) -> Vec<(BlockKey, Vec<u8>)> {
    let mut blocks: Vec<_> = fold.take_unflushed().into_iter().map(|block| (block.key, block.block.encode())).collect();
    blocks.sort();
    blocks
}

/// Some monitors over two hours, with doubtful slots reported twice and differently.
fn results() -> Vec<CheckResult> {
    let mut all = Vec::new();
    for monitor in 0..5 {
        for region in ["eu", "us"] {
            for n in 0..120 {
                let outcome = if n % 17 == 3 { Outcome::Down } else { Outcome::Up };
                all.push(result(monitor, region, HOUR + n * 60_000, outcome, Some(20_000 + u32::try_from(n).expect("small") * 100)));
                if n % 11 == 0 {
                    all.push(result(monitor, region, HOUR + n * 60_000, Outcome::Missed, None));
                    all.push(result(monitor, region, HOUR + n * 60_000, Outcome::Up, Some(90_000)));
                }
            }
        }
    }
    all
}

#[test]
fn order_and_repetition_change_nothing() {
    let in_order = {
        let mut fold = Fold::default();
        apply_all(&mut fold, results());
        (flushed(&mut fold), latest(&mut fold))
    };
    let mut mixed = results();
    mixed.extend(results());
    for i in 1..mixed.len() {
        mixed.swap(i, (i * 7919 + 13) % (i + 1));
    }
    let mut fold = Fold::default();
    apply_all(&mut fold, mixed);
    assert_eq!(in_order.0, flushed(&mut fold));
    assert_eq!(in_order.1, latest(&mut fold));
    assert_eq!(in_order.0.len(), 5 * 2 * 2);
}

fn latest(fold: &mut Fold) -> Vec<(MonitorId, String, Bytes)> {
    let writes = fold.take_unwritten(HOUR + HOUR_MS, usize::MAX);
    let mut latest: Vec<_> =
        writes.into_iter().filter_map(|write| Some((write.monitor, write.region.to_string(), write.latest?))).collect();
    latest.sort();
    latest
}

#[test]
fn a_suspect_result_counts_as_unknown() {
    let mut fold = Fold::default();
    fold.apply(CheckResult { suspect: true, ..result(1, "eu", HOUR, Outcome::Down, None) }, HOUR);
    let writes = fold.take_unwritten(HOUR, 10);
    assert_eq!(writes.len(), 1);
    assert_eq!((writes[0].counts.unknown, writes[0].counts.down), (1, 0));
    assert!(writes[0].latest.as_ref().is_some_and(|latest| latest.starts_with(br#"{"slot":1772323200000,"outcome":"unknown""#)));
}

#[test]
fn what_failed_is_taken_again_with_what_came_meanwhile_and_nothing_twice() {
    let mut fold = Fold::default();
    fold.apply(result(1, "eu", HOUR, Outcome::Up, None), HOUR);
    let (blocks, writes) = (fold.take_unflushed(), fold.take_unwritten(HOUR, 10));
    assert!(fold.take_unflushed().is_empty() && fold.take_unwritten(HOUR, 10).is_empty());
    fold.apply(result(1, "eu", HOUR + 60_000, Outcome::Up, None), HOUR);
    fold.not_flushed(&blocks);
    fold.not_written(&writes);
    let (blocks, writes) = (fold.take_unflushed(), fold.take_unwritten(HOUR, 10));
    assert_eq!((blocks.len(), blocks[0].block.len()), (1, 2));
    assert_eq!((writes.len(), writes[0].counts.up), (1, 2));
    assert!(writes[0].expected.is_empty());
    fold.written(&writes[0]);
    fold.apply(result(1, "eu", HOUR + 60_000, Outcome::Up, None), HOUR);
    assert_eq!(fold.sizes(), (1, 0, 0), "a repetition is no news");
    fold.apply(result(1, "eu", HOUR + 120_000, Outcome::Up, None), HOUR);
    assert_eq!(fold.take_unwritten(HOUR, 10)[0].expected, writes[0].block);
}

#[test]
fn a_conflict_is_learnt_and_written_again() {
    let mut fold = Fold::default();
    fold.apply(result(1, "eu", HOUR, Outcome::Up, None), HOUR);
    let writes = fold.take_unwritten(HOUR, 10);
    let other: Block = [Entry::new(60_000, Outcome::Down, None)].into_iter().collect();
    fold.conflicted(&writes[0], other.encode().into());
    let again = fold.take_unwritten(HOUR, 10);
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].expected, other.encode());
    assert_eq!((again[0].counts.up, again[0].counts.down), (1, 1));
    // PostgreSQL had more, too.
    fold.written(&again[0]);
    let key = BlockKey { monitor: again[0].monitor, region: again[0].region.clone(), hour: HOUR };
    fold.flushed(&[], &[HourBlock { key, block: Arc::new([Entry::new(120_000, Outcome::Up, None)].into_iter().collect()) }], HOUR);
    assert_eq!(fold.take_unwritten(HOUR, 10)[0].counts.total(), 3);
}

#[test]
fn old_hours_are_history_only_and_their_newest_result_is_still_shown() {
    let mut fold = Fold::default();
    fold.apply(result(1, "eu", HOUR, Outcome::Up, None), HOUR);
    let writes = fold.take_unwritten(HOUR + 30 * HOUR_MS, 10);
    assert_eq!(writes.len(), 1);
    assert!(writes[0].block.is_empty() && writes[0].latest.is_some());
    assert_eq!(fold.take_unflushed().len(), 1);
    assert!(!fold.evict(HOUR + 30 * HOUR_MS, HOUR + 1, false), "Redis does not even keep its counts");
    assert_eq!(fold.sizes().0, 0);
}

#[test]
fn an_hour_that_grows_old_between_flush_and_write_is_still_counted() {
    let (before, after) = (HOUR + 4 * HOUR_MS - 1, HOUR + 4 * HOUR_MS);
    let mut fold = Fold::default();
    fold.apply(result(1, "eu", HOUR, Outcome::Up, None), before);
    let blocks = fold.take_unflushed();
    let counted = |writes: &[LiveWrite]| writes.iter().map(|write| (write.block.is_empty(), write.counts.up)).collect::<Vec<_>>();
    // The write comes after the border.
    assert_eq!(counted(&fold.take_unwritten(after, 10)), [(true, 1)]);
    // So does the end of the flush, which found more.
    let more: Block = [Entry::new(0, Outcome::Up, None), Entry::new(60_000, Outcome::Up, None)].into_iter().collect();
    let grown = [HourBlock { key: blocks[0].key.clone(), block: Arc::new(more) }];
    assert!(fold.flushed(&blocks, &grown, after));
    let writes = fold.take_unwritten(after, 10);
    assert_eq!(counted(&writes), [(true, 2)]);
    fold.not_written(&writes);
    assert_eq!(counted(&fold.take_unwritten(after, 10)), [(true, 2)], "and is tried again");
    // What is not flushed yet is not certain.
    fold.apply(result(1, "eu", HOUR + 120_000, Outcome::Up, None), after);
    assert_eq!(counted(&fold.take_unwritten(after, 10)), [(true, 0)], "the latest result alone");
    let blocks = fold.take_unflushed();
    assert!(fold.flushed(&blocks, &[], after));
    assert_eq!(counted(&fold.take_unwritten(after, 10)), [(true, 3)]);
}

#[test]
fn while_redis_is_away_memory_holds_what_it_keeps_and_no_more() {
    let mut fold = Fold::default();
    let (monitors, mut lacks, mut most) = (10, false, 0);
    for minute in 0..24 * 60 {
        let now = HOUR + minute * 60_000;
        for monitor in 0..monitors {
            fold.apply(result(monitor, "eu", now, Outcome::Up, None), now);
        }
        let blocks = fold.take_unflushed();
        // Not all is tried at once.
        let writes = fold.take_unwritten(now, 3);
        fold.not_written(&writes);
        assert!(!fold.evict(now, now - 120_000, true), "a flush is under way");
        fold.flushed(&blocks, &[], now);
        lacks |= fold.evict(now, now - 120_000, false);
        let (blocks, unflushed, unwritten) = fold.sizes();
        most = most.max(blocks);
        assert_eq!((unflushed, unwritten), (0, blocks + 10), "each once, and the latest results");
    }
    assert_eq!(most, 10 * 4, "the hour, and three that were");
    assert!(lacks, "the others are counted in PostgreSQL only");
}

#[test]
fn an_emptied_redis_gets_everything_again() {
    let mut fold = Fold::default();
    apply_all(&mut fold, results());
    let writes = fold.take_unwritten(HOUR, usize::MAX);
    for write in &writes {
        fold.written(write);
    }
    assert!(fold.take_unwritten(HOUR, usize::MAX).is_empty());
    fold.forget_written();
    let mut again = fold.take_unwritten(HOUR, usize::MAX);
    assert_eq!(again.len(), writes.len());
    assert!(again.iter().all(|write| write.expected.is_empty()));
    assert_eq!(again.iter_mut().filter(|write| write.latest.is_some()).count(), 10);
}
