//! The oracle of history is shown to see: each lie that it is told must be a violation.

use std::time::Instant;

use deadpool_redis::redis;
use model::Outcome;
use uuid::Uuid;

use super::Processing;
use crate::history::live_prefix;
use crate::row::Row;

impl Processing {
    /// While no processor lives. Each lie is taken back.
    pub(super) async fn proof(&mut self) -> Row {
        let began = Instant::now();
        let mut row = Row::new("O2", "the oracle of history is lied to in seven ways", "each lie is seen");
        row.require(self.lies().await == 0, || "the oracle complains before it is lied to".to_owned());
        self.lies_about_truth(&mut row).await;
        self.lies_in_stores(&mut row).await;
        row.require(self.lies().await == 0, || "the oracle complains after the lies were taken back".to_owned());
        row.compared = format!("{} of {} lies seen", row.exposures, row.trials);
        row.took = began.elapsed();
        eprintln!("  oracle of history: {}", row.compared);
        row
    }

    async fn lies_about_truth(&mut self, row: &mut Row) {
        let (place, told) = self.truth.pop_first().expect("a slot");
        self.seen("a slot that never was", row).await;
        let nowhere = (Uuid::from_u128(3), place.1);
        self.truth.extend([(place, told), (nowhere, told)]);
        self.seen("a slot that is absent", row).await;
        self.truth.remove(&nowhere);
        let other = if told.0 == Outcome::Up { Outcome::Down } else { Outcome::Up };
        self.truth.insert(place, (other, told.1));
        self.seen("a slot told otherwise", row).await;
        self.truth.insert(place, told);
        self.poisons.insert(b"never written".to_vec());
        self.seen("a dead letter that never came", row).await;
        self.poisons.remove(b"never written".as_slice());
    }

    async fn lies_in_stores(&mut self, row: &mut Row) {
        let pool = self.mesh.stack.database().await.store.pool().clone();
        let add = "UPDATE history_blocks SET up = up + $1 WHERE (monitor_id, hour) =
                       (SELECT monitor_id, hour FROM history_blocks ORDER BY 1, 2 LIMIT 1)";
        sqlx::query(add).bind(1_i16).execute(&pool).await.expect("PostgreSQL");
        self.seen("a count beside its block", row).await;
        sqlx::query(add).bind(-1_i16).execute(&pool).await.expect("PostgreSQL");

        let client = redis::Client::open(self.mesh.stack.redis_url.as_str()).expect("a Redis URL");
        let mut redis = client.get_multiplexed_async_connection().await.expect("Redis");
        let prefix = live_prefix(&self.mesh, &mut redis).await;
        let (monitor, newest) = *self.truth.keys().max_by_key(|(_, slot)| *slot).expect("a slot");
        let live = format!("{prefix}:live:{monitor}");
        let block = format!("{prefix}:block:{monitor}:local:{}", model::history::hour_of(newest));
        let held: Vec<u8> = redis::cmd("HGET").arg(&live).arg("local").query_async(&mut redis).await.expect("live state");
        let mut set = redis.clone();
        let mut live_is = async |value: &[u8]| {
            redis::cmd("HSET").arg(&live).arg("local").arg(value).query_async::<()>(&mut set).await.expect("Redis");
        };
        live_is(br#"{"slot":1,"outcome":"up"}"#).await;
        self.seen("an old latest result", row).await;
        live_is(&held).await;
        let held: Vec<u8> = redis::cmd("GET").arg(&block).query_async(&mut redis).await.expect("a block");
        let mut block_is = async |value: &[u8]| {
            redis::cmd("SET").arg(&block).arg(value).arg("KEEPTTL").query_async::<()>(&mut redis).await.expect("Redis");
        };
        block_is(b"no block").await;
        self.seen("another block in Redis", row).await;
        block_is(&held).await;
    }

    async fn seen(&self, lie: &str, row: &mut Row) {
        row.lied_to(lie, self.lies().await > 0);
    }

    async fn lies(&self) -> usize {
        let mut row = Row::scratch();
        self.compare(&mut row, 0).await;
        row.violations.len()
    }
}
