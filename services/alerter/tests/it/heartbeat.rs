//! The heartbeat: only while the present is judged.

use std::time::Duration;

use model::Outcome::Up;
use model::{CheckResult, Clock, SystemClock};
use testkit::{Target, eventually};

use crate::mesh::{INTERVAL_MS, LONG, Mesh, Told, result};

#[tokio::test(flavor = "multi_thread")]
async fn the_heartbeat_is_withheld_while_the_alerter_lags_or_cannot_commit() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    let watcher = Target::start().await;
    mesh.set("HEARTBEAT_URL", &watcher.url());
    mesh.set("HEARTBEAT_PERIOD_MS", "200");
    let begin = SystemClock.now_ms() - 3_600_000;
    let old = |n: i64| CheckResult { started_at: begin + n * INTERVAL_MS, ..result(mesh.monitor(0), begin + n * INTERVAL_MS, Up) };
    mesh.produce(&(0..50).map(old).collect::<Vec<_>>()).await;
    let alerter = mesh.alerter();
    eventually("the past is judged", LONG, async || {
        (mesh.count("SELECT coalesce(sum(next_offset), 0)::bigint FROM consumer_offsets WHERE consumer = 'alerter'").await == 50)
            .then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(watcher.requests(), 0, "an hour behind is not the present");

    mesh.all(Up).await;
    eventually("a heartbeat", LONG, async || (watcher.requests() > 2).then_some(())).await;
    alerter.stop().await;
    let beats = watcher.requests();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(watcher.requests(), beats, "nobody judges");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_heartbeat_is_withheld_while_some_partition_is_judged_by_nobody() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    let watcher = Target::start().await;
    mesh.set("HEARTBEAT_URL", &watcher.url());
    mesh.set("HEARTBEAT_PERIOD_MS", "200");
    let alerter = mesh.alerter();
    mesh.all(Up).await;
    eventually("a heartbeat", LONG, async || (watcher.requests() > 2).then_some(())).await;
    // What another alerter had, and nobody took over; and what it had of a log that is no more.
    let left = "WITH left_behind AS (INSERT INTO consumer_offsets
            SELECT consumer, topic, 1, cluster_id, 0, owner, 1, now() - interval '1 hour' FROM consumer_offsets WHERE consumer = 'alerter'
            RETURNING 1) SELECT count(*) FROM left_behind";
    assert_eq!(mesh.count(left).await, 1);
    eventually("silence", LONG, async || {
        let before = watcher.requests();
        tokio::time::sleep(Duration::from_secs(1)).await;
        (watcher.requests() == before).then_some(())
    })
    .await;
    let gone =
        "WITH gone AS (UPDATE consumer_offsets SET cluster_id = 'another' WHERE partition = 1 RETURNING 1) SELECT count(*) FROM gone";
    mesh.count(gone).await;
    let before = watcher.requests();
    mesh.all(Up).await;
    eventually("a heartbeat", LONG, async || (watcher.requests() > before).then_some(())).await;
    alerter.stop().await;
}
