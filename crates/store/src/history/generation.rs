//! Which history stands. A replay puts another in its place; what was folded for the one before is refused.

use crate::{Store, StoreError, Transaction};

impl Store {
    /// The name of the history that stands; empty for the first.
    pub async fn history_generation(&self) -> Result<String, StoreError> {
        Ok(sqlx::query_scalar!("SELECT name FROM history_generation").fetch_one(self.pool()).await?)
    }
}

/// Refuses a flush that was folded for another generation. The transaction must hold a lock on
/// `history_blocks`, which a swap waits for: what is found then stays until the commit.
pub(super) async fn insist_on(transaction: &mut Transaction, generation: &str) -> Result<(), StoreError> {
    let stands = sqlx::query_scalar!("SELECT name FROM history_generation").fetch_one(&mut **transaction).await?;
    if stands == generation { Ok(()) } else { Err(StoreError::Superseded { by: stands }) }
}
