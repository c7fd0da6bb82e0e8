//! Puts the pinger together.

use std::sync::Arc;

use cache::{Cache, Leases};
use directory::Directory;
use egress::Egress;
use kafka::{BroadcastConsumer, Producer};
use model::{Clock, ShiftedClock};
use service::{Context, Error};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::Config;
use crate::engine::{Engine, Limits, Tools};
use crate::metrics::Metrics;
use crate::probe::{Pings, Prober};
use crate::progress::Progress;
use crate::reference::Reference;
use crate::report::Reporter;
use crate::shards::{Clocks, Shards};
use crate::sight::Sight;
use crate::source::Live;
use crate::spool::{Sender, Spool};
use crate::status::Announcer;

/// Starts the pinger in `ctx` and returns once its tasks run. It is ready when its monitors are loaded
/// and its shards settled.
pub async fn start(ctx: Context) -> Result<(), Error> {
    let config = Config::from_env(ctx.env())?;
    let stop = ctx.shutdown().clone();
    let clock: Arc<dyn Clock> = Arc::new(ShiftedClock(service::tamper::clock_offset_ms));
    let metrics = Metrics::register(ctx.metrics())?;
    metrics.region.with_label_values(&[config.region.as_str()]).set(1);
    let pinger = name(&config);

    let cache = Cache::open(&config.cache)?;
    let egress = Egress::new(&config.egress)?;
    let producer = Producer::new(&config.kafka)?;
    let progress = Arc::new(Progress::default());

    // In the order results flow: each stage stops when the one before it has ended.
    let (checked, acked) = (CancellationToken::new(), CancellationToken::new());
    let sender = Sender {
        producer: producer.clone(),
        topic: config.topics.results.as_str().into(),
        region: config.region.clone(),
        pinger: pinger.clone(),
    };
    let (spool, spooler) = Spool::open(&config.spool_dir, config.spool_bytes, sender, Arc::clone(&progress), metrics.clone())
        .map_err(|error| Error::msg(format!("SPOOL_DIR {}: {error}", config.spool_dir.display())))?;
    let (reporter, acks) = Reporter::new(&config.topics.results, producer.clone(), spool, Arc::clone(&progress), metrics.clone());

    if config.canaries.len() == 1 {
        tracing::warn!("a single canary that dies blinds this pinger for a minute: name at least three in CANARIES");
    }
    let canaries_empty = config.canaries.is_empty();
    let sight = Sight::new(egress.clone(), config.canaries, Arc::clone(&clock), metrics.clone());
    let announcer = Announcer {
        producer,
        topic: config.topics.probers.as_str().into(),
        cache: cache.clone(),
        region: config.region.clone(),
        pinger: pinger.clone(),
        sight: sight.clone(),
        metrics: metrics.clone(),
        clock: Arc::clone(&clock),
    };
    let reference = Arc::new(Reference::new(metrics.clone()));
    let tools = Tools {
        prober: Prober { egress, pings: Arc::new(Pings::default()), clock: Arc::clone(&clock) },
        reporter,
        region: config.region.clone(),
        pinger: pinger.clone(),
        confirm: config.confirm,
        metrics,
        clock: Arc::clone(&clock),
        sight: sight.clone(),
        reference: Arc::clone(&reference),
    };
    let limits = Limits { concurrency: config.concurrency, host_concurrency: config.host_concurrency };
    let (engine, missed) = Engine::new(tools, Arc::clone(&progress), limits);

    let (directory, replication) = Directory::new(directory::Client::new(&config.users)?, Some(config.region.clone()));
    let changes = BroadcastConsumer::new(&config.kafka, &[&config.topics.changes])?;
    let (commands_sender, commands) = mpsc::channel(256);
    let leases = Leases::new(cache, config.region.clone(), pinger, config.lease);
    let clocks = Clocks { own: clock, users: directory.clone(), reference };
    let shards = Shards::new(leases, progress, commands_sender, clocks);

    ctx.spawn("monitors", replication.run(stop.clone()));
    ctx.spawn("monitor-changes", directory.clone().look_when_told(changes, || {}, stop.clone()));
    if !canaries_empty {
        ctx.spawn("canaries", sight.clone().watch_canaries(checked.clone()));
    }
    ctx.spawn("sight", sight.watch(checked.clone()));
    ctx.spawn("status", announcer.run(checked.clone()));
    ctx.spawn("spool", spooler.run(acked.clone()));
    ctx.spawn("acks", {
        let checked = checked.clone();
        async move {
            acks.run(checked).await;
            acked.cancel();
        }
    });
    let (loaded, settled) = (ctx.latch("monitors loaded"), ctx.latch("shards settled"));
    ctx.spawn("shards", {
        let (directory, stop) = (directory.clone(), stop.clone());
        async move {
            // No shard is claimed before there is something to check.
            tokio::select! {
                () = directory.loaded() => loaded.set(),
                () = stop.cancelled() => return,
            }
            shards.run(move || settled.set(), stop).await;
        }
    });
    ctx.spawn("checks", async move {
        let source = Live::new(directory);
        let missed = tokio::spawn(missed.run());
        engine.run(source, commands, stop).await;
        // The engine is gone, and with it the last sender of missed slots.
        if let Err(error) = missed.await {
            tracing::error!(%error, "missed slots were not all reported");
        }
        checked.cancel();
    });
    Ok(())
}

/// Unique to this process: two pingers on one machine are two members.
fn name(config: &Config) -> String {
    let unique = Uuid::new_v4().simple().to_string();
    format!("{}-{}", config.region, unique.get(..12).unwrap_or(&unique))
}
