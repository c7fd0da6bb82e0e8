//! The alerter lives, and its connections to PostgreSQL are cut in the middle of COMMITs.

use std::time::{Duration, Instant};

use system_tests::Service;

use super::Alerts;
use crate::proxy::Proxy;
use crate::row::Row;
use crate::seed::Seed;
use crate::victim::Victim;

/// Batches for about `time`, one at least.
pub async fn cuts(seed: &Seed, time: Duration, most: u64) -> Vec<Row> {
    let began = Instant::now();
    let mut row = Row::new(
        "14a",
        "alerter: connection cut during COMMIT (lost, done but unanswered, blind)",
        "no alert is missed on any channel; none twice",
    );
    let mut alerts = Alerts::start(seed.branch("alert cuts"), false).await;
    // In front of the alerter alone: COMMITs of users are another row's.
    let proxy = Proxy::to_postgres().await;
    alerts.mesh.set_database_port(Service::Alerter, 0, proxy.port);
    let mut parts = ["webhook", "bot", "signed"].map(|_| Row::new("14a", "", ""));
    let until = Instant::now() + time;
    while alerts.trials < most && Instant::now() < until && parts.iter().all(|part| part.violations.len() < 20) {
        Victim::of(Service::Alerter).start(&mut alerts.mesh, None);
        alerts.mesh.ready_one(Service::Alerter, 0).await;
        let before = proxy.cuts();
        proxy.cut_commits(alerts.seed.number(), 30);
        for _ in 0..16 {
            alerts.trials += 1;
            let results = alerts.next_results().await;
            alerts.writer.results(&results).await;
            let pause = Duration::from_millis(300 + alerts.seed.below(700));
            tokio::time::sleep(pause).await;
        }
        proxy.heal();
        proxy.expose(&before, &mut row);
        alerts.mesh.kill9(Service::Alerter, 0);
        alerts.deaths.push(Instant::now());
        Victim::of(Service::Alerter).bury(&alerts.mesh).await;
        alerts.settle(&mut parts).await;
        alerts.check(&mut parts).await;
        eprintln!("  alerter: {} COMMITs cut; {}", row.exposures, parts[0].compared);
    }
    alerts.expire().await;
    alerts.check_log(&mut parts).await;
    for part in &mut parts {
        row.violations.append(&mut part.violations);
    }
    row.compared.clone_from(&parts[0].compared);
    // A trial is a COMMIT that was cut.
    row.trials = row.exposures;
    row.took = began.elapsed();
    vec![row]
}
