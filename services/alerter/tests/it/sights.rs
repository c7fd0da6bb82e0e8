//! Blind probers: one notice per region, one when it sees again, no DOWN.

use std::sync::Arc;
use std::time::Duration;

use model::sight::{BlindReason, ProberStatus, SightState};
use model::{Clock, Outcome, SystemClock};
use testkit::{SlackBehaviour, eventually};

use crate::mesh::{LONG, Mesh, Told, result};

fn said(region: &str, pinger: &str, at: i64, state: SightState, since: i64, slots_unknown: u64) -> ProberStatus {
    ProberStatus {
        region: region.parse().expect("a region"),
        pinger: pinger.to_owned(),
        at,
        state,
        since,
        reason: (state == SightState::Blind).then_some(BlindReason::Network),
        slots_unknown,
        shards: 64,
        spool_records: 0,
        spool_bytes: 0,
    }
}

async fn say(mesh: &Mesh, all: &[ProberStatus]) {
    let topic: Arc<str> = mesh.stack.topics().probers.into();
    for one in all {
        let value = events::encode_prober(one).expect("JSON");
        mesh.send(kafka::Record::new(Arc::clone(&topic), one.region.as_str().as_bytes().to_vec(), value)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blind_region_is_told_once_and_so_is_its_recovery() {
    use SightState::{Blind, Sees};
    let mut mesh = Mesh::new(20, 2, Told::SlackWebhook).await;
    let (first, second) = (mesh.alerter(), mesh.alerter());
    let t = SystemClock.now_ms() - 60_000;
    say(&mesh, &[said("local", "a", t, Sees, t, 0), said("local", "b", t, Sees, t, 0), said("eu", "c", t, Sees, t, 0)]).await;
    // Both pingers of one region, again and again; what they report is unknown.
    for n in 0..5 {
        say(&mesh, &[said("local", "a", t + 1_000 + n, Blind, t + 900, 5), said("local", "b", t + 1_000 + n, Blind, t + 950, 5)]).await;
        mesh.all(Outcome::Unknown).await;
    }
    let posts = mesh.slack.wait_taken(1, LONG).await;
    assert!(posts[0].text().contains("Prober in region local is blind"), "{}", posts[0].text());
    assert!(posts[0].text().contains("unknown, not down"), "{}", posts[0].text());
    // Killed between the answer and its record it would leave the message in doubt, and a flagged repeat would be right.
    eventually("the message is recorded", LONG, async || {
        (mesh.count("SELECT count(*) FROM deliveries WHERE state = 'sent'").await == 1).then_some(())
    })
    .await;
    first.kill();
    say(&mesh, &[said("local", "a", t + 50_000, Blind, t + 900, 50), said("local", "b", t + 50_000, Sees, t + 49_000, 40)]).await;
    say(&mesh, &[said("local", "a", t + 51_000, Sees, t + 50_900, 50), said("local", "a", t + 52_000, Sees, t + 50_900, 50)]).await;
    let posts = mesh.slack.wait_taken(2, Duration::from_mins(1)).await;
    assert!(posts[1].text().contains("Prober in region local sees again after 50 s"), "{}", posts[1].text());
    assert!(posts[1].text().contains("90 slots are unknown"), "{}", posts[1].text());
    assert_eq!(mesh.count("SELECT count(*) FROM incidents").await, 0);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(mesh.slack.posts().len(), 2);
    // The log read once more from its beginning tells nothing new.
    second.stop().await;
    mesh.count("WITH back AS (UPDATE consumer_offsets SET next_offset = 0 RETURNING 1) SELECT count(*) FROM back").await;
    mesh.count("WITH gone AS (DELETE FROM region_sights RETURNING 1) SELECT count(*) FROM gone").await;
    let third = mesh.alerter();
    eventually("it is judged again", LONG, async || (mesh.count("SELECT count(*) FROM region_sights").await == 2).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(mesh.slack.posts().len(), 2);
    assert_eq!(mesh.count("SELECT count(*) FROM notices").await, 2);
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blindness_that_is_over_before_it_was_told_is_told_in_one_message() {
    use SightState::{Blind, Sees};
    let mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    let t = SystemClock.now_ms() - 3_000_000;
    say(&mesh, &[said("eu", "a", t, Blind, t, 3), said("eu", "a", t + 600_000, Sees, t + 599_000, 60)]).await;
    let _alerter = mesh.alerter();
    let posts = mesh.slack.wait_taken(1, LONG).await;
    assert!(posts[0].text().contains("Prober in region eu was blind for 9 min 59 s"), "{}", posts[0].text());
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(mesh.slack.posts().len(), 1);
    assert_eq!(mesh.count("SELECT count(*) FROM deliveries WHERE state = 'folded'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_is_told_in_full_beside_a_notice() {
    let mut mesh = Mesh::new(50, 3, Told::Webhook).await;
    mesh.slack.script([SlackBehaviour::Reset]);
    let _alerter = mesh.alerter();
    let t = SystemClock.now_ms() - 60_000;
    say(&mesh, &[said("eu", "a", t, SightState::Blind, t, 3)]).await;
    let storm: Vec<_> = mesh.monitors().iter().take(10).map(|monitor| monitor.id).collect();
    for _ in 0..2 {
        let slot = mesh.slot;
        mesh.slot += crate::mesh::INTERVAL_MS;
        let results: Vec<_> = mesh
            .monitors()
            .iter()
            .map(|one| result(one.id, slot, if storm.contains(&one.id) { Outcome::Down } else { Outcome::Up }))
            .collect();
        mesh.produce(&results).await;
    }
    let told = eventually("all are told", Duration::from_mins(1), async || {
        let mut kinds: Vec<String> = mesh
            .slack
            .taken()
            .iter()
            .filter_map(|post| Some((post.header("webhook-id")?.to_owned(), post)))
            .map(|(id, post)| format!("{} {id}", post.body["type"]))
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        (kinds.len() >= 11).then_some(kinds)
    })
    .await;
    assert_eq!(told.iter().filter(|kind| kind.contains("incident.opened")).count(), 10, "{told:?}");
    assert_eq!(told.iter().filter(|kind| kind.contains("prober.blind")).count(), 1, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_forgotten_when_another_alerter_joins() {
    use SightState::{Blind, Sees};
    let mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    let _first = mesh.alerter();
    let t = SystemClock.now_ms() - 60_000;
    say(&mesh, &[said("eu", "a", t, Blind, t, 3)]).await;
    mesh.slack.wait_taken(1, LONG).await;
    // Changes nothing, so it is not committed at once.
    say(&mesh, &[said("eu", "b", t + 1_000, Blind, t + 1_000, 7)]).await;
    let _second = mesh.alerter();
    tokio::time::sleep(Duration::from_secs(6)).await;
    say(&mesh, &[said("eu", "b", t + 30_000, Sees, t + 29_000, 40), said("eu", "a", t + 31_000, Sees, t + 30_000, 50)]).await;
    let posts = mesh.slack.wait_taken(2, LONG).await;
    assert!(posts[1].text().contains("90 slots are unknown"), "{}", posts[1].text());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_fenced_watches_on() {
    use SightState::{Blind, Sees};
    let mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    let _alerter = mesh.alerter();
    let t = SystemClock.now_ms() - 60_000;
    say(&mesh, &[said("eu", "a", t, Blind, t, 3)]).await;
    mesh.slack.wait_taken(1, LONG).await;
    mesh.count("WITH taken AS (UPDATE consumer_offsets SET epoch = epoch + 1 RETURNING 1) SELECT count(*) FROM taken").await;
    say(&mesh, &[said("eu", "a", t + 30_000, Sees, t + 29_000, 60)]).await;
    let posts = mesh.slack.wait_taken(2, LONG).await;
    assert!(posts[1].text().contains("sees again"), "{}", posts[1].text());
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_nobody_can_read_do_not_end_the_judgement_of_results() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    let alerter = mesh.alerter();
    let topic: Arc<str> = mesh.stack.topics().probers.into();
    for n in 0..60 {
        mesh.send(kafka::Record::new(Arc::clone(&topic), format!("region-{n}").into_bytes(), b"no statement".to_vec())).await;
    }
    let config = kafka::KafkaConfig::new(mesh.stack.kafka_brokers.clone(), "test");
    eventually("as many as are let through are set aside", LONG, async || {
        let ends = kafka::end_offsets(&config, &events::Topics::dead_letter(&topic), LONG).await.expect("offsets");
        (ends == [32]).then_some(())
    })
    .await;
    mesh.all(Outcome::Down).await;
    mesh.all(Outcome::Down).await;
    mesh.slack.wait_taken(1, LONG).await;
    alerter.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blindness_that_was_told_ends_though_what_was_known_of_it_cannot_be_read() {
    use SightState::{Blind, Sees};
    let mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    let first = mesh.alerter();
    let t = SystemClock.now_ms() - 60_000;
    say(&mesh, &[said("eu", "a", t, Blind, t, 3)]).await;
    mesh.slack.wait_taken(1, LONG).await;
    first.stop().await;
    mesh.run("UPDATE region_sights SET state = '{\"pingers\": 5}'").await;
    let second = mesh.alerter();
    say(&mesh, &[said("eu", "a", t + 30_000, Blind, t, 3), said("eu", "a", t + 150_000, Sees, t + 149_000, 60)]).await;
    let posts = mesh.slack.wait_taken(2, LONG).await;
    assert!(posts[1].text().contains("Prober in region eu sees again"), "{}", posts[1].text());
    second.stop().await;
    assert_eq!(mesh.count("SELECT count(DISTINCT blindness_id) FROM notices").await, 1);
}

/// A member of the group that takes whatever the group gives it.
async fn follow(member: &mut kafka::GroupConsumer) {
    loop {
        match member.next(10, Duration::ZERO).await.expect("an event") {
            kafka::Event::Assigned(assignment) => assignment.start(std::collections::HashMap::new()),
            kafka::Event::Revoked(revocation) => revocation.done(),
            kafka::Event::Batch(_) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_fenced_takes_nothing_before_the_group_says_whose_it_is() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    let topic = mesh.stack.topics().probers;
    let group = topic.replace("prober-status", "alerter-sight");
    // The topic has one partition, unless somebody gave it more.
    let mut specs = mesh.stack.topics().specs(1);
    specs.iter_mut().filter(|spec| spec.name == topic).for_each(|spec| spec.partitions = 2);
    let log = kafka::EmbeddedBroker::start(&specs).expect("a broker");
    mesh.use_log(log.bootstrap_servers());
    let config = kafka::KafkaConfig::new(log.bootstrap_servers(), "test");
    let mut other = kafka::GroupConsumer::new(&config, &group, &[&topic]).expect("a member");
    // What comes to it first is that it has both.
    while other.assigned().len() < 2 {
        let _ = tokio::time::timeout(Duration::from_millis(200), follow(&mut other)).await;
    }
    let alerter = mesh.alerter();
    let taken = "SELECT count(*) FROM consumer_offsets WHERE consumer = 'alerter-sight'";
    let shared = eventually("they share", LONG, async || (mesh.count(taken).await == 1).then_some(()));
    tokio::select! {
        () = follow(&mut other) => {}
        () = shared => {}
    }
    // Another takes the alerter's one out of turn; that it is fenced it learns when it is given the other's, too.
    mesh.run("UPDATE consumer_offsets SET epoch = epoch + 1 WHERE consumer = 'alerter-sight'").await;
    other.close(LONG).await.expect("left");
    let again = "SELECT coalesce(max(epoch), 0) FROM consumer_offsets WHERE consumer = 'alerter-sight'";
    eventually("it is the alerter's again", Duration::from_mins(1), async || (mesh.count(again).await == 3).then_some(())).await;
    let epochs = "SELECT string_agg(epoch::text, ' ' ORDER BY epoch) FROM consumer_offsets WHERE consumer = 'alerter-sight'";
    assert_eq!(mesh.text(epochs).await, "1 3", "each taken once by the word of the group");
    alerter.stop().await;
}
