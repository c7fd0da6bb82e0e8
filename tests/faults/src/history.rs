//! History as PostgreSQL and Redis hold it, slot by slot, read without the services' code paths.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use deadpool_redis::redis;
use model::history::Block;
use model::{Outcome, Slot};
use sqlx::{PgPool, Row as _};
use system_tests::{Mesh, patient_redis};
use uuid::Uuid;

use crate::row::Row;

/// Monitor and slot, of the one region there is.
pub type Place = (Uuid, Slot);
/// Outcome and latency in steps of 100 µs.
pub type Told = BTreeMap<Place, (Outcome, Option<u32>)>;

/// Every slot in PostgreSQL. Violates where the columns beside a block say something else (I4), or where a
/// slot stands twice (I3).
pub async fn stored(pool: &PgPool, row: &mut Row) -> Told {
    let rows = sqlx::query("SELECT monitor_id, hour, up, degraded, down, unknown, missed, maintenance, block FROM history_blocks")
        .fetch_all(pool)
        .await
        .expect("history");
    let mut told = Told::new();
    for one in &rows {
        let monitor: Uuid = one.get("monitor_id");
        let hour = one.get::<DateTime<Utc>, _>("hour").timestamp_millis();
        let block = match Block::decode(one.get("block")) {
            Ok(block) => block,
            Err(error) => {
                row.violated(format!("a block of {monitor} cannot be read: {error}"));
                continue;
            }
        };
        for outcome in Outcome::ALL {
            let counted = block.entries().iter().filter(|entry| entry.outcome() == outcome).count();
            let column: i16 = one.get(outcome.as_str());
            row.require(usize::try_from(column) == Ok(counted), || {
                format!("I4, {monitor} {hour}: {column} {outcome} in the column, {counted} in the block")
            });
        }
        for entry in block.entries() {
            let before = told.insert((monitor, hour + i64::from(entry.offset_ms())), (entry.outcome(), entry.latency_us()));
            row.require(before.is_none(), || format!("I3, a slot of {monitor} stands twice"));
        }
    }
    told
}

/// Waits until each of these slots stands there, up to `patience`; what does.
pub async fn until_told(pool: &PgPool, due: &[Place], patience: Duration) -> Told {
    let began = Instant::now();
    loop {
        let told = stored(pool, &mut Row::scratch()).await;
        if due.iter().all(|place| told.contains_key(place)) || began.elapsed() >= patience {
            return told;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// I5: Redis' latest results are the newest slots, its blocks those of PostgreSQL. Says what differs. While
/// results go on to come (`moving`), Redis may be ahead of what was read of PostgreSQL before, never behind.
pub async fn live_differs(mesh: &Mesh, pool: &PgPool, told: &Told, moving: bool) -> Vec<String> {
    let mut connection = patient_redis(&mesh.stack.redis_url).await;
    let prefix = live_prefix(mesh, &mut connection).await;
    let mut differs = Vec::new();
    let mut newest: BTreeMap<Uuid, (Slot, Outcome)> = BTreeMap::new();
    for ((monitor, slot), (outcome, _)) in told {
        newest.insert(*monitor, (*slot, *outcome));
    }
    for (monitor, (slot, outcome)) in newest {
        let json: Option<String> =
            redis::cmd("HGET").arg(format!("{prefix}:live:{monitor}")).arg("local").query_async(&mut connection).await.expect("live state");
        let live: serde_json::Value = json.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
        let ahead = moving && live["slot"].as_i64().is_some_and(|live| live > slot);
        if !ahead && (live["slot"] != slot || live["outcome"] != outcome.as_str()) {
            differs.push(format!("I5, {monitor}: newest is {slot} {outcome}, Redis says {live}"));
        }
    }
    let blocks = sqlx::query("SELECT monitor_id, hour, block FROM history_blocks WHERE hour > now() - interval '2 hours'")
        .fetch_all(pool)
        .await
        .expect("history");
    for one in &blocks {
        let (monitor, hour): (Uuid, DateTime<Utc>) = (one.get("monitor_id"), one.get("hour"));
        let key = format!("{prefix}:block:{monitor}:local:{}", hour.timestamp_millis());
        let held: Option<Vec<u8>> = redis::cmd("GET").arg(key).query_async(&mut connection).await.expect("a block");
        let same = held.as_deref() == Some(one.get("block"));
        let ahead = moving && held.as_deref().is_some_and(|held| contains(held, one.get("block")));
        if !same && !ahead {
            differs.push(format!("I5, {monitor} {hour}: Redis holds another block ({} bytes)", held.map_or(0, |held| held.len())));
        }
    }
    differs
}

/// Of the keys of live state in the generation that is shown.
pub async fn live_prefix(mesh: &Mesh, connection: &mut redis::aio::MultiplexedConnection) -> String {
    let prefix = &mesh.stack.redis_prefix;
    let shown: Option<String> =
        redis::cmd("GET").arg(format!("{prefix}:live-generation")).query_async(connection).await.expect("the generation");
    shown.filter(|shown| !shown.is_empty()).map_or_else(|| prefix.clone(), |shown| format!("{prefix}:{shown}"))
}

/// Which of two results of one slot stands, as the promise puts it: a verdict over what is none, the worse
/// verdict over the better, then the lower latency.
pub fn wins(new: (Outcome, Option<u32>), old: (Outcome, Option<u32>)) -> bool {
    let ranks = BTreeMap::from([("missed", 0), ("unknown", 1), ("up", 3), ("degraded", 4), ("down", 5)]);
    let rank = |outcome: Outcome| ranks.get(outcome.as_str()).copied().unwrap_or(2);
    let latency = |us: Option<u32>| us.unwrap_or(u32::MAX);
    (rank(new.0), std::cmp::Reverse(latency(new.1))) > (rank(old.0), std::cmp::Reverse(latency(old.1)))
}

/// Whether a block holds every slot of another.
fn contains(held: &[u8], stored: &[u8]) -> bool {
    let (Ok(held), Ok(stored)) = (Block::decode(held), Block::decode(stored)) else { return false };
    stored.entries().iter().all(|entry| held.entries().binary_search_by_key(&entry.offset_ms(), |held| held.offset_ms()).is_ok())
}

#[cfg(test)]
mod tests {
    use model::history::Entry;

    use super::*;

    #[test]
    fn the_oracles_rule_and_the_mesh_agree() {
        let mut seed = crate::seed::Seed::new(5);
        for _ in 0..2000 {
            let mut one = || (*seed.pick(&Outcome::ALL), seed.chance(80).then(|| u32::try_from(seed.below(50) * 100).unwrap_or(0)));
            let (a, b) = (one(), one());
            // The promise says nothing about maintenance.
            if [a.0, b.0].contains(&Outcome::Maintenance) {
                continue;
            }
            let entry = |of: (Outcome, Option<u32>)| Entry::new(0, of.0, of.1);
            let stands = if wins(b, a) { b } else { a };
            assert_eq!(entry(a).winner(entry(b)), entry(stands), "{a:?} {b:?}");
        }
    }
}
