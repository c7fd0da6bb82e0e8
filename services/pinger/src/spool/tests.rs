use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use model::MonitorId;
use proptest::prelude::*;
use uuid::Uuid;

use super::record::{Kind, SpoolItem};
use super::store::{Store, passes};

const ROOMY: u64 = 1 << 40;

pub(super) fn item(n: u64, kind: Kind, size: usize) -> SpoolItem {
    SpoolItem {
        kind,
        monitor: MonitorId(Uuid::from_u128(u128::from(n))),
        slot: 1_700_000_000_000 + i64::try_from(n).expect("small"),
        interval_ms: 60_000,
        epoch: n * 7,
        revision: 3,
        value: if kind == Kind::Gap { Bytes::new() } else { vec![u8::try_from(n % 251).expect("small"); size].into() },
    }
}

fn items(range: std::ops::Range<u64>, kind: Kind, size: usize) -> Vec<SpoolItem> {
    range.map(|n| item(n, kind, size)).collect()
}

/// Everything that waits, in order, drained.
fn drain(store: &mut Store) -> Vec<SpoolItem> {
    let mut all = Vec::new();
    loop {
        let batch = store.peek(7).expect("read");
        if batch.items.is_empty() {
            return all;
        }
        store.advance(&batch);
        all.extend(batch.items);
    }
}

pub(super) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

#[test]
fn what_is_put_in_comes_out_in_order_over_restarts() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = Store::open(dir.path(), ROOMY).expect("opened");
    store.append(&items(0..50, Kind::Result, 100)).expect("written");
    let batch = store.peek(10).expect("read");
    store.advance(&batch);
    assert_eq!((batch.items.len(), store.records()), (10, 40));
    store.append(&items(50..60, Kind::Steady, 100)).expect("written behind the file being drained");
    drop(store);

    let mut store = Store::open(dir.path(), ROOMY).expect("opened again");
    // The file that was being drained is read from its start again: sent twice, never left out.
    assert_eq!(store.records(), 60);
    let all = drain(&mut store);
    assert_eq!(all[..50], items(0..50, Kind::Result, 100));
    assert_eq!(all[50..], items(50..60, Kind::Steady, 100));
    assert_eq!((store.records(), store.bytes(), files(dir.path()).len()), (0, 0, 0));
}

#[test]
fn a_batch_that_did_not_arrive_is_given_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = Store::open(dir.path(), ROOMY).expect("opened");
    store.append(&items(0..20, Kind::Result, 10)).expect("written");
    let first = store.peek(5).expect("read");
    assert_eq!(store.peek(5).expect("read").items, first.items);
    store.advance(&first);
    assert_ne!(store.peek(5).expect("read").items, first.items);
}

#[test]
fn the_limit_is_kept_by_giving_up_the_oldest_steady_results_first() {
    let dir = tempfile::tempdir().expect("a directory");
    let limit = 20 * 1024 * 1024;
    let mut store = Store::open(dir.path(), limit).expect("opened");
    let mut evicted = 0;
    // Of a hundred results one is no steady one: a change of state.
    for block in 0..40_u64 {
        let batch: Vec<_> =
            (block * 1000..(block + 1) * 1000).map(|n| item(n, if n % 100 == 0 { Kind::Result } else { Kind::Steady }, 1000)).collect();
        let given_up = store.append(&batch).expect("written");
        assert!(given_up.dropped.is_empty());
        evicted += given_up.evicted;
        assert!(store.bytes() <= limit, "{} bytes", store.bytes());
    }
    let all = drain(&mut store);
    assert_eq!(all.len(), 40_000, "a gap is left for each");
    assert_eq!(all.iter().filter(|item| item.kind == Kind::Gap).count() as u64, evicted);
    assert_eq!(all.iter().filter(|item| item.kind == Kind::Result).count(), 400, "changes of state are kept");
    assert!(evicted > 15_000, "{evicted}");
    let first_kept = all.iter().position(|item| item.kind == Kind::Steady).expect("the newest are whole");
    assert!(all.iter().skip(first_kept).all(|item| item.kind != Kind::Gap), "the oldest go first");
    assert!(all.is_sorted_by_key(|item| item.slot));
}

