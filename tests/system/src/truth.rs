//! What should be there and what is: slots due by the configuration against slots in history, and
//! everything derived as one comparable text.

use std::collections::{BTreeMap, BTreeSet};

use deadpool_redis::redis;
use model::schedule::{Schedule, segment_windows};
use model::{Millis, Monitor, MonitorId, Region, Slot};
use sqlx::Connection;

use crate::api::Api;
use crate::mesh::Mesh;

/// The slots of one monitor in one region up to some instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    pub due: BTreeSet<Slot>,
    /// Slot to outcome, as the API tells it.
    pub told: BTreeMap<Slot, String>,
}

impl Slots {
    /// Counts what was due from the configuration that users serves, and asks the gateway for what was recorded.
    pub async fn of(mesh: &Mesh, api: &Api, id: &str, until: Millis) -> Self {
        let monitor = configured(mesh, id).await;
        let region: Region = "local".parse().expect("a region");
        let from = monitor.segments.first().map_or(until, |segment| segment.from);
        let due = segment_windows(&monitor.segments, from, until)
            .filter(|(segment, ..)| segment.active && segment.regions.contains(&region))
            .flat_map(|(segment, start, end)| Schedule::new(monitor.id, &region, segment.interval_ms).slots(start, end).collect::<Vec<_>>())
            .collect();
        let told = api.checks(id, from, until).await;
        let distinct: BTreeMap<Slot, String> = told.iter().cloned().collect();
        assert_eq!(distinct.len(), told.len(), "a slot of {id} is told twice: {told:?}");
        Self { due, told: distinct }
    }

    /// Due and not told.
    pub fn absent(&self) -> Vec<Slot> {
        self.due.iter().filter(|slot| !self.told.contains_key(slot)).copied().collect()
    }

    /// Told and not due. The first check of a new monitor is of the slot before it was made: that lies before what is asked for.
    pub fn phantom(&self) -> Vec<Slot> {
        self.told.keys().filter(|slot| !self.due.contains(slot)).copied().collect()
    }

    pub fn count(&self, outcome: &str) -> usize {
        self.told.values().filter(|told| *told == outcome).count()
    }
}

/// A monitor as users tells it to the other services.
pub async fn configured(mesh: &Mesh, id: &str) -> Monitor {
    let id: MonitorId = id.parse().expect("an id");
    all_configured(mesh).await.into_iter().find(|monitor| monitor.id == id).expect("users knows the monitor")
}

/// All of them.
pub async fn all_configured(mesh: &Mesh) -> Vec<Monitor> {
    let api = Api::anonymous(mesh.users).with_token(testkit::INTERNAL_KEY);
    let answer = api.get("/internal/monitors?since=0&limit=5000").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_value(answer.body["monitors"].clone()).expect("monitors")
}

/// History in PostgreSQL and live state in Redis, in an order of their own, so that two can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump {
    /// Table to rows as text.
    pub rows: BTreeMap<String, Vec<String>>,
    /// Key without the prefix to its value.
    pub keys: BTreeMap<String, String>,
}

/// What the processor derives from the log. `history_days` is not among it: it counts the flushes that wrote to a day, and how
/// many records share a flush is chance.
const TABLES: [&str; 2] = ["history_blocks", "day_rollups"];
const KEYS: [&str; 3] = ["live", "block", "hours"];

impl Dump {
    pub async fn take(mesh: &Mesh) -> Self {
        Self { rows: rows(mesh).await, keys: keys(mesh).await }
    }

    /// Nothing compared equals nothing: a dump that proves something holds some of each table, and keys.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() || self.rows.values().any(Vec::is_empty)
    }
}

async fn rows(mesh: &Mesh) -> BTreeMap<String, Vec<String>> {
    let database = mesh.stack.database().await;
    // Roll-ups are made by the clock: whether one came by is not what is compared.
    database.store.roll_up().await.expect("roll-ups");
    let mut connection = sqlx::PgConnection::connect(&database.url).await.expect("PostgreSQL");
    let mut all = BTreeMap::new();
    for table in TABLES {
        let sql = format!("SELECT t::text FROM {table} t ORDER BY 1");
        let rows = sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await.expect("rows");
        all.insert(table.to_owned(), rows);
    }
    all
}

async fn keys(mesh: &Mesh) -> BTreeMap<String, String> {
    let client = redis::Client::open(mesh.stack.redis_url.as_str()).expect("a Redis URL");
    let mut redis = client.get_multiplexed_async_connection().await.expect("Redis");
    let mut all = BTreeMap::new();
    for kind in KEYS {
        let start = format!("{}:", mesh.stack.redis_prefix);
        let found: Vec<String> = redis::cmd("KEYS").arg(format!("{start}{kind}:*")).query_async(&mut redis).await.expect("keys");
        for key in found {
            let value = if kind == "block" {
                let bytes: Vec<u8> = redis::cmd("GET").arg(&key).query_async(&mut redis).await.expect("a block");
                format!("{bytes:02x?}")
            } else {
                let fields: BTreeMap<String, String> = redis::cmd("HGETALL").arg(&key).query_async(&mut redis).await.expect("a hash");
                format!("{fields:?}")
            };
            all.insert(key[start.len()..].to_owned(), value);
        }
    }
    all
}
