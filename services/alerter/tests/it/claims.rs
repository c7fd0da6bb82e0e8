//! A sender and its claims: what it lost it does not send, what it sent it records, what it cannot finish it leaves to others.

use std::time::Duration;

use model::Outcome::Down;
use testkit::{SlackBehaviour, eventually};

use crate::mesh::{LONG, Mesh, Told};

/// Three messages that one claim holds, as they were in the log before there was an alerter.
async fn three(told: Told, behaviour: SlackBehaviour) -> Mesh {
    let mut mesh = Mesh::new(3, 1, told).await;
    mesh.slack.always(behaviour);
    mesh.all(Down).await;
    mesh.all(Down).await;
    mesh
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_sender_has_claimed_meanwhile_is_not_sent() {
    let lost = async |told| {
        // Longer than a claim is sure without an answer of PostgreSQL.
        let mesh = three(told, SlackBehaviour::Slow(Duration::from_millis(5_500))).await;
        let _alerter = mesh.alerter();
        mesh.slack.wait_taken(1, LONG).await;
        let taken =
            "WITH taken AS (UPDATE deliveries SET owner = '00000000-0000-0000-0000-000000000001', lease_until = now() + interval '1 h'
                     WHERE state = 'sending' RETURNING 1) SELECT count(*) FROM taken";
        assert_eq!(mesh.count(taken).await, 3);
        tokio::time::sleep(Duration::from_secs(7)).await;
        assert_eq!(mesh.slack.posts().len(), 1, "the first was under way");
        assert_eq!(mesh.count("SELECT count(*) FROM deliveries WHERE state = 'sending'").await, 3, "they are the other's");
    };
    tokio::join!(lost(Told::Webhook), lost(Told::SlackWebhook), lost(Told::SlackBot));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_arrived_is_recorded_however_long_postgresql_does_not_take_it() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    mesh.run(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = 'cannot_connect_now'; END $$;
         CREATE TRIGGER refuse BEFORE UPDATE ON deliveries FOR EACH ROW WHEN (NEW.state = 'sent') EXECUTE FUNCTION refuse()",
    )
    .await;
    let _alerter = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    mesh.slack.wait_taken(1, LONG).await;
    tokio::time::sleep(Duration::from_secs(18)).await;
    mesh.run("DROP TRIGGER refuse ON deliveries").await;
    eventually("it is recorded", LONG, async || {
        (mesh.count("SELECT count(*) FROM deliveries WHERE state = 'sent'").await == 1).then_some(())
    })
    .await;
    assert_eq!(mesh.slack.posts().len(), 1);
    assert_eq!(mesh.count("SELECT attempts::bigint FROM deliveries").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_postgresql_does_not_take_keeps_no_other_from_being_recorded() {
    let mut mesh = Mesh::new(6, 1, Told::SlackBot).await;
    mesh.run(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.id = (SELECT id FROM deliveries ORDER BY id LIMIT 1) THEN RAISE EXCEPTION 'not this one'; END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER refuse BEFORE UPDATE ON deliveries FOR EACH ROW WHEN (NEW.message_channel IS NOT NULL) EXECUTE FUNCTION refuse()",
    )
    .await;
    mesh.all(Down).await;
    mesh.all(Down).await;
    // What was in the log before it came is told together.
    let _alerter = mesh.alerter();
    eventually("they are recorded", LONG, async || {
        (mesh.count("SELECT count(*) FROM deliveries WHERE state = 'sent'").await == 6).then_some(())
    })
    .await;
    assert_eq!(mesh.count("SELECT count(message_channel) FROM deliveries").await, 5, "the one without its words");
    assert_eq!(mesh.slack.posts().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_stops_leaves_what_it_did_not_try_as_it_was() {
    let mesh = three(Told::Webhook, SlackBehaviour::Slow(Duration::from_secs(1))).await;
    let alerter = mesh.alerter();
    mesh.slack.wait_taken(1, LONG).await;
    alerter.stop().await;
    assert_eq!(mesh.slack.posts().len(), 1, "the one that was under way");
    let states = "SELECT string_agg(state || ' ' || doubtful, ', ' ORDER BY state, id) FROM deliveries";
    assert_eq!(mesh.text(states).await, "pending false, pending false, sent false");
    let _next = mesh.alerter();
    let posts = mesh.slack.wait_taken(3, LONG).await;
    assert!(posts.iter().all(|post| post.body["data"]["repeat"] == false));
}
