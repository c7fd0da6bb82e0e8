//! The gateway: one status and a page of a hundred monitors, against bare axum in front of Redis.

use std::time::Duration;

use anyhow::Result;
use system_tests::{Farm, Mesh, Plan, Service, monitor};
use testkit::eventually;

use super::{Suite, progress};
use crate::child::{Core, Process, words};
use crate::cpu::Meter;
use crate::roles::{Count, Ready};
use crate::stats::{Pairs, median};

pub async fn measure(suite: &mut Suite) -> Result<()> {
    if !suite.wants(&["G1", "G2", "G3"]) {
        return Ok(());
    }
    let farm = Farm::start().await;
    // One worker, so that gateway and bare server have the same one core.
    let settings = vec![("TOKIO_WORKER_THREADS".to_owned(), "1".to_owned()), ("RUST_LOG".to_owned(), "warn".to_owned())];
    let mesh = Mesh::start(Plan { settings, ..Plan::default() }).await;
    let api = mesh.login().await;
    let mut ids = Vec::new();
    for n in 0..suite.size(100, 20) {
        ids.push(api.create(monitor(&format!("monitor {n}"), &farm.url(&format!("m{n}")))).await);
    }
    for id in &ids {
        eventually("every monitor has a result", Duration::from_mins(1), || async { (api.state(id).await == "up").then_some(()) }).await;
    }
    let mut bare = Process::role(
        Core::Subject,
        &[
            "reads-server".to_owned(),
            "--redis".to_owned(),
            mesh.stack.redis_url.clone(),
            "--prefix".to_owned(),
            mesh.stack.redis_prefix.clone(),
        ],
        suite.scratch.path(),
    )?;
    let bare_port = bare.line::<Ready>(Duration::from_secs(10)).await?.port;
    let gateway = mesh.process_id(Service::Gateway, 0);
    pin(gateway).await;
    let gateway_port = mesh.port(Service::Gateway, 0);

    let one_paths: Vec<String> = ids.iter().map(|id| format!("/api/monitors/{id}")).collect();
    let bare_paths: Vec<String> = (0..100).map(|n| format!("/one/{n}")).collect();
    let list = vec![format!("/api/status?limit={}", ids.len())];
    let many = vec!["/many".to_owned()];
    let token = api.token().to_owned();
    let (mut one, mut page, mut tail) = (Pairs::default(), Pairs::default(), Vec::new());
    let (mut one_rate, mut page_rate) = (Vec::new(), Vec::new());
    for n in 0..suite.pairs() {
        progress(&format!("G: pair {} of {}", n + 1, suite.pairs()));
        let a = load(suite, bare.pid()?, bare_port, &bare_paths, None).await?;
        let b = load(suite, gateway, gateway_port, &one_paths, Some(&token)).await?;
        one.push(a.0, b.0);
        one_rate.push(b.1.rate());
        tail.push(b.1.p99_us / 1000.0);
        let a = load(suite, bare.pid()?, bare_port, &many, None).await?;
        let b = load(suite, gateway, gateway_port, &list, Some(&token)).await?;
        page.push(a.0, b.0);
        page_rate.push(b.1.rate());
    }
    suite.share(
        "G1",
        &format!("gateway, one monitor's status with a session ({:.0}/s): share of bare axum + one GET", median(&one_rate)),
        0.5,
        "CPU µs per request",
        &one,
    );
    suite.share(
        "G2",
        &format!(
            "gateway, a page of {} monitors with a session ({:.0}/s): share of bare axum + MGET of 100",
            ids.len(),
            median(&page_rate)
        ),
        0.5,
        "CPU µs per request",
        &page,
    );
    suite.below(
        "G3",
        "gateway, p99 of one status with 64 connections that never pause",
        median(&tail),
        " ms",
        50.0,
        "at saturation; the bar of the reference is 10 ms at half of it".to_owned(),
    );
    Ok(())
}

/// CPU microseconds of the server per request, and what the load saw.
async fn load(suite: &Suite, server: u32, port: u16, paths: &[String], token: Option<&str>) -> Result<(f64, Count)> {
    let seconds = suite.size(2.0, 1.0);
    let mut arguments = words(&format!("load --port {port} --seconds {seconds}"));
    for path in paths {
        arguments.extend(["--path".to_owned(), path.clone()]);
    }
    if let Some(token) = token {
        arguments.extend(["--bearer".to_owned(), token.to_owned()]);
    }
    let meter = Meter::start(server)?;
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