#[test]
fn where_nothing_is_steady_the_oldest_results_become_gaps_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let limit = 10 * 1024 * 1024;
    let mut store = Store::open(dir.path(), limit).expect("opened");
    let mut evicted = 0;
    for block in 0..20_u64 {
        let given_up = store.append(&items(block * 1000..(block + 1) * 1000, Kind::Result, 1000)).expect("written");
        assert!(given_up.dropped.is_empty());
        assert!(store.bytes() <= limit, "{} bytes", store.bytes());
        evicted += given_up.evicted;
    }
    let all = drain(&mut store);
    assert!(all.iter().map(|item| item.slot).eq(items(0..20_000, Kind::Gap, 0).iter().map(|item| item.slot)), "each has its record");
    let gaps = all.iter().take_while(|item| item.kind == Kind::Gap).count();
    assert_eq!((gaps as u64, all.iter().filter(|item| item.kind == Kind::Gap).count()), (evicted, gaps), "the oldest");
    assert!(evicted > 9_000, "{evicted}");
}

#[test]
fn where_not_even_the_gaps_find_room_the_oldest_file_goes_and_says_what_it_held() {
    let dir = tempfile::tempdir().expect("a directory");
    let limit = 1024 * 1024;
    let mut store = Store::open(dir.path(), limit).expect("opened");
    let mut dropped = Vec::new();
    for block in 0..300_u64 {
        dropped.extend(store.append(&items(block * 100..(block + 1) * 100, Kind::Result, 1000)).expect("written").dropped);
        assert!(store.bytes() <= limit, "{} bytes", store.bytes());
    }
    assert!(!dropped.is_empty() && dropped.iter().all(|item| item.kind == Kind::Gap));
    dropped.extend(drain(&mut store));
    assert!(dropped.iter().map(|item| item.slot).eq(items(0..30_000, Kind::Gap, 0).iter().map(|item| item.slot)), "told or still there");
}

#[test]
fn a_file_of_rubbish_is_no_obstacle() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("0000000000000007.spool"), vec![0xa7; 10_000]).expect("written");
    fs::write(dir.path().join("0000000000000003.fresh"), b"left behind").expect("written");
    fs::write(dir.path().join("notes.txt"), b"not ours").expect("written");
    let mut store = Store::open(dir.path(), ROOMY).expect("opened");
    assert_eq!(store.records(), 0);
    store.append(&items(0..3, Kind::Result, 10)).expect("written");
    assert_eq!(drain(&mut store), items(0..3, Kind::Result, 10));
    assert_eq!(files(dir.path()).len(), 1, "only what is not ours is left");
}

#[test]
fn what_is_damaged_under_a_living_pinger_leaves_its_gaps() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = Store::open(dir.path(), ROOMY).expect("opened");
    let all = items(0..20, Kind::Result, 100);
    store.append(&all).expect("written");
    let file = files(dir.path()).remove(0);
    let mut bytes = fs::read(&file).expect("read");
    let length = bytes.len() / all.len();
    // One in the middle, and the last, which without what is known would be a torn tail.
    for hit in [5, 19] {
        bytes[hit * length + length / 2] ^= 1;
    }
    fs::write(&file, &bytes).expect("damaged");
    let found = drain(&mut store);
    assert!(store.corrupt() > 0);
    assert_eq!(found[..18].iter().filter(|item| item.kind == Kind::Result).count(), 18);
    assert_eq!(found[18..], [all[5].clone().given_up(), all[19].clone().given_up()]);
    assert_eq!((store.records(), files(dir.path()).len()), (0, 0));
}

