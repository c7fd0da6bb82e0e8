//! Verdicts of two alerters, one of which does not know yet that the other took its partition.

use cache::{Cache, VerdictUpdate, VerdictWrite};
use model::MonitorId;
use model::alerting::{Shown, ShownState};

use crate::fresh;

fn verdict(state: ShownState, slot: i64, partition: i32, epoch: i64) -> VerdictWrite {
    let verdict = Shown { state, since: Some(5), slot: Some(slot), incident: None, cause: None, regions_down: Vec::new() };
    VerdictWrite { update: VerdictUpdate { monitor: MonitorId(uuid::Uuid::from_u128(1)), verdict }, partition, epoch }
}

async fn stored(cache: &Cache, write: VerdictWrite) -> (bool, Option<Shown>) {
    let monitor = write.update.monitor;
    let stored = cache.write_verdicts(&[write]).await.expect("an answer");
    (stored == [true], cache.verdicts(&[monitor]).await.expect("an answer").remove(0))
}

#[tokio::test]
async fn who_lost_the_partition_overwrites_nothing_that_is_newer() {
    use ShownState::{Down, Up};
    let cache = fresh();
    let (down, up) = (verdict(Down, 1_772_323_200_000, 3, 1), verdict(Up, 1_772_323_260_000, 3, 2));
    assert!(stored(&cache, down.clone()).await.0, "the first");
    assert!(stored(&cache, up.clone()).await.0, "whoever took the partition");
    let shown = Some(up.update.verdict.clone());
    assert_eq!(stored(&cache, down).await, (false, shown.clone()), "resumed, with what it knew");
    let same = verdict(Down, 1_772_323_260_000, 3, 1);
    assert_eq!(stored(&cache, same).await, (false, shown), "of the same slot");
    // Of the same alerter the last word counts, whatever its slot: a monitor that is paused has none.
    let paused = VerdictWrite {
        update: VerdictUpdate {
            verdict: Shown { state: ShownState::Paused, slot: None, ..up.update.verdict.clone() },
            ..up.update.clone()
        },
        ..up
    };
    assert!(stored(&cache, paused).await.0);
}

#[tokio::test]
async fn the_newest_judged_slot_of_a_region_stands_whoever_comes_later() {
    let cache = fresh();
    let [eu, us] = ["eu", "us"].map(|name| name.parse::<model::Region>().expect("a region"));
    assert_eq!(cache.judged_slots().await.expect("an answer"), []);
    cache.note_judged(&[(eu.clone(), 1_772_323_260_000), (us.clone(), 1_772_323_200_000)]).await.expect("noted");
    // An alerter whose partitions are behind, and one that has judged nothing yet.
    cache.note_judged(&[(eu.clone(), 1_772_323_200_000), (us.clone(), 1_772_323_270_000)]).await.expect("noted");
    cache.note_judged(&[]).await.expect("nothing to note");
    let mut judged = cache.judged_slots().await.expect("an answer");
    judged.sort();
    assert_eq!(judged, [(eu, 1_772_323_260_000), (us, 1_772_323_270_000)]);
}

#[tokio::test]
async fn what_cannot_be_compared_is_written() {
    use ShownState::{Down, Up};
    let cache = fresh();
    let monitor = verdict(Up, 1, 0, 1).update.monitor;
    let key = cache.keys().verdict(monitor);
    // As written before verdicts named their partition, and of another type.
    let before = r#"{"state":"up","since":5,"slot":1772323260000,"regions_down":[]}"#;
    cache.query::<()>(cache::redis::cmd("SET").arg(&key).arg(before)).await.expect("written");
    assert!(stored(&cache, verdict(Down, 1_772_323_200_000, 3, 1)).await.0);
    cache.query::<()>(cache::redis::cmd("DEL").arg(&key)).await.expect("deleted");
    cache.query::<()>(cache::redis::cmd("RPUSH").arg(&key).arg("x")).await.expect("written");
    assert!(stored(&cache, verdict(Up, 1_772_323_200_000, 3, 9)).await.0);
    assert!(stored(&cache, verdict(Down, 1_772_323_200_000, 4, 1)).await.0, "the topic has more partitions now");
    assert!(stored(&cache, verdict(Up, 1_772_323_260_000, 4, 1)).await.0);
}
