//! The store against a model that is a list: appended to, drained, killed at any byte of what it was writing,
//! opened again, in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use proptest::prelude::*;

use super::record::{Kind, SpoolItem};
use super::store::Store;
use super::tests::{files, item};

/// Small enough that results are given up, and gaps dropped.
const LIMIT: u64 = 200 * 1024;

#[derive(Debug, Clone)]
enum Step {
    Append {
        count: u64,
        size: usize,
        steady: bool,
    },
    /// Takes so many at most; they arrive or not.
    Drain {
        most: usize,
        arrives: bool,
    },
    /// Dies while it wrote this many bytes of the last append, and is opened again.
    Crash {
        cut: prop::sample::Index,
    },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..60_u64, 0..2000_usize, any::<bool>()).prop_map(|(count, size, steady)| Step::Append { count, size, steady }),
        3 => (1..80_usize, prop::bool::weighted(0.8)).prop_map(|(most, arrives)| Step::Drain { most, arrives }),
        1 => any::<prop::sample::Index>().prop_map(|cut| Step::Crash { cut }),
        1 => Just(Step::Reopen),
    ]
}

/// What must be there: by number, with the bytes each was put in with.
#[derive(Default)]
struct Model {
    waiting: BTreeMap<i64, SpoolItem>,
    /// Drained or told as dropped. A restart may bring those of the file that was being drained again.
    gone: BTreeMap<i64, SpoolItem>,
    /// Of the last append: what a crash may take, in order.
    last: Vec<SpoolItem>,
    next: u64,
}

impl Model {
    fn settle(&mut self, items: &[SpoolItem]) {
        for item in items {
            self.gone.extend(self.waiting.remove(&item.slot).map(|put| (item.slot, put)));
        }
    }

    /// A record is what was put in, or the gap it left.
    fn knows(&self, item: &SpoolItem) -> bool {
        let put = self.waiting.get(&item.slot).or_else(|| self.gone.get(&item.slot));
        put.is_some_and(|put| put == item || (item.kind == Kind::Gap && put.clone().given_up() == *item))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_is_lost_or_made_up_whatever_the_order(steps in prop::collection::vec(step(), 1..40)) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut store = Store::open(dir.path(), LIMIT).expect("opened");
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Append { count, size, steady } => {
                    let kind = if steady { Kind::Steady } else { Kind::Result };
                    let items: Vec<SpoolItem> = (model.next..model.next + count).map(|n| item(n, kind, size)).collect();
                    model.next += count;
                    model.waiting.extend(items.iter().map(|item| (item.slot, item.clone())));
                    let given_up = store.append(&items).expect("written");
                    prop_assert!(given_up.dropped.iter().all(|item| model.knows(item)));
                    model.settle(&given_up.dropped);
                    model.last = items;
                }
                Step::Drain { most, arrives } => {
                    let batch = store.peek(most).expect("read");
                    prop_assert!(batch.items.iter().all(|item| model.knows(item)), "made up");
                    prop_assert!(batch.items.is_sorted_by_key(|item| item.slot), "out of order");
                    if arrives {
                        store.advance(&batch);
                        model.settle(&batch.items);
                    }
                    model.last.clear();
                }
                Step::Crash { cut } => {
                    drop(store);
                    // What was appended last stands at the end of the last file: any part of it may not have got there.
                    let newest = files(dir.path()).pop().filter(|_| !model.last.is_empty());
                    let mut lost = BTreeSet::new();
                    if let Some(newest) = newest {
                        let bytes = fs::read(&newest).expect("read");
                        let length: u64 = model.last.iter().map(SpoolItem::encoded_len).sum();
                        let length = usize::try_from(length).expect("small").min(bytes.len());
                        let kept = cut.index(length + 1);
                        fs::write(&newest, &bytes[..bytes.len() - length + kept]).expect("cut");
                        let mut room = kept as u64;
                        for item in &model.last {
                            if room >= item.encoded_len() {
                                room -= item.encoded_len();
                            } else {
                                room = 0;
                                lost.insert(item.slot);
                            }
                        }
                    }
                    model.waiting.retain(|slot, _| !lost.contains(slot));
                    model.last.clear();
                    store = Store::open(dir.path(), LIMIT).expect("opened");
                    prop_assert_eq!(store.corrupt(), 0, "a torn tail is no damage");
                }
                Step::Reopen => {
                    drop(store);
                    store = Store::open(dir.path(), LIMIT).expect("opened");
                }
            }
        }
        // In the end all that waits comes out, in order; besides, only what a restart brought again.
        let mut found = BTreeSet::new();
        loop {
            let batch = store.peek(50).expect("read");
            if batch.items.is_empty() { break; }
            prop_assert!(batch.items.iter().all(|item| model.knows(item)), "made up");
            found.extend(batch.items.iter().map(|item| item.slot));
            store.advance(&batch);
        }
        let absent = model.waiting.keys().filter(|slot| !found.contains(slot)).count();
        prop_assert_eq!(absent, 0, "lost");
        prop_assert_eq!(files(dir.path()).len(), 0, "nothing stays behind");
    }
}
