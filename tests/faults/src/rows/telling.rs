//! Alerters that live: away for an hour, one beside several, how fast they tell. Results are written to the log as a pinger
//! would; a signed webhook keeps what was told, one message each.

mod absence;
mod latency;
mod replicas;

use std::collections::BTreeMap;

use directory::Client;
use events::IncidentEvent;
use model::alerting::incident_id;
use model::{CheckResult, MonitorId, MonitorSpec, Outcome, Slot, WorkspaceId};
use sqlx::Row as _;
use system_tests::{Mesh, Plan, Service, monitor};
use testkit::FakeSlack;
use uuid::Uuid;

use crate::log::{Writer, result};
use crate::rows::alerts::copies::{Copy, OPENED, RESOLVED, copies};
use crate::users;

pub use absence::absence;
pub use latency::latency;
pub use replicas::replicas;

/// Users, some alerters and a channel.
struct Telling {
    mesh: Mesh,
    sink: FakeSlack,
    writer: Writer,
    client: Client,
    workspace: WorkspaceId,
}

/// One monitor's verdicts, slot by slot.
type Verdicts = Vec<(Slot, bool)>;

impl Telling {
    async fn start(replicas: usize) -> Self {
        let sink = FakeSlack::start().await;
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let settings = vec![
            set("WEBHOOK_URL", &sink.sink_url()),
            set("WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            set("RUST_LOG", "warn"),
        ];
        let mesh = Mesh::start(Plan { services: vec![Service::Users, Service::Alerter], replicas, settings, ..Plan::default() }).await;
        let writer = Writer::new(&mesh.kafka, &mesh.stack.topics().results);
        let (client, workspace) = users::client(&mesh, None).await;
        Self { mesh, sink, writer, client, workspace }
    }

    /// So many new ones, by name.
    async fn monitors(&self, prefix: &str, count: usize) -> BTreeMap<String, MonitorId> {
        let mut made = BTreeMap::new();
        for n in 0..count {
            let name = format!("{prefix}{n}");
            let spec: MonitorSpec = serde_json::from_value(monitor(&name, &format!("http://127.0.0.1:9/{name}"))).expect("a spec");
            let monitor = self.client.create_monitor("faults", self.workspace, &spec).await.expect("a monitor");
            made.insert(name, monitor.id);
        }
        made
    }

    /// Every alert that was decided: its id, with the monitor and the kind.
    async fn alerts(&self) -> BTreeMap<Uuid, (MonitorId, String)> {
        let pool = self.mesh.stack.database().await.store.pool();
        let rows = sqlx::query("SELECT a.id, a.kind, i.monitor_id FROM alerts a JOIN incidents i ON i.id = a.incident_id");
        let rows = rows.fetch_all(pool).await.expect("alerts");
        rows.iter().map(|row| (row.get("id"), (MonitorId(row.get("monitor_id")), row.get("kind")))).collect()
    }

    /// What the channel took, by monitor, in order.
    fn told(&self) -> BTreeMap<String, Vec<Copy>> {
        let mut told: BTreeMap<String, Vec<Copy>> = BTreeMap::new();
        for copy in self.sink.taken().iter().flat_map(copies) {
            told.entry(copy.monitor.clone()).or_default().push(copy);
        }
        told
    }
}

/// The alerts that these verdicts make, each failure opening and each success closing.
fn transitions(monitor: MonitorId, verdicts: &Verdicts) -> Vec<(Uuid, &'static str)> {
    let mut found = Vec::new();
    let mut open = None;
    for (slot, up) in verdicts {
        match (open, up) {
            (None, false) => {
                let incident = incident_id(monitor, *slot);
                open = Some(incident);
                found.push((IncidentEvent::event_id(incident, 1), OPENED));
            }
            (Some(incident), true) => {
                open = None;
                found.push((IncidentEvent::event_id(incident, 2), RESOLVED));
            }
            _ => {}
        }
    }
    found
}

fn verdict(monitor: MonitorId, slot: Slot, up: bool) -> CheckResult {
    result(monitor, slot, if up { Outcome::Up } else { Outcome::Down }, 1000)
}
