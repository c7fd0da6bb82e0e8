//! The gateway, with a thousand monitors in one workspace: one status, pages of them, all of them, against bare axum in front of
//! Redis; and what a person waits for.

mod first;
mod world;

use std::time::Duration;

use anyhow::Result;
use system_tests::Service;

use super::{Suite, progress};
use crate::child::{Core, Process, words};
use crate::cpu::Meter;
use crate::roles::Count;
use crate::stats::{Pairs, median};
use world::World;

/// Monitors in one page of the longest that the API gives.
const LONGEST_PAGE: usize = 200;

pub async fn measure(suite: &mut Suite) -> Result<()> {
    if !suite.wants(&["G1", "G2", "G2m", "G3", "G4", "G4b", "G4r"]) {
        return Ok(());
    }
    let count = suite.size(1_000, 40);
    progress(&format!("G: a mesh with {count} monitors"));
    let world = World::start(count).await?;
    let gateway = world.mesh.process_id(Service::Gateway, 0);
    pin(gateway).await;
    let product = Server { pid: gateway, port: world.mesh.port(Service::Gateway, 0), token: Some(world.token.clone()) };
    if suite.wants(&["G4", "G4b", "G4r"]) {
        first::measure(suite, &product, count).await?;
    }
    if suite.wants(&["G1", "G2", "G2m", "G3"]) {
        costs(suite, &world, &product).await?;
    }
    Ok(())
}

/// A server under load.
pub struct Server {
    pub pid: u32,
    pub port: u16,
    pub token: Option<String>,
}

async fn costs(suite: &mut Suite, world: &World, product: &Server) -> Result<()> {
    let (_hundred, bare) = world.bare(suite, 100).await?;
    let (_all, bare_all) = world.bare(suite, world.ids.len()).await?;
    let ones: Vec<String> = world.ids.iter().take(100).map(|id| format!("/api/monitors/{id}")).collect();
    let bare_ones: Vec<String> = (0..100).map(|n| format!("/one/{n}")).collect();
    let page = vec![format!("/api/status?limit={}", world.ids.len().min(100))];
    let pages = world.pages(LONGEST_PAGE.min(world.ids.len() / 2)).await?;
    let many = vec!["/many".to_owned()];
    #[expect(clippy::cast_precision_loss, reason = "a handful of pages")]
    let page_count = pages.len() as f64;
    let (mut one, mut hundred, mut all) = (Pairs::default(), Pairs::default(), Pairs::default());
    let (mut one_rate, mut page_rate, mut all_rate) = (Vec::new(), Vec::new(), Vec::new());
    let (mut saturated, mut half, mut bare_half) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..suite.pairs() {
        progress(&format!("G: pair {} of {}", n + 1, suite.pairs()));
        let a = load(suite, &bare, &bare_ones, None).await?;
        let b = load(suite, product, &ones, None).await?;
        one.push(a.0, b.0);
        one_rate.push(b.1.rate());
        saturated.push(b.1.p99_us / 1000.0);
        bare_half.push(load(suite, &bare, &bare_ones, Some(a.1.rate() / 2.0)).await?.1.p99_us / 1000.0);
        half.push(load(suite, product, &ones, Some(b.1.rate() / 2.0)).await?.1.p99_us / 1000.0);
        let a = load(suite, &bare, &many, None).await?;
        let b = load(suite, product, &page, None).await?;
        hundred.push(a.0, b.0);
        page_rate.push(b.1.rate());
        let a = load(suite, &bare_all, &many, None).await?;
        let b = load(suite, product, &pages, None).await?;
        all.push(a.0, b.0 * page_count);
        all_rate.push(b.1.rate() / page_count);
    }
    let unit = "CPU µs per request";
    let what = format!("gateway, one monitor's status with a session ({:.0}/s): share of bare axum + one GET", median(&one_rate));
    suite.share("G1", &what, 0.5, unit, &one);
    let what = format!(
        "gateway, a page of {} of {} monitors with a session ({:.0}/s): share of bare axum + MGET of 100",
        world.ids.len().min(100),
        world.ids.len(),
        median(&page_rate)
    );
    suite.share("G2", &what, 0.5, unit, &hundred);
    let what = format!(
        "gateway, all {} monitors with a session, {page_count} requests for {} each ({:.1}/s): share of bare axum + one MGET of {}",
        world.ids.len(),
        LONGEST_PAGE.min(world.ids.len() / 2),
        median(&all_rate),
        world.ids.len()
    );
    suite.share("G2m", &what, 0.6, "CPU µs for all", &all);
    let note = format!(
        "half of {:.0}/s, evenly over 64 connections, from the instant each request was due (to a millisecond); the bare server at half of its own {:.2} ms; with connections that never pause {:.2} ms",
        median(&one_rate),
        median(&bare_half),
        median(&saturated)
    );
    // Where even the bare server waits longer for its core, it is the bar.
    suite.below("G3", "gateway, p99 of one status at half of its own saturation", median(&half), " ms", median(&bare_half).max(10.0), note);
    Ok(())
}

/// CPU microseconds of the server per request, and what the load saw. As fast as it answers, or at a rate.
async fn load(suite: &Suite, server: &Server, paths: &[String], rate: Option<f64>) -> Result<(f64, Count)> {
    let seconds = suite.size(2.0, 1.0);
    let mut arguments = words(&format!("load --port {} --seconds {seconds}", server.port));
    for path in paths {
        arguments.extend(["--path".to_owned(), path.clone()]);
    }
    if let Some(token) = &server.token {
        arguments.extend(["--bearer".to_owned(), token.clone()]);
    }
    if let Some(rate) = rate {
        arguments.extend(["--rate".to_owned(), rate.to_string()]);
    }
    let meter = Meter::start(server.pid)?;
    let mut load = Process::role(Core::World, &arguments, suite.scratch.path())?;
    let count: Count = load.line(Duration::from_secs(30)).await?;
    let (cpu, _) = meter.read()?;
    anyhow::ensure!(count.operations > 0 && count.errors * 100 <= count.operations, "requests failed: {count:?}");
    #[expect(clippy::cast_precision_loss, reason = "requests of a measurement")]
    let requests = count.operations as f64;
    Ok((cpu * 1e6 / requests, count))
}

/// Puts all threads of a running process on the subject's core.
async fn pin(pid: u32) {
    if let Some(core) = Core::Subject.list() {
        let _ = tokio::process::Command::new("taskset")
            .args(["-a", "-c", "-p", &core, &pid.to_string()])
            .stdout(std::process::Stdio::null())
            .status()
            .await;
    }
}
