//! The feed that replicas follow: a snapshot, then deltas, with tombstones, whatever is changed meanwhile.

use std::collections::BTreeMap;

use serde_json::Value;
use testkit::Stack;

use crate::mesh::{EMAIL, Replica, spec};

/// Applies a page to what a replica knows; gives the revision to go on from and whether more waits.
fn apply(known: &mut BTreeMap<String, i64>, page: &Value) -> (i64, bool) {
    for monitor in page["monitors"].as_array().expect("monitors") {
        known.insert(monitor["id"].as_str().expect("an id").to_owned(), monitor["revision"].as_i64().expect("a revision"));
    }
    for gone in page["deleted"].as_array().expect("deleted") {
        known.remove(gone["id"].as_str().expect("an id"));
    }
    (page["revision"].as_i64().expect("a revision"), page["more"].as_bool().expect("more"))
}

async fn follow(replica: &Replica, known: &mut BTreeMap<String, i64>, mut since: i64, limit: u32) -> i64 {
    loop {
        let (revision, more) = apply(known, &replica.feed(&format!("since={since}&limit={limit}")).await);
        assert!(revision >= since, "revisions never go back");
        since = revision;
        if !more {
            return since;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_the_feed_knows_what_is_there_and_nothing_else() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    let (client, workspace) = (&replica.client, replica.workspace().await);
    let mut ids = Vec::new();
    for n in 0..25 {
        ids.push(replica.create(workspace, &format!("monitor {n}")).await.id);
    }
    let mut known = BTreeMap::new();
    let since = follow(&replica, &mut known, 0, 4).await;
    assert_eq!(known.len(), 25);
    assert_eq!(follow(&replica, &mut known, since, 4).await, since, "nothing new");

    client.delete_monitor(EMAIL, workspace, ids[3]).await.expect("deleted");
    client.pause_monitor(EMAIL, workspace, ids[4]).await.expect("paused");
    replica.create(workspace, "a late one").await;
    let after = follow(&replica, &mut known, since, 1).await;
    assert!(after > since);
    assert_eq!(known.len(), 25);
    assert!(!known.contains_key(&ids[3].to_string()));
    let mut fresh = BTreeMap::new();
    follow(&replica, &mut fresh, 0, 1000).await;
    assert_eq!(fresh, known, "a snapshot and the deltas come to the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_in_the_midst_of_writers_misses_nothing() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let (one, two) = (Replica::start(&stack, &[]).await, Replica::start(&stack, &[]).await);
    let workspace = one.workspace().await;
    let write = |replica: &'static str| {
        let client = if replica == "one" { one.client.clone() } else { two.client.clone() };
        tokio::spawn(async move {
            for n in 0..60 {
                let monitor = client.create_monitor(EMAIL, workspace, &spec(&format!("{replica} {n}"))).await.expect("created");
                if n % 4 == 0 {
                    client.delete_monitor(EMAIL, workspace, monitor.id).await.expect("deleted");
                }
            }
        })
    };
    let (first, second) = (write("one"), write("two"));
    let mut known = BTreeMap::new();
    let mut since = 0;
    while !(first.is_finished() && second.is_finished()) {
        since = follow(&two, &mut known, since, 7).await;
    }
    first.await.expect("written");
    second.await.expect("written");
    follow(&one, &mut known, since, 7).await;
    let mut fresh = BTreeMap::new();
    follow(&one, &mut fresh, 0, 5000).await;
    assert_eq!(known, fresh);
    assert_eq!(known.len(), 90);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_leaves_a_region_is_gone_for_its_pingers() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    let workspace = replica.workspace().await;
    let mut both = spec("both");
    both.regions = ["eu", "us"].map(|name| name.parse().expect("a region")).to_vec();
    let monitor = replica.client.create_monitor(EMAIL, workspace, &both).await.expect("created");
    let page = replica.feed("since=0&region=us").await;
    assert_eq!(page["monitors"].as_array().map(Vec::len), Some(1));
    let since = page["revision"].as_i64().expect("a revision");
    both.regions.truncate(1);
    replica.client.update_monitor(EMAIL, workspace, monitor.id, &both, None).await.expect("updated");
    let page = replica.feed(&format!("since={since}&region=us")).await;
    assert_eq!(page["deleted"][0]["id"], monitor.id.to_string(), "{page}");
    assert_eq!(replica.feed("since=0&region=eu").await["monitors"].as_array().map(Vec::len), Some(1));
}
