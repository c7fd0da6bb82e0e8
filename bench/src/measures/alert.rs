//! From an outage to the message: the first answer that fails, the outage itself, and many outages at once.

mod first;
mod outage;
mod rig;
mod storm;

use anyhow::Result;

use super::Suite;

pub async fn measure(suite: &mut Suite) -> Result<()> {
    first::measure(suite).await?;
    // Two meshes side by side make a large future.
    Box::pin(outage::measure(suite)).await?;
    storm::measure(suite).await
}
