//! A mesh with many monitors and an hour of checks of each, and the bare server beside it.

use std::time::Duration;

use anyhow::Result;
use futures::{StreamExt, TryStreamExt};
use kafka::{KafkaConfig, Producer};
use model::{MonitorId, Region, Schedule};
use system_tests::{Api, Farm, Mesh, Plan, monitor, now};
use testkit::eventually;

use super::Server;
use crate::child::{Core, Process};
use crate::measures::Suite;
use crate::measures::log::{append, up, written};
use crate::roles::Ready;

const INTERVAL_SECONDS: i64 = 60;

pub struct World {
    pub mesh: Mesh,
    pub ids: Vec<String>,
    pub token: String,
    api: Api,
    _farm: Farm,
}

impl World {
    pub async fn start(count: usize) -> Result<Self> {
        let farm = Farm::start().await;
        // One worker, so that gateway and bare server have the same one core.
        let settings = vec![("TOKIO_WORKER_THREADS".to_owned(), "1".to_owned()), ("RUST_LOG".to_owned(), "warn".to_owned())];
        let mesh = Mesh::start(Plan { settings, ..Plan::default() }).await;
        let api = mesh.login().await;
        let create = |n: usize| {
            let (api, url) = (api.clone(), farm.url(&format!("m{n}")));
            async move {
                let mut spec = monitor(&format!("monitor {n:04}"), &url);
                spec["interval_seconds"] = INTERVAL_SECONDS.into();
                api.create(spec).await
            }
        };
        let ids: Vec<String> = futures::stream::iter(0..count).map(create).buffered(8).collect().await;
        past(&mesh, &ids).await?;
        eventually("every monitor is up, and has its past", Duration::from_mins(1), || async {
            let page = api.get("/api/monitors?limit=1&state=up").await.body;
            let up = page["counts"]["up"].as_u64()? >= u64::try_from(count).ok()?;
            (up && page["monitors"][0]["sparkline"].as_array()?.len() >= 30).then_some(())
        })
        .await;
        Ok(Self { token: api.token().to_owned(), mesh, ids, api, _farm: farm })
    }

    /// The paths of all monitors' states, page by page.
    pub async fn pages(&self, limit: usize) -> Result<Vec<String>> {
        let first = format!("/api/status?limit={limit}");
        let pages = futures::stream::try_unfold(Some(first.clone()), |path| {
            let first = first.clone();
            async move {
                let Some(path) = path else { return Ok(None) };
                let answer = self.api.get(&path).await;
                anyhow::ensure!(answer.status == 200, "{path}: {}", answer.body);
                let next = answer.body["next_cursor"].as_str().map(|cursor| format!("{first}&cursor={cursor}"));
                anyhow::Ok(Some((path, next)))
            }
        });
        pages.try_collect().await
    }

    /// The bare server, whose `/many` reads so many keys.
    pub async fn bare(&self, suite: &Suite, many: usize) -> Result<(Process, Server)> {
        let arguments = [
            "reads-server",
            "--redis",
            &self.mesh.stack.redis_url,
            "--prefix",
            &format!("{}:{many}", self.mesh.stack.redis_prefix),
            "--many",
            &many.to_string(),
        ]
        .map(str::to_owned);
        let mut bare = Process::role(Core::Subject, &arguments, suite.scratch.path())?;
        let server = Server { pid: bare.pid()?, port: bare.line::<Ready>(Duration::from_secs(10)).await?.port, token: None };
        Ok((bare, server))
    }
}

/// An hour of checks of each, as a pinger would have written them: what a list shows of a monitor that is not new.
async fn past(mesh: &Mesh, ids: &[String]) -> Result<()> {
    let producer = Producer::new(&KafkaConfig::new(&mesh.kafka, "bench"))?;
    let topic: std::sync::Arc<str> = mesh.stack.topics().results.into();
    let region: Region = "local".parse().map_err(anyhow::Error::msg)?;
    let interval_ms = INTERVAL_SECONDS * 1000;
    for (n, id) in (0_u32..).zip(ids) {
        let monitor: MonitorId = id.parse()?;
        let schedule = Schedule::new(monitor, &region, interval_ms);
        for slot in schedule.slots(now() - 60 * interval_ms, now() - interval_ms) {
            let latency_us = 20_000 + n * 37 % 9_000 + u32::try_from(slot / interval_ms % 97 * 113)?;
            append(&producer, written(&topic, &up(monitor, &region, slot, interval_ms, latency_us))?).await?;
        }
    }
    Ok(producer.flush(Duration::from_mins(1)).await?)
}
