//! Monitors: created, changed, switched, deleted, each with a revision; two people at once.

use model::{MonitorSpec, Region, WorkspaceId};
use serde_json::json;
use testkit::Stack;
use uuid::Uuid;

use crate::mesh::{EMAIL, Replica, refused, spec};

#[tokio::test(flavor = "multi_thread")]
async fn every_change_has_a_revision_of_its_own_and_no_change_has_none() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    let (client, workspace) = (&replica.client, replica.workspace().await);
    let created = replica.create(workspace, "shop").await;
    let same = client.update_monitor(EMAIL, workspace, created.id, &spec("shop"), None).await.expect("updated");
    assert_eq!(same.revision, created.revision, "nothing changed");
    let mut slower = spec("shop");
    slower.interval_seconds = 60;
    let updated = client.update_monitor(EMAIL, workspace, created.id, &slower, Some(created.revision)).await.expect("updated");
    assert!(updated.revision > created.revision);
    let intervals: Vec<_> = updated.segments.iter().map(|segment| segment.interval_ms).collect();
    assert_eq!(intervals, [10_000, 60_000], "slots due before the change stay due as they were");
    let paused = client.pause_monitor(EMAIL, workspace, created.id).await.expect("paused");
    assert!(paused.spec.paused && paused.revision > updated.revision);
    assert_eq!(client.pause_monitor(EMAIL, workspace, created.id).await.expect("paused").revision, paused.revision);
    let resumed = client.resume_monitor(EMAIL, workspace, created.id).await.expect("resumed");
    assert!(!resumed.spec.paused);
    client.delete_monitor(EMAIL, workspace, created.id).await.expect("deleted");
    assert_eq!(refused(client.monitor(workspace, created.id).await).status, 404);
    assert_eq!(refused(client.delete_monitor(EMAIL, workspace, created.id).await).status, 404);
    let trail = stack.database().await.text("SELECT string_agg(action, ' ' ORDER BY id) FROM audit_log WHERE actor LIKE 'admin@%'").await;
    assert_eq!(trail, "monitor.created monitor.updated monitor.paused monitor.resumed monitor.deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_fits_where_nobody_gave_one_and_is_never_changed_where_it_stands() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    let (client, workspace) = (&replica.client, replica.workspace().await);
    let every = |seconds: u32| -> MonitorSpec {
        let spec = json!({"name": "shop", "probe": {"kind": "http", "url": "http://127.0.0.1:9/"}, "interval_seconds": seconds});
        serde_json::from_value(spec).expect("a spec")
    };
    let created = client.create_monitor(EMAIL, workspace, &every(60)).await.expect("created");
    assert_eq!(created.spec.timeout_ms, 10_000);
    // Read, changed, sent back: the timeout that stands is now one that was given.
    let faster = MonitorSpec { interval_seconds: 10, ..created.spec.clone() };
    let refusal = refused(client.update_monitor(EMAIL, workspace, created.id, &faster, None).await);
    assert_eq!((refusal.status, refusal.errors[0].field.as_str()), (422, "timeout_ms"));
    assert!(refusal.errors[0].message.contains("lower the timeout or lengthen the interval"), "{refusal:?}");
    let left_out = client.update_monitor(EMAIL, workspace, created.id, &every(10), None).await.expect("updated");
    assert_eq!(left_out.spec.timeout_ms, 9000);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_people_who_change_the_same_monitor_the_second_is_told() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    let (client, workspace) = (&replica.client, replica.workspace().await);
    let monitor = replica.create(workspace, "shop").await;
    let changes = ["first", "second", "third"].map(spec);
    let [a, b, c] = &changes;
    let tries = tokio::join!(
        client.update_monitor("a@upmesh.test", workspace, monitor.id, a, Some(monitor.revision)),
        client.update_monitor("b@upmesh.test", workspace, monitor.id, b, Some(monitor.revision)),
        client.update_monitor("c@upmesh.test", workspace, monitor.id, c, Some(monitor.revision)),
    );
    let (won, lost): (Vec<_>, Vec<_>) = [tries.0, tries.1, tries.2].into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 2));
    for one in lost {
        assert_eq!(refused(one).status, 412);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_regions_a_new_monitor_gets_the_meshs_and_an_old_one_stays() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let (eu, us): (Region, Region) = ("eu".parse().expect("a region"), "us".parse().expect("a region"));
    let replica = Replica::start(&stack, &[("REGION", "eu")]).await;
    let workspace = replica.workspace().await;
    let made = replica.create(workspace, "shop").await;
    assert_eq!(made.spec.regions, std::slice::from_ref(&eu));
    assert_eq!(made.segments[0].regions, std::slice::from_ref(&eu), "it is checked there");

    // Where it was meanwhile sent elsewhere, a change that names no region leaves it there.
    let moved = MonitorSpec { regions: vec![us.clone()], ..spec("shop") };
    let moved = replica.client.update_monitor(EMAIL, workspace, made.id, &moved, None).await.expect("moved");
    let slower = MonitorSpec { interval_seconds: 60, ..spec("shop") };
    let slower = replica.client.update_monitor(EMAIL, workspace, made.id, &slower, None).await.expect("slower");
    assert_eq!(slower.spec.regions, moved.spec.regions);

    let second = Replica::start(&stack, &[("REGION", "eu"), ("DEFAULT_REGIONS", "us,asia")]).await;
    let made = second.create(workspace, "bar").await;
    assert_eq!(made.spec.regions, ["asia".parse().expect("a region"), us]);
    assert_eq!(second.client.monitor(workspace, slower.id).await.expect("a monitor").spec.regions, slower.spec.regions);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_not_there_is_refused_and_one_that_went_is_no_reason_to() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let told = |name: &str, channels: &[&str]| {
        let mut spec = spec(name);
        spec.alert.channels = channels.iter().map(|channel| (*channel).to_owned()).collect();
        spec
    };
    let both = [("SLACK_WEBHOOK_URL", "http://127.0.0.1:9/hook"), ("WEBHOOK_URL", "http://127.0.0.1:9/sink")];
    let replica = Replica::start(&stack, &both).await;
    let (client, workspace) = (&replica.client, replica.workspace().await);
    let refusal = refused(client.create_monitor(EMAIL, workspace, &told("shop", &["Slack", "Pager"])).await);
    assert_eq!(refusal.status, 422);
    let [error] = refusal.errors.as_slice() else { panic!("{refusal:?}") };
    assert_eq!(error.field, "alert.channels[1]");
    assert!(error.message.contains(r#""Pager" is no channel: use "Slack" or "Webhook""#), "{}", error.message);

    let made = client.create_monitor(EMAIL, workspace, &told("shop", &["Slack"])).await.expect("a known channel");
    let refusal = refused(client.update_monitor(EMAIL, workspace, made.id, &told("shop", &["Slack", "Pager"]), None).await);
    assert_eq!(refusal.errors[0].field, "alert.channels[1]");

    // The environment names no Slack any more: the alerter falls back, and the monitor can still be changed and switched.
    let bare = Replica::start(&stack, &[]).await;
    let mut slower = told("shop", &["Slack"]);
    slower.interval_seconds = 60;
    bare.client.update_monitor(EMAIL, workspace, made.id, &slower, None).await.expect("another interval");
    bare.client.pause_monitor(EMAIL, workspace, made.id).await.expect("paused");
    bare.client.resume_monitor(EMAIL, workspace, made.id).await.expect("resumed");
    let refusal = refused(bare.client.create_monitor(EMAIL, workspace, &told("bar", &["Slack"])).await);
    assert!(refusal.errors[0].message.contains("there are none yet"), "{refusal:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_unique_while_they_are_used_and_workspaces_are_apart() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    let (client, workspace) = (&replica.client, replica.workspace().await);
    let first = replica.create(workspace, "shop").await;
    assert_eq!(refused(client.create_monitor(EMAIL, workspace, &spec("shop")).await).status, 409);
    let stranger = WorkspaceId(Uuid::from_u128(7));
    assert_eq!(refused(client.create_monitor(EMAIL, stranger, &spec("shop")).await).status, 404);
    assert_eq!(refused(client.monitor(stranger, first.id).await).status, 404, "an id of another workspace names nothing");
    assert_eq!(refused(client.delete_monitor(EMAIL, stranger, first.id).await).status, 404);
    client.delete_monitor(EMAIL, workspace, first.id).await.expect("deleted");
    let again = replica.create(workspace, "shop").await;
    assert_ne!(again.id, first.id);
}
