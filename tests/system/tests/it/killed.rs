//! kill -9 of each service in the middle of its work loses nothing and doubles nothing: every slot due is in
//! the history once, and there are as many messages as the targets had transitions.

use std::time::Duration;

use system_tests::{Farm, Mesh, Plan, Service, Slack, Slots, monitor, now};
use testkit::eventually;

const NAMES: [&str; 6] = ["apple", "banana", "cherry", "damson", "elder", "fig"];
const FAIL: [&str; 4] = ["apple", "cherry", "damson", "fig"];

/// A lease lapses, another pinger takes over, overdue slots run, and then the usual way.
const LATER: Duration = Duration::from_mins(1);

/// Kills each service once, a second apart, and starts it again half a second later.
async fn massacre(mesh: &mut Mesh) {
    for service in Service::ALL {
        mesh.kill9(service, 0);
        tokio::time::sleep(Duration::from_millis(500)).await;
        mesh.restart(service, 0);
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_killed_in_mid_stream_loses_and_doubles_nothing() {
    let _alone = crate::alone().await;
    let farm = Farm::start().await;
    let slack = Slack::start().await;
    let mut mesh = Mesh::start(Plan { slack: Some(slack.url()), ..Plan::default() }).await;
    let api = mesh.login().await;
    let mut ids = Vec::new();
    for name in NAMES {
        ids.push((name, api.create(monitor(name, &farm.url(name))).await));
    }
    for (name, id) in &ids {
        eventually(&format!("{name} is shown up"), LATER, || async { (api.state(id).await == "up").then_some(()) }).await;
    }

    // Every transition happens while something dies.
    for name in FAIL {
        farm.set_down(name, true);
    }
    massacre(&mut mesh).await;
    for name in FAIL {
        eventually(&format!("the message that {name} is down"), LATER, || async { slack.about(name).first().cloned() }).await;
    }
    for name in FAIL {
        farm.set_down(name, false);
    }
    massacre(&mut mesh).await;
    for name in FAIL {
        eventually(&format!("the message that {name} is up again"), LATER, || async { slack.about(name).get(1).cloned() }).await;
    }
    mesh.ready().await;
    for name in NAMES {
        farm.next_visit(name, LATER).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;

    let until = now() - 5000;
    let api = mesh.login().await;
    for (name, id) in &ids {
        let slots = eventually(&format!("every slot of {name} that was due is in the history"), LATER, || async {
            let slots = Slots::of(&mesh, &api, id, until).await;
            slots.absent().is_empty().then_some(slots)
        })
        .await;
        assert!(slots.phantom().is_empty(), "{name}: {:?} were never due: {slots:?}", slots.phantom());
        // What the target never saw may be missed or unknown, but it may not be called down.
        let failures = farm.visits(name).iter().filter(|visit| visit.status != 200).count();
        assert!(slots.count("down") <= failures, "{name}: {} slots down, {failures} answers that fail: {slots:?}", slots.count("down"));
        let expected: &[&str] = if FAIL.contains(name) { &["opened", "resolved"] } else { &[] };
        assert_eq!(slack.kinds(name), expected, "{name}: {:?}", slack.about(name));
    }
}
