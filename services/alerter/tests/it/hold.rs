//! Catching up: an hour of log is judged in order, and only what came of it is told.

use model::Outcome::{Down, Up};
use model::{Clock, SystemClock};
use testkit::eventually;

use crate::mesh::{INTERVAL_MS, LONG, Mesh, Told, result};

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_alerter_is_told_at_its_end_and_in_one_message() {
    let mesh = Mesh::new(2, 1, Told::SlackWebhook).await;
    let (over, still) = (mesh.monitor(0), mesh.monitor(1));
    let begin = SystemClock.now_ms() - 3_600_000;
    let mut backlog = Vec::new();
    for n in 0..300 {
        let slot = begin + n * INTERVAL_MS;
        let outcome = if (100..200).contains(&n) { Down } else { Up };
        backlog.push(model::CheckResult { started_at: slot, ..result(over, slot, outcome) });
        let outcome = if n >= 100 { Down } else { Up };
        backlog.push(model::CheckResult { started_at: slot, ..result(still, slot, outcome) });
    }
    mesh.produce(&backlog).await;
    let _alerter = mesh.alerter();
    let posts = mesh.slack.wait_taken(2, LONG).await;
    eventually("nothing waits", LONG, async || {
        (mesh.count("SELECT count(*) FROM deliveries WHERE state IN ('pending', 'sending')").await == 0).then_some(())
    })
    .await;
    let texts: Vec<_> = mesh.slack.posts().iter().map(|post| post.text().to_owned()).collect();
    assert_eq!(posts.len(), 2, "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("Was down: Shop 0 for 16 min 40 s")), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("Down: Shop 1")), "{texts:?}");
    assert_eq!(mesh.count("SELECT count(*) FROM alerts").await, 3, "every transition is on record");
}

/// A backlog of an hour, a check every ten seconds, down where `down` says so.
fn hour(monitor: model::MonitorId, down: impl Fn(i64) -> bool) -> Vec<model::CheckResult> {
    let begin = SystemClock.now_ms() - 3_600_000;
    let check = |n: i64| {
        let slot = begin + n * INTERVAL_MS;
        model::CheckResult { started_at: slot, ..result(monitor, slot, if down(n) { Down } else { Up }) }
    };
    (0..355).map(check).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn several_outages_of_one_monitor_are_told_in_one_message_with_their_history() {
    let mesh = Mesh::new(2, 1, Told::SlackWebhook).await;
    let (over, still) = (mesh.monitor(0), mesh.monitor(1));
    // Three times four minutes, all over; and twice two minutes, then down to the end.
    mesh.produce(&hour(over, |n| [50..74, 120..144, 200..224].iter().any(|down| down.contains(&n)))).await;
    mesh.produce(&hour(still, |n| [50..62, 120..132, 300..355].iter().any(|down| down.contains(&n)))).await;
    let _alerter = mesh.alerter();
    mesh.slack.wait_taken(2, LONG).await;
    eventually("nothing waits", LONG, async || {
        (mesh.count("SELECT count(*) FROM deliveries WHERE state IN ('pending', 'sending')").await == 0).then_some(())
    })
    .await;
    let texts: Vec<_> = mesh.slack.posts().iter().map(|post| post.text().to_owned()).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    let about = |name: &str| texts.iter().find(|text| text.contains(name)).expect("a message").clone();
    assert!(about("Shop 0").contains("Was down 3 times, 12 min in all"), "{texts:?}");
    assert!(about("Shop 1").contains("Down: Shop 1"), "{texts:?}");
    assert!(about("Shop 1").contains("Was down 2 times before, 4 min in all"), "{texts:?}");
    assert_eq!(mesh.count("SELECT count(*) FROM alerts").await, 6 + 5, "every transition is on record");
    assert_eq!(mesh.count("SELECT count(*) FROM incidents").await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_when_the_provider_is_back_is_told_in_one_message() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    mesh.slack.always(testkit::SlackBehaviour::Status(503));
    let _alerter = mesh.alerter();
    for outcome in [Up, Down, Down, Up, Up, Down, Down, Up, Up] {
        mesh.all(outcome).await;
    }
    eventually("both incidents are over", LONG, async || {
        (mesh.count("SELECT count(*) FROM incidents WHERE state = 'resolved'").await == 2).then_some(())
    })
    .await;
    // While an attempt at the first is under way, it may yet be told by itself.
    eventually("one message is left of four", LONG, async || {
        (mesh.count("SELECT count(*) FROM deliveries WHERE state <> 'folded'").await == 1).then_some(())
    })
    .await;
    assert_eq!(mesh.slack.taken().len(), 0);
    mesh.slack.always(testkit::SlackBehaviour::Ok);
    mesh.slack.wait_taken(1, LONG).await;
    eventually("nothing waits", LONG, async || {
        (mesh.count("SELECT count(*) FROM deliveries WHERE state IN ('pending', 'sending')").await == 0).then_some(())
    })
    .await;
    let told = mesh.slack.taken();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].text().contains("Was down 2 times, 40 s in all"), "{}", told[0].text());
}
