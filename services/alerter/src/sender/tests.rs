//! A delivery that panics, with real PostgreSQL and a fake channel.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use directory::wire::{Channel, ChannelSettings};
use egress::{Egress, EgressConfig};
use model::{IncidentId, Millis, MonitorId, SystemClock, WorkspaceId};
use prometheus::Registry;
use service::{Env, Process};
use store::incidents::{AlertRow, AlertingCommit, DeliveryRow, IncidentRow};
use testkit::{FakeSlack, Stack, eventually};
use tokio::task::{self, Id};

use super::*;

const LONG: Duration = Duration::from_mins(1);
const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::nil());

/// A clock that panics once: when somebody other than the sender's loop asks it, which is a delivery whose message has arrived.
struct Trap {
    slack: Arc<FakeSlack>,
    sender: OnceLock<Id>,
    sprung: AtomicBool,
}

impl Clock for Trap {
    fn now_ms(&self) -> Millis {
        let delivery = self.sender.get().is_some_and(|sender| task::try_id() != Some(*sender)) && !self.slack.taken().is_empty();
        assert!(!delivery || self.sprung.swap(true, Ordering::SeqCst), "the trap");
        SystemClock.now_ms()
    }
}

fn channel(n: u128, slack: &FakeSlack) -> Channel {
    let settings = ChannelSettings::Webhook { url: slack.sink_url().into(), secret: None };
    Channel { id: ChannelId(Uuid::from_u128(n)), workspace: WORKSPACE, name: format!("c{n}"), default: true, updated_at: 1, settings }
}

/// What the judge commits when these monitors go down, each told to its channel.
async fn go_down(store: &Store, monitors: &[(u128, u128)]) {
    let now = SystemClock.now_ms();
    let id = |monitor: u128| Uuid::from_u128(monitor << 8);
    let incident = |monitor| IncidentRow {
        id: IncidentId(id(monitor)),
        monitor: MonitorId(Uuid::from_u128(monitor)),
        workspace: WORKSPACE,
        monitor_name: format!("m{monitor}"),
        target: String::new(),
        state: "open",
        sequence: 1,
        opened_at: now,
        resolved_at: None,
        cause: None,
        detail: None,
        regions: Vec::new(),
        note: None,
        acknowledged_at: None,
    };
    let alert = |monitor| AlertRow {
        id: id(monitor),
        incident: IncidentId(id(monitor)),
        kind: "opened",
        sequence: 1,
        slot: now,
        at: now,
        record_key: Vec::new(),
        record: Vec::new(),
        traceparent: None,
    };
    let delivery = |(monitor, channel)| DeliveryRow {
        id: id(monitor),
        alert: id(monitor),
        incident: IncidentId(id(monitor)),
        channel: ChannelId(Uuid::from_u128(channel)),
        channel_kind: "webhook",
        channel_name: String::new(),
        kind: "opened",
        sequence: 1,
        due_at: now,
        held_partition: None,
    };
    let commit = AlertingCommit {
        consumer: "alerter",
        topic: "results",
        owner: Uuid::nil(),
        now,
        made_at: now,
        offsets: Vec::new(),
        states: Vec::new(),
        forgotten: Vec::new(),
        incidents: monitors.iter().map(|(monitor, _)| incident(*monitor)).collect(),
        alerts: monitors.iter().map(|(monitor, _)| alert(*monitor)).collect(),
        deliveries: monitors.iter().map(|one| delivery(*one)).collect(),
        released: Vec::new(),
    };
    store.commit_alerting(&commit).await.expect("committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_panics_is_made_again_and_stops_no_other() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (stack, fake, process) = (Stack::new(), Arc::new(FakeSlack::start().await), Process::new());
    let database = stack.database().await;
    let egress = Egress::new(&EgressConfig { allowed: vec!["127.0.0.0/8".parse().expect("a network")], ..EgressConfig::default() });
    let trap = Arc::new(Trap { slack: Arc::clone(&fake), sender: OnceLock::new(), sprung: AtomicBool::new(false) });
    let catalog = Catalog::new();
    catalog.replace(vec![channel(1, &fake), channel(2, &fake)]);
    let sender = Sender {
        ctx: Context::new("alerter", Env::from_pairs([("A", "1")]), &process),
        store: database.store.clone(),
        catalog,
        channels: Channels::new(egress.expect("egress"), "https://up.example.org", &fake.api_url()),
        metrics: Metrics::register(&Registry::new()).expect("metrics"),
        clock: Arc::new(SharedClock::new(Arc::clone(&trap) as Arc<dyn Clock>)),
        decided: Arc::default(),
        owner: Uuid::from_u128(1),
        failures: Failures::default(),
    };
    // Two for one channel: the trap springs between them.
    go_down(&database.store, &[(1, 1), (2, 1)]).await;
    let running = tokio::spawn(sender.run());
    trap.sender.set(running.id()).expect("the first");
    eventually("the trap springs", LONG, async || trap.sprung.load(Ordering::SeqCst).then_some(())).await;
    go_down(&database.store, &[(3, 2)]).await;
    let others = "SELECT count(*) FROM deliveries WHERE state = 'sent' AND incident_id = '00000000-0000-0000-0000-000000000300'";
    eventually("the other channel is told", LONG, async || (database.number(others).await == 1).then_some(())).await;
    let all = "SELECT count(*) FROM deliveries WHERE state = 'sent'";
    eventually("all is told", LONG, async || (database.number(all).await == 3).then_some(())).await;
    let ids: Vec<_> = fake.taken().iter().map(|post| post.header("webhook-id").expect("an id").to_owned()).collect();
    assert_eq!(ids.len(), 4, "the message that had arrived came again, under the same id: {ids:?}");
    assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), 3);
    process.shutdown().cancel();
    running.await.expect("it ends");
    assert!(process.take_failure().is_none());
}
