//! Reading the recent blocks of a page of monitors at once, for when Redis is away.

use model::history::{Block, BlockKey, hour_of};
use model::{Millis, MonitorId};
use uuid::Uuid;

use super::read;
use crate::{Store, StoreError, from_millis};

impl Store {
    /// The blocks of these monitors in every region whose hours touch `[from, to)`, by monitor, oldest first.
    pub async fn blocks_of(&self, monitors: &[MonitorId], from: Millis, to: Millis) -> Result<Vec<(BlockKey, Block)>, StoreError> {
        let ids: Vec<Uuid> = monitors.iter().map(|monitor| monitor.0).collect();
        let rows = sqlx::query!(
            "SELECT monitor_id, hour, region, block FROM history_blocks
             WHERE monitor_id = ANY($1) AND hour >= $2 AND hour < $3
             ORDER BY monitor_id, hour, region",
            &ids,
            from_millis(hour_of(from)),
            from_millis(to),
        )
        .fetch_all(self.pool())
        .await?;
        rows.into_iter().map(|row| read(MonitorId(row.monitor_id), &row.region, row.hour, &row.block)).collect()
    }
}
