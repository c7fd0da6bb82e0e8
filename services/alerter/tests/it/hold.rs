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
