//! Results that are read before their monitor is heard of, cases of monitors that are not heard of yet, and those of monitors that are gone.

use std::time::Duration;

use model::Outcome::{Down, Up};
use model::{CheckResult, Monitor, MonitorId};
use testkit::eventually;

use crate::mesh::{INTERVAL_MS, LONG, Mesh, Told, result};

/// Two failing checks, which open an incident.
async fn fails(mesh: &mut Mesh, id: MonitorId, revision: i64) {
    let failing: Vec<_> = (0..2).map(|n| CheckResult { revision, ..result(id, mesh.slot + n * INTERVAL_MS, Down) }).collect();
    mesh.slot += 2 * INTERVAL_MS;
    mesh.produce(&failing).await;
}

/// A monitor of whose failures the alerter has read, while users have not told of it.
async fn unheard_of(mesh: &mut Mesh) -> Monitor {
    let (made, known) = (mesh.make(), mesh.monitors().remove(0));
    fails(mesh, made.id, made.revision).await;
    // What is told here lies behind it in the log.
    fails(mesh, known.id, known.revision).await;
    mesh.slack.wait_taken(1, LONG).await;
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_is_heard_of_late_is_judged_by_what_was_read_before() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    let _alerter = mesh.alerter();
    let made = unheard_of(&mut mesh).await;
    mesh.add(made).await;
    let posts = mesh.slack.wait_taken(2, LONG).await;
    assert!(posts[1].text().contains("Down: Shop 1"), "{}", posts[1].text());
    eventually("the offset goes on", LONG, async || {
        (mesh.count("SELECT coalesce(sum(next_offset), 0)::bigint FROM consumer_offsets WHERE consumer = 'alerter'").await == 4)
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_for_a_monitor_outlives_the_alerter_that_held_it() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    let first = mesh.alerter();
    let made = unheard_of(&mut mesh).await;
    eventually("it is recorded", LONG, async || {
        (mesh.count("SELECT count(*) FROM deliveries WHERE state = 'sent'").await == 1).then_some(())
    })
    .await;
    first.kill();
    mesh.add(made).await;
    let second = mesh.alerter();
    let posts = mesh.slack.wait_taken(2, LONG).await;
    assert!(posts[1].text().contains("Down: Shop 1"), "{}", posts[1].text());
    second.stop().await;
    assert_eq!(mesh.slack.posts().len(), 2, "what was told is not told again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_take_over_with_a_list_that_lags_ends_no_incident() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    let made = mesh.make();
    mesh.add(made.clone()).await;
    let first = mesh.alerter();
    fails(&mut mesh, made.id, made.revision).await;
    mesh.slack.wait_taken(1, LONG).await;
    eventually("it is recorded", LONG, async || {
        (mesh.count("SELECT count(*) FROM deliveries WHERE state = 'sent'").await == 1).then_some(())
    })
    .await;
    first.stop().await;
    let taken = async || mesh.count("SELECT coalesce(max(epoch), 0)::bigint FROM consumer_offsets WHERE consumer = 'alerter'").await;
    let before = taken().await;
    // The next one's list is of before the monitor was made, and users do not answer when it asks for what came since.
    mesh.set_lag(true);
    let second = mesh.alerter();
    eventually("the partition is taken over", LONG, async || (taken().await > before).then_some(())).await;
    // Two looks at what is in doubt.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(mesh.count("SELECT count(*) FROM incidents WHERE state = 'open' AND note IS NULL").await, 1);
    assert_eq!(mesh.count("SELECT count(*) FROM alert_states").await, 1, "nor is what is known of it forgotten");
    mesh.set_lag(false);
    for _ in 0..2 {
        mesh.round(&[(made.id, Up)]).await;
    }
    let posts = mesh.slack.wait_taken(2, LONG).await;
    assert!(posts[1].text().contains("Recovered: Shop 1"), "{}", posts[1].text());
    second.stop().await;
    assert_eq!((mesh.slack.posts().len(), mesh.count("SELECT count(*) FROM incidents").await), (2, 1), "nothing was told twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_of_a_monitor_that_is_gone_hold_nothing_up() {
    let mut mesh = Mesh::new(2, 1, Told::SlackWebhook).await;
    let (gone, known) = (mesh.monitor(0), mesh.monitor(1));
    mesh.delete(gone).await;
    let alerter = mesh.alerter();
    mesh.round(&[(gone, Down), (known, Up)]).await;
    mesh.round(&[(gone, Down), (known, Up)]).await;
    eventually("all is read", LONG, async || {
        (mesh.count("SELECT coalesce(sum(next_offset), 0)::bigint FROM consumer_offsets WHERE consumer = 'alerter'").await == 4)
            .then_some(())
    })
    .await;
    assert_eq!(mesh.count("SELECT count(*) FROM alerts").await, 0);
    alerter.stop().await;
}
