//! The pinger: CPU per check against bare loops and other programs, memory, lateness, and what must not disturb it.

mod churn;
mod hanging;
mod kinds;
mod plain;
pub(super) mod rig;
mod stall;
mod startup;

use anyhow::Result;

use super::Suite;
use crate::cores::Aside;

pub async fn measure(suite: &mut Suite) -> Result<()> {
    let wanted = ["P1", "P2", "P2k", "P2b", "P2p", "P3", "P4", "P5", "P6", "P7", "P7l", "P8", "P8r", "P9", "P9c", "P9s", "P10"];
    if !suite.wants(&wanted) {
        return Ok(());
    }
    // The pinger and each bare loop have their core to themselves, as far as it is ours to say.
    let aside = Aside::new();
    plain::measure(suite).await?;
    kinds::measure(suite).await?;
    hanging::measure(suite).await?;
    startup::measure(suite).await?;
    stall::measure(suite).await?;
    churn::measure(suite).await?;
    drop(aside);
    Ok(())
}
