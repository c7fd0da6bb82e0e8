use proptest::prelude::*;

use super::*;
use crate::history::{HOUR_MS, fingerprint};

fn entry() -> impl Strategy<Value = Entry> {
    let latency = prop_oneof![Just(None), (0_u32..3_000_000).prop_map(Some), any::<u32>().prop_map(Some)];
    // Few slots, so that duplicates and runs occur.
    let offset = prop_oneof![(0_i64..60).prop_map(|n| n * 60_000 + 7), 0_i64..HOUR_MS];
    (offset, 0_u8..6, latency).prop_map(|(offset, code, latency)| Entry::new(offset, Outcome::from_code(code).expect("a code"), latency))
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    prop::collection::vec(entry(), 0..120)
}

fn block() -> impl Strategy<Value = Block> {
    entries().prop_map(|entries| entries.into_iter().collect())
}

fn merged(a: &Block, b: &Block) -> Block {
    let mut merged = a.clone();
    merged.merge(b);
    merged
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(block in block()) {
        let bytes = block.encode();
        prop_assert_eq!(Block::decode(&bytes), Ok(block));
    }

    #[test]
    fn merging_is_idempotent_commutative_and_associative(a in block(), b in block(), c in block()) {
        prop_assert_eq!(merged(&a, &a), a.clone());
        prop_assert_eq!(merged(&a, &b).encode(), merged(&b, &a).encode());
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        let mut again = merged(&a, &b);
        prop_assert!(!again.merge(&b), "a second merge changes nothing and says so");
    }

    #[test]
    fn order_and_repetition_leave_the_same_bytes(entries in entries(), seed in any::<prop::sample::Index>()) {
        let once: Block = entries.iter().copied().collect();
        let mut shuffled: Vec<Entry> = entries.iter().chain(&entries).copied().collect();
        let n = shuffled.len();
        for i in 1..n {
            shuffled.swap(i, (seed.index(1 << 20) ^ i.wrapping_mul(40_503)) % (i + 1));
        }
        let other: Block = shuffled.into_iter().collect();
        prop_assert_eq!(once.encode(), other.encode());
        prop_assert_eq!(fingerprint(&once.encode()), fingerprint(&other.encode()));
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), known in any::<bool>()) {
        let mut bytes = bytes;
        if known && !bytes.is_empty() {
            bytes[0] = VERSION;
        }
        if let Ok(block) = Block::decode(&bytes) {
            // What is accepted is a set in order; a longer spelling of it may differ in bytes only.
            prop_assert!(block.entries().is_sorted_by(|a, b| a.offset_ms() < b.offset_ms()));
            prop_assert_eq!(Block::decode(&block.encode()), Ok(block));
        }
    }

    #[test]
    fn a_damaged_block_is_never_a_panic(block in block(), at in any::<prop::sample::Index>(), value in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut bytes = block.encode();
        let index = at.index(bytes.len());
        bytes[index] = value;
        let _ = Block::decode(&bytes);
        let end = cut.index(bytes.len());
        let _ = Block::decode(&bytes[..end]);
    }

    #[test]
    fn counts_and_samples_say_what_is_in_it(block in block()) {
        let counts = block.counts();
        prop_assert_eq!(counts.total(), block.len() as u64);
        let down = block.samples(HOUR_MS).filter(|sample| sample.outcome == Outcome::Down).count();
        prop_assert_eq!(counts.down, down as u64);
        prop_assert!(block.samples(HOUR_MS).all(|sample| (HOUR_MS..2 * HOUR_MS).contains(&sample.slot)));
    }
}

#[test]
fn the_worse_verdict_and_the_lower_latency_stand() {
    let check = |outcome, latency| Entry::new(5, outcome, latency);
    let stands = |entries: &[Entry]| entries.iter().copied().collect::<Block>().entries()[0];
    let (up, down) = (check(Outcome::Up, Some(1_000)), check(Outcome::Down, None));
    assert_eq!(stands(&[up, down]), down);
    assert_eq!(stands(&[check(Outcome::Unknown, None), up, check(Outcome::Missed, None)]), up);
    assert_eq!(stands(&[check(Outcome::Up, None), check(Outcome::Up, Some(2_000)), up]), up);
    assert_eq!(check(Outcome::Up, Some(149)).latency_us(), Some(100));
    assert_eq!(check(Outcome::Up, Some(150)).latency_us(), Some(200));
    assert_eq!(check(Outcome::Up, Some(u32::MAX)).latency_us().map(|us| us / 1000), Some(u32::MAX / 1000));
}

/// The format is for ever: blocks of version 1 lie in databases.
#[test]
fn version_1_reads_as_it_was_written() {
    let block: Block = (0_u32..60)
        .map(|n| Entry::new(i64::from(n) * 60_000 + 1_234, if n == 30 { Outcome::Down } else { Outcome::Up }, Some(20_000 + (n % 7) * 400)))
        .collect();
    let hex = block.encode().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    insta::assert_snapshot!(hex);
}

/// A latency that wanders like a real one: a base with jitter, now and then a slow answer.
fn wandering(count: i64, interval_ms: i64) -> Block {
    let mut state = 0x9e37_79b9_u32;
    (0..count)
        .map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let jitter = state >> 16 & 0xfff;
            let slow = if state.is_multiple_of(97) { 250_000 } else { 0 };
            Entry::new(n * interval_ms + 417, Outcome::Up, Some(38_000 + jitter + slow))
        })
        .collect()
}

#[test]
fn bytes_per_check() {
    for (interval_s, limit) in [(60, 3.0), (20, 2.0), (10, 2.0)] {
        let block = wandering(3600 / interval_s, interval_s * 1000);
        let bytes = block.encode().len();
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let per_check = bytes as f64 / block.len() as f64;
        println!("interval {interval_s} s: {bytes} bytes for {} checks, {per_check:.2} bytes per check", block.len());
        assert!(per_check <= limit, "{per_check} bytes per check at {interval_s} s");
    }
}
