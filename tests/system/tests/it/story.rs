//! What people came for: a target goes down, one message; it recovers, one more. Told twice, by a mesh of
//! one replica of each service and by one of two, with the same ending.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use system_tests::{Api, Farm, Mesh, Plan, Service, Slack, Slots, monitor, now};
use testkit::eventually;

/// A check every ten seconds, its confirmation, the way through Kafka, and a machine that does other things too.
const SOON: Duration = Duration::from_secs(30);

/// What a mesh made of the script.
#[derive(Debug, PartialEq, Eq)]
struct Ending {
    /// Monitor to the messages about it, in order, as opened or resolved.
    messages: BTreeMap<String, Vec<&'static str>>,
    states: BTreeMap<String, String>,
}

const NAMES: [&str; 6] = ["alder", "birch", "cedar", "dogwood", "elm", "fir"];
const FAIL: [&str; 2] = ["birch", "elm"];

async fn tell(replicas: usize) -> Ending {
    let farm = Farm::start().await;
    let slack = Slack::start().await;
    let mesh = Mesh::start(Plan { replicas, slack: Some(slack.url()), ..Plan::default() }).await;
    let api = mesh.login().await;

    // A monitor created through the API is checked within a second.
    let mut ids = BTreeMap::new();
    for name in NAMES {
        let id = api.create(monitor(name, &farm.url(name))).await;
        let created = now();
        let first = || async { farm.visits(name).first().copied() };
        let visit = eventually(&format!("the first check of {name}"), Duration::from_secs(15), first).await;
        let waited = visit.at - created;
        assert!(waited < 1000, "{name} was first checked {waited} ms after its creation ({replicas} replica(s))");
        ids.insert(name, id);
    }
    for (name, id) in &ids {
        eventually(&format!("{name} is shown up"), SOON, || async { (api.state(id).await == "up").then_some(()) }).await;
    }
    assert!(slack.posts().is_empty(), "a message about nothing: {:?}", slack.posts());

    for name in FAIL {
        farm.set_down(name, true);
    }
    for name in FAIL {
        eventually(&format!("the message that {name} is down"), SOON, || async { slack.about(name).first().cloned() }).await;
        eventually(&format!("{name} is shown down"), SOON, || async { (api.state(&ids[name]).await == "down").then_some(()) }).await;
    }
    // Another check that fails says nothing new.
    for name in FAIL {
        farm.next_visit(name, SOON).await;
    }
    for name in FAIL {
        farm.set_down(name, false);
    }
    for name in FAIL {
        eventually(&format!("the message that {name} is up again"), SOON, || async { slack.about(name).get(1).cloned() }).await;
        eventually(&format!("{name} is shown up again"), SOON, || async { (api.state(&ids[name]).await == "up").then_some(()) }).await;
    }
    // One more round of checks, in which nothing more may be said.
    for name in NAMES {
        farm.next_visit(name, SOON).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;

    let until = now() - 4000;
    for (name, id) in &ids {
        let slots = eventually(&format!("the history of {name} is complete"), SOON, || async {
            let slots = Slots::of(&mesh, &api, id, until).await;
            slots.absent().is_empty().then_some(slots)
        })
        .await;
        assert!(slots.due.len() >= 4, "{name}: {slots:?}");
        assert!(slots.phantom().is_empty(), "{name}: {:?} were never due: {slots:?}", slots.phantom());
        assert_eq!(slots.count("missed") + slots.count("unknown"), 0, "{name}: {slots:?}");
        let downs = slots.count("down");
        assert_eq!(downs > 0, FAIL.contains(name), "{name}: {slots:?}");
        let answer = api.get(&format!("/api/incidents?monitor={id}")).await;
        let incidents = answer.body["incidents"].as_array().cloned().unwrap_or_default();
        assert_eq!(incidents.len(), usize::from(FAIL.contains(name)), "{name}: {}", answer.body);
        assert!(incidents.iter().all(|incident| incident["state"] == "resolved"), "{name}: {}", answer.body);
    }

    metrics_are_clean(&mesh).await;

    let mut ending = Ending { messages: BTreeMap::new(), states: BTreeMap::new() };
    for (name, id) in &ids {
        ending.messages.insert((*name).to_owned(), slack.kinds(name));
        ending.states.insert((*name).to_owned(), api.state(id).await);
    }
    ending
}

/// What each service counts is as Prometheus' own linter wants it.
async fn metrics_are_clean(mesh: &Mesh) {
    for service in Service::ALL {
        let answer = Api::anonymous(mesh.admin(service, 0)).get("/metrics").await;
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), answer.body.as_str().expect("text")).expect("written");
        let metrics = file.reopen().expect("the file again");
        let output = Command::new("promtool").args(["check", "metrics"]).stdin(metrics).output().expect("promtool");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{}: {said}", service.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_when_a_target_goes_down_and_one_when_it_recovers_whatever_the_replicas() {
    let _alone = crate::alone().await;
    let (one, two) = tokio::join!(tell(1), tell(2));
    for (name, messages) in &one.messages {
        let expected: &[&str] = if FAIL.contains(&name.as_str()) { &["opened", "resolved"] } else { &[] };
        assert_eq!(messages, expected, "{name}");
    }
    assert_eq!(one, two, "two replicas of every service ended differently from one");
}
