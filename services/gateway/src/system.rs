//! Facts about the mesh, as far as this gateway can see them now.

use std::future::Future;
use std::time::Instant;

use cache::redis;
use model::sight::SightState;
use model::uptime::is_fresh;
use model::{Millis, Region, WorkspaceId};
use service::VERSION;

use crate::api::{Dependency, Prober, RegionSystem, System};
use crate::app::App;

/// Everything at once.
pub(crate) async fn facts(app: &App, workspace: WorkspaceId) -> System {
    let now = app.now();
    let mut regions = app.catalog().regions(workspace, now, is_fresh);
    let blind = app.primary().blind_regions().await.unwrap_or_default();
    // Where Redis is away nobody knows.
    let judged = app.cache().judged_slots().await.unwrap_or_default();
    for region in &mut regions {
        region.pingers = pingers(app, &region.region, now).await;
        region.judged_slot = judged.iter().find(|(name, _)| *name == region.region).map(|(_, slot)| *slot);
        region.judged_age_ms = region.judged_slot.map(|slot| (now - slot).max(0));
        region.probers = probers(app, &region.region, now).await;
        // The alerter's word holds while pingers cannot reach Redis either.
        let told = blind.iter().find(|(name, _)| *name == region.region).map(|(_, since)| *since);
        let said = region.probers.iter().filter(|one| one.state == SightState::Blind).map(|one| one.since).min();
        region.blind_since = told.into_iter().chain(said).min();
    }
    let log = async {
        match app.log() {
            Some(log) => crate::mesh::facts(log).await,
            None => crate::mesh::Facts::default(),
        }
    };
    let (redis, database, log) = tokio::join!(asked("redis", app.cache().ping()), asked("postgresql", app.store().ping()), log);
    let directory = app.directory().status();
    let age = |age: std::time::Duration| Millis::try_from(age.as_millis()).unwrap_or(Millis::MAX);
    let users = Dependency {
        name: "users".to_owned(),
        // It is asked every half minute.
        ok: directory.age.is_some_and(|age| age.as_secs() < 60),
        latency_us: None,
        detail: directory.age.is_none().then(|| "the monitors were never loaded".to_owned()),
    };
    System {
        version: VERSION.to_owned(),
        now,
        regions,
        dependencies: vec![redis, database, users],
        config_revision: directory.revision,
        config_age_ms: directory.age.map(age),
        processor_lag: log.consumers.iter().find(|one| one.group == "processor").and_then(|one| one.lag),
        consumers: log.consumers,
        dead_letters: log.dead_letters,
        stream_clients: app.hub().readers(),
    }
}

async fn asked<E: std::fmt::Display>(name: &str, ping: impl Future<Output = Result<(), E>>) -> Dependency {
    let began = Instant::now();
    let answer = ping.await;
    let latency_us = u64::try_from(began.elapsed().as_micros()).ok().filter(|_| answer.is_ok());
    if let Err(error) = &answer {
        tracing::debug!(name, %error, "does not answer");
    }
    // The error may name hosts; people are told only that it is away.
    Dependency { name: name.to_owned(), ok: answer.is_ok(), latency_us, detail: answer.err().map(|_| "does not answer".to_owned()) }
}

/// Members of the region whose announcement has not expired.
pub(crate) async fn pingers(app: &App, region: &Region, now: Millis) -> Option<u32> {
    app.cache().query(redis::cmd("ZCOUNT").arg(app.cache().keys().members(region)).arg(now).arg("+inf")).await.ok()
}

/// What the pingers of a region say of themselves; nothing where Redis is away.
async fn probers(app: &App, region: &Region, now: Millis) -> Vec<Prober> {
    let mut said = app.cache().probers(region, now).await.unwrap_or_default();
    said.sort_by(|a, b| a.pinger.cmp(&b.pinger));
    said.into_iter()
        .map(|one| Prober {
            pinger: one.pinger,
            state: one.state,
            since: one.since,
            reason: one.reason,
            slots_unknown: one.slots_unknown,
            shards: one.shards,
            spool_records: one.spool_records,
            spool_bytes: one.spool_bytes,
        })
        .collect()
}

/// What the catalog gathers per region.
#[derive(Debug, Default)]
pub(crate) struct RegionFacts {
    pub monitors: u32,
    pub stale: u32,
    pub newest: Option<Millis>,
}

impl RegionFacts {
    pub(crate) fn shown(self, region: Region, now: Millis) -> RegionSystem {
        RegionSystem {
            region,
            monitors: self.monitors,
            pingers: None,
            newest_slot: self.newest,
            age_ms: self.newest.map(|newest| (now - newest).max(0)),
            judged_slot: None,
            judged_age_ms: None,
            stale_monitors: self.stale,
            blind_since: None,
            probers: Vec::new(),
        }
    }
}
