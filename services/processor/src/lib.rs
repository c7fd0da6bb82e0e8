//! History and live state: folds results into hour blocks, writes them to Redis with every batch and
//! to PostgreSQL by age or size, and only then commits its offsets. There is nothing to recover: a crash
//! re-reads the log since the last flush, and merging again changes nothing.

mod dead;
mod flush;
mod fold;
mod generation;
mod intake;
mod jobs;
mod live;
mod metrics;
pub mod replay;
mod restore;
mod settings;
mod worker;

pub use fold::{Fold, RegionId};
pub use intake::{Intake, Rejected};
pub use settings::Settings;

use std::sync::Arc;

use model::{Clock, ShiftedClock};
use service::{Context, Error};

/// Starts the processor: its consumer and its clock jobs.
pub async fn start(ctx: Context) -> Result<(), Error> {
    let settings = Settings::read(ctx.env())?;
    let clock: Arc<dyn Clock> = Arc::new(ShiftedClock(service::tamper::clock_offset_ms));
    let metrics = metrics::Metrics::register(ctx.metrics())?;
    let kafka_metrics = kafka::KafkaMetrics::register(ctx.metrics())?;
    let store = store::Store::connect(&settings.database, ctx.name(), settings.database_pool)?;
    let cache = cache::Cache::open(&settings.cache)?;

    jobs::start(&ctx, &store, &settings, Arc::clone(&clock)).await?;
    let parts = generation::Parts { ctx: ctx.clone(), settings, clock, store, cache, metrics, kafka_metrics };
    ctx.spawn("processor", parts.run());
    Ok(())
}
