//! The alerter: judges results into incidents and tells people, effectively once.
//!
//! A consumer of its own group folds each monitor's results through `model::alerting`; a transition, its
//! deliveries and the offset that led to it commit together; a sender delivers what committed, and a
//! publisher puts it on the topic `incident-events`. Redis only ever gets a copy of the verdicts.

mod announce;
mod catalog;
pub mod channels;
mod consume;
mod desk;
mod heartbeat;
mod metrics;
mod publish;
mod sender;
mod settings;
mod shared_clock;
mod sights;
mod verdicts;

use std::sync::Arc;

use cache::Cache;
use directory::{Client, Directory};
use egress::Egress;
use kafka::{BroadcastConsumer, Producer};
use model::ShiftedClock;
use service::Context;
use store::Store;
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use catalog::Catalog;
use channels::Channels;
use consume::Judge;
use heartbeat::Pulse;
use metrics::Metrics;
use sender::Sender;
use settings::Settings;
use shared_clock::SharedClock;
use sights::Sights;

/// Rounds of verdicts that may wait for Redis.
const VERDICTS: usize = 64;

/// Starts the alerter: reads its settings, spawns its tasks and returns.
pub async fn start(ctx: Context) -> Result<(), service::Error> {
    let settings = Settings::from_env(ctx.env())?;
    let metrics = Metrics::register(ctx.metrics())?;
    let store = Store::connect(&settings.database, "alerter", settings.database_pool)?;
    // A database that is away is waited for later; one without our tables is a mistake to be named now.
    if let Ok(false) = store.is_migrated().await {
        return Err(service::Error::msg("the database lacks tables of this version: run `upmesh migrate` first"));
    }
    let cache = Cache::open(&settings.cache)?;
    let egress = Egress::new(&settings.egress)?;
    let users = Client::new(&settings.users)?;
    let (directory, replication) = Directory::new(users.clone(), None);
    let catalog = Catalog::new();
    let channels = Channels::new(egress.clone(), &settings.public_url, &settings.slack_api_url);
    let clock: Arc<dyn model::Clock> = Arc::new(ShiftedClock(service::tamper::clock_offset_ms));
    let shared = Arc::new(SharedClock::new(Arc::clone(&clock)));
    let decided = Arc::new(Notify::new());
    let show_all = Arc::new(Notify::new());
    let (to_verdicts, verdicts) = mpsc::channel(VERDICTS);
    let owner = Uuid::new_v4();
    let pulse = Pulse::default();
    let shutdown = ctx.shutdown().clone();

    ctx.spawn("monitors", replication.run(shutdown.clone()));
    let changes = BroadcastConsumer::new(&settings.kafka, &[&settings.topics.changes])?;
    let also = catalog.clone();
    ctx.spawn("changes", directory.clone().look_when_told(changes, move || also.wake(), shutdown.clone()));
    ctx.spawn("channels", catalog.clone().follow(users, metrics.clone(), shutdown.clone()));
    ctx.spawn("verdicts", verdicts::write(cache.clone(), verdicts, shutdown.clone()));
    ctx.spawn("redis", verdicts::watch(cache, Arc::clone(&show_all), shutdown.clone()));
    let producer = Producer::new(&settings.kafka)?;
    let events =
        publish::publish(store.clone(), producer, settings.topics.incidents, Arc::clone(&clock), Arc::clone(&decided), shutdown.clone());
    ctx.spawn("events", events);
    let sender = Sender {
        ctx: ctx.clone(),
        store: store.clone(),
        catalog: catalog.clone(),
        channels,
        metrics: metrics.clone(),
        clock: Arc::clone(&shared),
        decided: Arc::clone(&decided),
        owner,
        failures: sender::Failures::default(),
    };
    let loaded = catalog.clone();
    let stop = shutdown.clone();
    ctx.spawn("sender", async move {
        tokio::select! {
            () = stop.cancelled() => return,
            () = loaded.loaded() => {}
        }
        sender.run().await;
    });
    if let Some(url) = settings.heartbeat_url {
        let beat = heartbeat::beat(url, settings.heartbeat_period, egress, pulse.clone(), Arc::clone(&clock), shutdown.clone());
        ctx.spawn("heartbeat", beat);
    }
    let sights = Sights {
        ctx: ctx.clone(),
        store: store.clone(),
        catalog: catalog.clone(),
        metrics: metrics.clone(),
        clock: Arc::clone(&clock),
        shared: Arc::clone(&shared),
        kafka: settings.kafka.clone(),
        topic: settings.topics.probers,
        group: format!("{}-sight", settings.group),
        decided: Arc::clone(&decided),
        owner,
    };
    ctx.spawn("sights", sights.run());
    let judge = Judge {
        ctx: ctx.clone(),
        store,
        directory,
        catalog,
        metrics,
        clock,
        shared,
        kafka: settings.kafka,
        topic: settings.topics.results,
        group: settings.group,
        decided,
        show_all,
        pulse,
        verdicts: to_verdicts,
        owner,
    };
    ctx.spawn("judge", judge.run());
    Ok(())
}