#[test]
fn a_file_that_cannot_be_read_under_a_living_pinger_leaves_its_gaps() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = Store::open(dir.path(), ROOMY).expect("opened");
    store.append(&items(0..20, Kind::Result, 100)).expect("written");
    let file = files(dir.path()).remove(0);
    fs::remove_file(&file).expect("removed");
    fs::create_dir(&file).expect("nothing that can be read");
    assert_eq!(drain(&mut store), items(0..20, Kind::Gap, 0));
    assert_eq!(files(dir.path()), [file.with_extension("unreadable")]);
    store.append(&items(20..23, Kind::Result, 10)).expect("written");
    assert_eq!(drain(&mut store), items(20..23, Kind::Result, 10), "and it goes on");
}

#[test]
fn a_file_is_not_given_up_for_what_the_machine_lacks_just_now() {
    let error = std::io::Error::from_raw_os_error;
    let (none_open, no_memory, no_file, bad_disk) = (error(24), error(12), error(2), error(5));
    assert_eq!([&none_open, &no_memory, &no_file, &bad_disk].map(passes), [true, true, false, false]);
}

#[test]
fn of_what_cannot_be_read_only_the_newest_is_left_aside() {
    let dir = tempfile::tempdir().expect("a directory");
    for n in 1..=5 {
        fs::write(dir.path().join(format!("{n:016}.unreadable")), vec![0; 50 * 1024]).expect("written");
    }
    Store::open(dir.path(), 1024 * 1024).expect("opened");
    let left: Vec<_> = files(dir.path()).iter().map(|file| file.file_stem().expect("a name").to_owned()).collect();
    assert_eq!(left, ["0000000000000004", "0000000000000005"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Cut anywhere, as a crash does: every record that was whole is there, nothing else.
    #[test]
    fn a_torn_tail_costs_only_what_was_torn(count in 1_u64..40, size in 0_usize..300, cut in any::<prop::sample::Index>()) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut store = Store::open(dir.path(), ROOMY).expect("opened");
        let all = items(0..count, Kind::Result, size);
        store.append(&all).expect("written");
        drop(store);
        let file = files(dir.path()).remove(0);
        let bytes = fs::read(&file).expect("read");
        let keep = cut.index(bytes.len());
        fs::write(&file, &bytes[..keep]).expect("cut");

        let mut store = Store::open(dir.path(), ROOMY).expect("opened");
        let whole = keep / (bytes.len() / all.len());
        prop_assert_eq!(store.records(), whole as u64);
        prop_assert_eq!(store.corrupt(), 0);
        // And it goes on behind them.
        store.append(&items(1000..1003, Kind::Result, size)).expect("written");
        let found = drain(&mut store);
        prop_assert_eq!(&found[..whole], &all[..whole]);
        prop_assert_eq!(&found[whole..], &items(1000..1003, Kind::Result, size)[..]);
    }

    /// One bit flipped anywhere: the record it hit is found out, all others are there.
    #[test]
    fn a_flipped_bit_is_always_found_out(count in 2_u64..30, size in 0_usize..300, at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut store = Store::open(dir.path(), ROOMY).expect("opened");
        let all = items(0..count, Kind::Result, size);
        store.append(&all).expect("written");
        drop(store);
        let file = files(dir.path()).remove(0);
        let mut bytes = fs::read(&file).expect("read");
        let length = bytes.len() / all.len();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fs::write(&file, &bytes).expect("flipped");

        let hit = at / length;
        let mut expected = all;
        expected.remove(hit);
        let mut store = Store::open(dir.path(), ROOMY).expect("opened");
        prop_assert_eq!(drain(&mut store), expected);
    }

    /// Any payload survives, its own mark included.
    #[test]
    fn a_record_reads_back_as_it_was_written(value in prop::collection::vec(prop_oneof![Just(0xa7_u8), Just(0x55), any::<u8>()], 0..500), slot in any::<i64>()) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut store = Store::open(dir.path(), ROOMY).expect("opened");
        let one = SpoolItem { slot, value: value.into(), ..item(1, Kind::Steady, 0) };
        store.append(std::slice::from_ref(&one)).expect("written");
        drop(store);
        prop_assert_eq!(drain(&mut Store::open(dir.path(), ROOMY).expect("opened")), [one]);
    }
}
