//! Restarts, replays, an emptied Redis, records nobody can read.

use std::time::Duration;

use cache::redis;
use model::Outcome::{Down, Up};
use model::alerting::ShownState;
use testkit::{SlackBehaviour, eventually};

use crate::mesh::{INTERVAL_MS, LONG, Mesh, Told, result};

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_between_two_failures_loses_and_repeats_nothing() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    let first = mesh.alerter();
    mesh.all(Down).await;
    eventually("the first failure is committed", LONG, async || {
        (mesh.count("SELECT coalesce(sum(next_offset), 0)::bigint FROM consumer_offsets").await == 1).then_some(())
    })
    .await;
    first.kill();
    mesh.all(Down).await;
    let second = mesh.alerter();
    mesh.slack.wait_taken(1, LONG).await;
    eventually("it is recorded", LONG, async || {
        (mesh.count("SELECT count(*) FROM deliveries WHERE state = 'sent'").await == 1).then_some(())
    })
    .await;
    second.kill();
    mesh.all(Up).await;
    mesh.all(Up).await;
    let third = mesh.alerter();
    let posts = mesh.slack.wait_taken(2, LONG).await;
    assert!(posts[0].text().contains("Down") && posts[1].text().contains("Recovered"));
    third.stop().await;
    assert_eq!(mesh.slack.posts().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_with_a_message_under_way_is_made_good_within_a_lease() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    mesh.slack.script([SlackBehaviour::Hang]);
    let first = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    mesh.slack.wait_taken(1, LONG).await;
    first.kill();
    let _second = mesh.alerter();
    let posts = mesh.slack.wait_taken(2, LONG).await;
    assert!(posts[1].body.to_string().contains("may be a repeat"), "{}", posts[1].body);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(mesh.slack.posts().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_read_again_from_its_beginning_tells_nothing_new() {
    let mut mesh = Mesh::new(3, 2, Told::SlackWebhook).await;
    let first = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    mesh.slack.wait_taken(3, LONG).await;
    for outcome in [Up, Up, Down] {
        mesh.all(outcome).await;
    }
    mesh.slack.wait_taken(6, LONG).await;
    first.stop().await;
    mesh.count("WITH back AS (UPDATE consumer_offsets SET next_offset = 0 RETURNING 1) SELECT count(*) FROM back").await;
    let second = mesh.alerter();
    eventually("the log is read again", LONG, async || {
        (mesh.count("SELECT coalesce(sum(next_offset), 0)::bigint FROM consumer_offsets").await == 15).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(mesh.slack.posts().len(), 6);
    assert_eq!(mesh.count("SELECT count(*) FROM alerts").await, 6);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_starts_anew_is_judged_from_its_beginning() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    let specs = mesh.stack.topics().specs(1);
    let log = kafka::EmbeddedBroker::start(&specs).expect("a broker");
    mesh.use_log(log.bootstrap_servers());
    let first = mesh.alerter();
    for outcome in [Up, Up, Down] {
        mesh.all(outcome).await;
    }
    eventually("three results are committed", LONG, async || {
        (mesh.count("SELECT coalesce(sum(next_offset), 0)::bigint FROM consumer_offsets").await == 3).then_some(())
    })
    .await;
    first.kill();
    drop(log);
    let log = kafka::EmbeddedBroker::start(&specs).expect("another broker");
    mesh.use_log(log.bootstrap_servers());
    // The new log is shorter than the old one's offset; the second failure in a row is its first record.
    mesh.all(Down).await;
    let _second = mesh.alerter();
    mesh.slack.wait_taken(1, LONG).await;
    eventually("its offset is the new log's", LONG, async || {
        (mesh.count("SELECT coalesce(sum(next_offset), 0)::bigint FROM consumer_offsets").await == 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_connections_to_postgresql_lose_and_repeat_nothing() {
    let mut mesh = Mesh::new(10, 2, Told::Webhook).await;
    let alerter = mesh.alerter();
    let cut = async |mesh: &Mesh| {
        for _ in 0..40 {
            mesh.count(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'alerter'",
            )
            .await;
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    for outcome in [Down, Down, Up, Up] {
        mesh.all(outcome).await;
        cut(&mesh).await;
    }
    eventually("all is told", Duration::from_mins(1), async || {
        (mesh.count("SELECT count(*) FROM deliveries WHERE state IN ('sent', 'folded')").await == 20).then_some(())
    })
    .await;
    assert_eq!(mesh.count("SELECT count(*) FROM alerts").await, 20);
    // A message whose end could not be recorded may come again, flagged, under the same id; a webhook drops it by that.
    let mut ids: Vec<String> = mesh.slack.taken().iter().map(|post| post.header("webhook-id").expect("an id").to_owned()).collect();
    ids.sort_unstable();
    ids.dedup();
    let folded = mesh.count("SELECT count(*) FROM deliveries WHERE state = 'folded'").await;
    assert_eq!(i64::try_from(ids.len()).expect("few"), 20 - folded);
    alerter.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_redis_gets_its_verdicts_back_and_changes_no_incident() {
    let mut mesh = Mesh::new(2, 1, Told::SlackWebhook).await;
    let _alerter = mesh.alerter();
    mesh.all(Up).await;
    let (bad, good) = (mesh.monitor(0), mesh.monitor(1));
    mesh.round(&[(bad, Down)]).await;
    mesh.slot = model::Clock::now_ms(&model::SystemClock);
    mesh.round(&[(bad, Down), (good, Up)]).await;
    mesh.slack.wait_taken(1, LONG).await;
    let cache = mesh.stack.cache().await;
    let shown = async || {
        let verdicts = cache.verdicts(&[bad, good]).await.expect("Redis");
        let states: Vec<_> = verdicts.iter().map(|verdict| verdict.as_ref().map(|one| one.state)).collect();
        (states == [Some(ShownState::Down), Some(ShownState::Up)]).then(|| verdicts[0].clone())
    };
    let before = eventually("both verdicts are in Redis", LONG, shown).await;
    assert!(before.is_some_and(|verdict| verdict.incident.is_some()));
    let newest = result(bad, mesh.slot - INTERVAL_MS, Down);
    let judged = async || (cache.judged_slots().await.expect("Redis") == [(newest.region.clone(), newest.slot)]).then_some(());
    eventually("how far the region is judged is there, too", LONG, judged).await;
    // FLUSHALL, as far as this test's prefix goes.
    for key in [cache.keys().verdict(bad), cache.keys().verdict(good), cache.keys().judged(), cache.keys().generation()] {
        cache.query::<()>(redis::cmd("DEL").arg(key)).await.expect("DEL");
    }
    eventually("they are back", LONG, shown).await;
    eventually("so is how far it is judged", LONG, judged).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(mesh.slack.posts().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alerter_that_does_not_know_yet_that_it_lost_a_partition_overwrites_no_newer_verdict() {
    let mut mesh = Mesh::new(2, 1, Told::SlackWebhook).await;
    let _alerter = mesh.alerter();
    mesh.slot = model::Clock::now_ms(&model::SystemClock);
    mesh.all(Up).await;
    let (taken, other) = (mesh.monitor(0), mesh.monitor(1));
    let cache = mesh.stack.cache().await;
    let states = async || {
        let verdicts = cache.verdicts(&[taken, other]).await.expect("Redis");
        verdicts.into_iter().map(|verdict| verdict.map(|one| one.state)).collect::<Vec<_>>()
    };
    let both = [Some(ShownState::Up), Some(ShownState::Up)];
    eventually("both are shown", LONG, async || (states().await == both).then_some(())).await;
    // Another one took the partition since, and judged more of it.
    let known = cache.verdicts(&[taken]).await.expect("Redis").remove(0).expect("a verdict");
    let verdict = model::alerting::Shown { state: ShownState::Down, slot: Some(mesh.slot), ..known };
    let update = cache::VerdictUpdate { monitor: taken, verdict };
    let written = cache.write_verdicts(&[cache::VerdictWrite { update, partition: 0, epoch: 99 }]).await.expect("Redis");
    assert_eq!(written, [true]);
    for key in [cache.keys().verdict(other), cache.keys().generation()] {
        cache.query::<()>(redis::cmd("DEL").arg(key)).await.expect("DEL");
    }
    eventually("all were written again", LONG, async || (states().await[1] == Some(ShownState::Up)).then_some(())).await;
    assert_eq!(states().await[0], Some(ShownState::Down));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_nobody_can_read_are_set_aside_and_block_nothing() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    let alerter = mesh.alerter();
    mesh.all(Down).await;
    let producer = kafka::Producer::new(&kafka::KafkaConfig::new(mesh.stack.kafka_brokers.clone(), "test")).expect("a producer");
    let topics = mesh.stack.topics();
    let future = result(mesh.monitor(0), 3_000_000_000_000, Up);
    let values = [b"no JSON".to_vec(), br#"{"v":99}"#.to_vec(), events::encode_result(&future).expect("JSON")];
    for value in values {
        let record = kafka::Record::new(topics.results.clone().into(), mesh.monitor(0).to_string().into_bytes(), value);
        producer.send(record).expect("room").await.expect("an ack");
    }
    mesh.all(Down).await;
    mesh.slack.wait_taken(1, LONG).await;
    let config = kafka::KafkaConfig::new(mesh.stack.kafka_brokers.clone(), "test");
    let ends = kafka::end_offsets(&config, &events::Topics::dead_letter(&topics.results), LONG).await.expect("offsets");
    assert_eq!(ends, [2]);
    assert!((alerter.metric("upmesh_kafka_dead_letters_total") - 2.0).abs() < 0.5);
    // What says up in the future can be read, and is not judged.
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_monitor_ends_its_incident_quietly() {
    let mut mesh = Mesh::new(2, 1, Told::SlackWebhook).await;
    let _alerter = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    mesh.slack.wait_taken(2, LONG).await;
    mesh.delete(mesh.monitor(0)).await;
    eventually("the incident is over", LONG, async || {
        (mesh.count("SELECT count(*) FROM incidents WHERE state = 'resolved' AND note = 'deleted'").await == 1).then_some(())
    })
    .await;
    eventually("its state is gone", LONG, async || (mesh.count("SELECT count(*) FROM alert_states").await == 1).then_some(())).await;
    assert_eq!(mesh.slack.posts().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_monitor_that_was_deleted_while_nobody_watched_goes_where_its_beginning_went() {
    let mut mesh = Mesh::new(2, 1, Told::Webhook).await;
    mesh.add_channel("dev");
    let (id, other) = (mesh.monitor(0), mesh.monitor(1));
    mesh.change(id, |monitor| monitor.spec.alert.channels = vec!["dev".to_owned()]).await;
    let first = mesh.alerter();
    mesh.round(&[(id, Down)]).await;
    mesh.round(&[(id, Down)]).await;
    mesh.slack.wait_taken(1, LONG).await;
    first.stop().await;
    mesh.delete(id).await;
    let _second = mesh.alerter();
    // The present goes on.
    mesh.round(&[(other, Up)]).await;
    mesh.slack.wait_taken(2, LONG).await;
    let told = "SELECT string_agg(channel_name || ' ' || kind, ', ' ORDER BY sequence, channel_name) FROM deliveries";
    assert_eq!(mesh.text(told).await, "dev opened, dev resolved");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_postgresql_would_not_take_as_it_is_stops_nobody() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    let alerter = mesh.alerter();
    for _ in 0..2 {
        let detail = Some("read \u{0} from the socket".to_owned());
        mesh.produce(&[model::CheckResult { detail, ..result(mesh.monitor(0), mesh.slot, Down) }]).await;
        mesh.slot += INTERVAL_MS;
    }
    mesh.slack.wait_taken(1, LONG).await;
    assert_eq!(mesh.text("SELECT detail FROM incidents").await, "read   from the socket");
    alerter.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_nobody_can_read_stops_the_judgement_of_no_other() {
    let mut mesh = Mesh::new(3, 1, Told::SlackWebhook).await;
    let first = mesh.alerter();
    mesh.all(Down).await;
    eventually("the first failure is committed", LONG, async || (mesh.count("SELECT count(*) FROM alert_states").await == 3).then_some(()))
        .await;
    first.stop().await;
    // One damaged, one with a cause of a newer version, which is in the words of an incident only.
    let damaged = "WITH spoilt AS (UPDATE alert_states SET state = '{\"regions\": 5}'
         WHERE monitor_id = (SELECT monitor_id FROM alert_states ORDER BY monitor_id LIMIT 1) RETURNING 1) SELECT count(*) FROM spoilt";
    let newer = "WITH spoilt AS (UPDATE alert_states SET state = jsonb_set(state, '{regions,local,failure,cause}', '\"solar_flare\"')
         WHERE monitor_id = (SELECT monitor_id FROM alert_states ORDER BY monitor_id OFFSET 1 LIMIT 1) RETURNING 1) SELECT count(*) FROM spoilt";
    assert_eq!((mesh.count(damaged).await, mesh.count(newer).await), (1, 1));
    let second = mesh.alerter();
    mesh.all(Down).await;
    // The damaged one begins anew: its first failure is forgotten.
    mesh.slack.wait_taken(2, LONG).await;
    mesh.all(Down).await;
    mesh.slack.wait_taken(3, LONG).await;
    second.stop().await;
    assert_eq!(mesh.count("SELECT count(*) FROM incidents").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_incident_whose_state_nobody_can_read_is_told_once_and_so_is_its_end() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    let first = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    mesh.slack.wait_taken(1, LONG).await;
    first.stop().await;
    mesh.run("UPDATE alert_states SET state = '{\"regions\": 5}'").await;
    let second = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    // As many successes as ever.
    mesh.all(Up).await;
    mesh.all(Down).await;
    mesh.all(Up).await;
    mesh.all(Up).await;
    let posts = mesh.slack.wait_taken(2, LONG).await;
    assert!(posts[1].text().contains("Shop 0"), "{}", posts[1].text());
    second.stop().await;
    assert_eq!(mesh.text("SELECT string_agg(kind || ' ' || sequence, ', ' ORDER BY sequence) FROM alerts").await, "opened 1, resolved 2");
    assert_eq!(mesh.count("SELECT count(*) FROM incidents WHERE state = 'resolved'").await, 1);
}
