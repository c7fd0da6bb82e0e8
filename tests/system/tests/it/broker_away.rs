//! Kafka is away for twenty seconds: checks go on, results wait, nothing is lost, and the transition that
//! happened meanwhile is told once.

use std::time::Duration;

use system_tests::{Broker, Farm, Mesh, Plan, Slack, Slots, monitor, now};
use testkit::eventually;

const NAMES: [&str; 4] = ["north", "east", "south", "west"];
const LATER: Duration = Duration::from_mins(1);
const AWAY: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_for_twenty_seconds_costs_no_slot_and_no_message() {
    let _alone = crate::alone().await;
    let directory = tempfile::tempdir().expect("a directory");
    let mut broker = Broker::start(directory.path()).await;
    let farm = Farm::start().await;
    let slack = Slack::start().await;
    let mut mesh = Mesh::start(Plan { slack: Some(slack.url()), kafka: Some(broker.address()), ..Plan::default() }).await;
    let api = mesh.login().await;
    let mut ids = Vec::new();
    for name in NAMES {
        ids.push((name, api.create(monitor(name, &farm.url(name))).await));
    }
    for (name, id) in &ids {
        eventually(&format!("{name} is shown up"), LATER, || async { (api.state(id).await == "up").then_some(()) }).await;
    }

    broker.stop();
    let stopped = now();
    farm.set_down("east", true);
    tokio::time::sleep(AWAY).await;
    for name in NAMES {
        let during = farm.visits(name).iter().filter(|visit| visit.at > stopped).count();
        assert!(during >= 1, "{name} was not checked while the broker was away");
    }
    assert!(slack.posts().is_empty(), "without a log nothing can be judged: {:?}", slack.posts());
    broker.resume().await;
    let resumed = now();

    eventually("the message that east is down", LATER, || async { slack.about("east").first().cloned() }).await;
    farm.set_down("east", false);
    eventually("the message that east is up again", LATER, || async { slack.about("east").get(1).cloned() }).await;
    for name in NAMES {
        farm.next_visit(name, LATER).await;
    }
    mesh.ready().await;
    tokio::time::sleep(Duration::from_secs(3)).await;

    let until = now() - 5000;
    for (name, id) in &ids {
        let slots = eventually(&format!("every slot of {name} that was due is in the history"), LATER, || async {
            let slots = Slots::of(&mesh, &api, id, until).await;
            slots.absent().is_empty().then_some(slots)
        })
        .await;
        assert!(slots.phantom().is_empty(), "{name}: {:?} were never due: {slots:?}", slots.phantom());
        let away: Vec<_> = slots.told.range(stopped + 1000..resumed).collect();
        assert!(!away.is_empty(), "{name}: no slot fell into the outage: {slots:?}");
        assert_eq!(slots.count("missed"), 0, "{name}: the pinger ran all the time, so no slot is missed: {slots:?}");
        let down = slots.count("down") > 0;
        assert_eq!(down, *name == "east", "{name}: our outage is not the target's: {slots:?}");
    }
    let others = slack.posts().iter().filter(|post| !post.names("east")).count();
    assert_eq!((slack.kinds("east"), others), (vec!["opened", "resolved"], 0), "{:?}", slack.posts());
}
