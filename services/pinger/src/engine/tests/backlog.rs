//! So much is overdue that it must not all be in memory.

use super::*;
use crate::engine::missed::{MESSAGES, MOST_UNREPORTED, TOGETHER};
use crate::engine::overdue::MOST_RECORDED;

#[tokio::test(start_paused = true)]
async fn an_hour_without_pingers_waits_in_few_messages_of_bounded_size_and_the_rest_is_let_go_of() {
    let Parts { mut engine, mut missed, progress, spool: _spool, .. } = Parts::new();
    // 540,000 slots, which nobody carries on meanwhile.
    let monitors = old(1_500, 10_000);
    engine.load(&monitors);
    engine.command(&all_shards(1, Some(BEGIN - 3_600_000)));
    engine.run_due(BEGIN);
    let waits = engine.unreported.len();
    assert!(waits <= MOST_UNREPORTED + MOST_RECORDED, "{waits} wait to be handed over");
    let mut recorded = 0;
    while let Ok(message) = missed.missed.try_recv() {
        assert!(message.len() <= TOGETHER, "{} in one message", message.len());
        recorded += message.len();
        for one in message {
            crate::report::close(&progress, one.monitor, one.epoch, one.slot);
        }
        engine.hand_over_missed();
    }
    assert!(engine.unreported.is_empty());
    assert!(recorded > MESSAGES * TOGETHER, "what waited is recorded as well: {recorded}");
    // Only what is made up for is open still, one slot of each monitor: nothing of what has no record holds progress back.
    let open: u32 = (0..SHARDS).map(|shard| progress.open_slots(Shard(shard))).sum();
    assert!((1..=1_500).contains(&open), "{open} slots are open");
}
