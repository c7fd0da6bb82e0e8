//! Reading the newest blocks of all monitors, page by page: for Redis to be written anew.

use model::history::{Block, BlockKey, hour_of};
use model::{Millis, MonitorId};
use uuid::Uuid;

use super::read;
use crate::{Store, StoreError, from_millis};

/// Where the next page begins.
#[derive(Debug, Clone)]
pub struct BlockCursor {
    after: Option<Uuid>,
    from: Millis,
}

impl BlockCursor {
    /// All blocks of the hour of `from` and later.
    pub fn since(from: Millis) -> Self {
        Self { after: None, from: hour_of(from) }
    }
}

impl Store {
    /// The blocks of the next `monitors` monitors, by monitor, oldest first; empty at the end.
    pub async fn next_blocks(&self, cursor: &mut BlockCursor, monitors: i64) -> Result<Vec<(BlockKey, Block)>, StoreError> {
        loop {
            let rows = sqlx::query!(
                r#"SELECT h.monitor_id, h.hour, h.region, h.block FROM history_blocks h
               WHERE h.hour >= $1 AND h.monitor_id IN (
                   SELECT DISTINCT monitor_id FROM history_blocks
                   WHERE hour >= $1 AND ($2::uuid IS NULL OR monitor_id > $2) ORDER BY monitor_id LIMIT $3)
               ORDER BY h.monitor_id, h.hour, h.region"#,
                from_millis(cursor.from),
                cursor.after,
                monitors,
            )
            .fetch_all(self.pool())
            .await?;
            cursor.after = rows.last().map(|row| row.monitor_id).or(cursor.after);
            let end = rows.is_empty();
            let read = rows.into_iter().filter_map(|row| read(MonitorId(row.monitor_id), &row.region, row.hour, &row.block));
            let read: Vec<_> = read.collect();
            // A page of which nothing can be read is not the end.
            if end || !read.is_empty() {
                return Ok(read);
            }
        }
    }
}
