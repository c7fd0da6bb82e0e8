//! Redis and PostgreSQL killed, put back by an old dump, away for a while.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use deadpool_redis::redis;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use system_tests::{Api, now};

use super::Storm;
use crate::row::Row;

/// What must not take longer once a store is back.
const SOON: Duration = Duration::from_secs(30);

impl Storm {
    /// Row 10: kill -9, then a start with what it held, or with nothing.
    pub(super) async fn redis_kills(&mut self, trials: u64, row: &mut Row) {
        for _ in 0..trials {
            row.trials += 1;
            let kept = if self.seed.chance(50) { Some(self.redis.dump().await) } else { None };
            self.redis.stop();
            let pause = Duration::from_millis(200 + self.seed.below(4000));
            self.live(pause).await;
            self.redis.resume(kept.as_deref()).await;
            row.exposed(if kept.is_some() { "kill -9, data kept" } else { "kill -9, data lost" });
            let pause = Duration::from_millis(2000 + self.seed.below(4000));
            self.live(pause).await;
        }
        self.api = self.mesh.login().await;
    }

    /// Row 11: Redis is put back to what it held `age` ago. A monitor that is paused meanwhile gets no new
    /// result that would put it right by itself.
    pub(super) async fn redis_dump(&mut self, age: Duration, row: &mut Row) {
        row.trials += 1;
        let dump = self.redis.dump().await;
        self.live(age).await;
        // One that is up: a pause closes an incident, and its end may open another.
        let up: Vec<_> =
            self.monitors.iter().filter(|(name, _)| !self.flipped.get(name).is_some_and(|flipped| flipped.0)).cloned().collect();
        let (name, id) = self.seed.pick(&up).clone();
        let paused = self.api.send(Method::POST, &format!("/api/monitors/{id}/pause"), None).await;
        row.require(paused.status < 300, || format!("{name} was not paused: {} {}", paused.status, paused.body));
        // Its last result is on its way.
        self.live(Duration::from_secs(4)).await;
        let before = self.live_slot(&id).await;
        self.redis.stop();
        self.redis.resume(Some(&dump)).await;
        let rolled_back = self.live_slot(&id).await;
        if rolled_back < before {
            row.exposed(&format!("dump {} s old", age.as_secs()));
        }
        let began = Instant::now();
        while self.live_slot(&id).await != before && began.elapsed() < SOON {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let after = self.live_slot(&id).await;
        row.require(after == before, || {
            format!("I5, {name}, paused: Redis went back from {before:?} to {rolled_back:?} and stays at {after:?}")
        });
        row.compared = format!("{}a paused monitor's state back after {} ms; ", row.compared, began.elapsed().as_millis());
        let resumed = self.api.send(Method::POST, &format!("/api/monitors/{id}/resume"), None).await;
        row.require(resumed.status < 300, || format!("{name} was not resumed: {} {}", resumed.status, resumed.body));
        self.live(Duration::from_secs(4)).await;
        self.api = self.mesh.login().await;
    }

    /// The newest slot Redis shows of a monitor.
    async fn live_slot(&self, id: &str) -> Option<i64> {
        let client = redis::Client::open(self.redis.url()).expect("a Redis URL");
        let mut connection = client.get_multiplexed_async_connection().await.expect("Redis");
        let key = format!("{}:live:{id}", self.mesh.stack.redis_prefix);
        let json: Option<String> = redis::cmd("HGET").arg(key).arg("local").query_async(&mut connection).await.expect("live state");
        serde_json::from_str::<Value>(&json?).ok()?["slot"].as_i64()
    }

    /// Row 12: checks go on; whoever asks gets an answer from PostgreSQL that says how old it is.
    pub(super) async fn redis_away(&mut self, time: Duration, row: &mut Row) {
        row.trials += 1;
        let paths: Vec<String> = ["/api/monitors?limit=50".to_owned(), "/api/incidents".to_owned()]
            .into_iter()
            .chain(self.monitors.iter().take(20).flat_map(|(_, id)| {
                let window = format!("from={}&to={}", now() - 600_000, now());
                [
                    format!("/api/monitors/{id}"),
                    format!("/api/monitors/{id}/checks?{window}"),
                    format!("/api/monitors/{id}/uptime?{window}"),
                ]
            }))
            .collect();
        // Both gateways know the session.
        for path in paths.iter().take(4) {
            self.api.get(path).await;
        }
        let began = now();
        self.redis.stop();
        let stop = Arc::new(AtomicBool::new(false));
        let askers: Vec<_> = (0..3).map(|n| tokio::spawn(ask(self.api.clone(), paths.clone(), n, Arc::clone(&stop)))).collect();
        self.live(time).await;
        stop.store(true, Ordering::Relaxed);
        let mut times = Vec::new();
        for asker in askers {
            let (took, bad) = asker.await.expect("the asker ends");
            times.extend(took);
            for bad in bad {
                row.violated(bad);
            }
        }
        let ended = now();
        self.redis.resume(None).await;
        if times.len() > 10 {
            row.exposed(&format!("Redis away {} s", time.as_secs()));
        }
        times.sort_unstable();
        let p99 = times.get(times.len() * 99 / 100).copied().unwrap_or_default();
        let (due, run) = self.executed(began, ended - 1000).await;
        row.require(run * 1000 >= due * 999, || format!("only {run} of {due} slots were checked while Redis was away"));
        row.compared =
            format!("{}{} answers, p99 {} ms, {run} of {due} slots checked meanwhile; ", row.compared, times.len(), p99.as_millis());
        self.live(Duration::from_secs(3)).await;
        self.api = self.mesh.login().await;
    }

    /// Row 13: `pg_ctl stop -m immediate`, at any moment or while a transaction stands in the middle.
    pub(super) async fn postgres_stops(&mut self, trials: u64, longest: Duration, row: &mut Row) {
        let first = self.seed.below(3);
        for n in 0..trials {
            row.trials += 1;
            let place = match (first + n) % 3 {
                0 => self.held_up("history_blocks", "SELECT FROM history_blocks WHERE hour > now() - interval '2 hours' FOR UPDATE").await,
                1 => self.held_up("consumer_offsets", "SELECT FROM consumer_offsets FOR UPDATE").await,
                _ => {
                    let pause = Duration::from_millis(self.seed.below(2000));
                    self.live(pause).await;
                    Some("any moment")
                }
            };
            let from = Instant::now();
            self.postgres().stop_hard().await;
            let pause = Duration::from_millis(self.seed.below(2500));
            self.live(pause).await;
            self.postgres().resume().await;
            self.unsure.push((from, Instant::now()));
            match place {
                Some(place) => row.exposed(place),
                None => *row.places.entry("nothing was held up".to_owned()).or_default() += 1,
            }
            self.live(Duration::from_secs(3)).await;
        }
        if longest.is_zero() {
            return;
        }
        row.trials += 1;
        let from = Instant::now();
        self.postgres().stop_hard().await;
        self.live(longest).await;
        self.postgres().resume().await;
        self.unsure.push((from, Instant::now()));
        row.exposed(&format!("away {} s", longest.as_secs()));
        let began = Instant::now();
        let drained = self.committed_to_the_end(SOON).await;
        row.require(drained, || "the backlog is not drained after 30 s".to_owned());
        row.compared = format!("{}the backlog of {} s drained in {} ms; ", row.compared, longest.as_secs(), began.elapsed().as_millis());
    }

    fn postgres(&mut self) -> &mut system_tests::Postgres {
        self.postgres.as_mut().expect("this mesh has a PostgreSQL of its own")
    }

    /// Waits until a service stands in the middle of a transaction, held up by a lock of ours. The lock is
    /// ours until the server is gone.
    async fn held_up(&mut self, table: &'static str, lock: &'static str) -> Option<&'static str> {
        let url = self.mesh.stack.database().await.url.clone();
        let mut ours = PgConnection::connect(&url).await.ok()?;
        let mut watcher = PgConnection::connect(&url).await.ok()?;
        sqlx::query("BEGIN").execute(&mut ours).await.ok()?;
        sqlx::query(lock).execute(&mut ours).await.ok()?;
        let began = Instant::now();
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid()";
        while began.elapsed() < Duration::from_secs(8) {
            if sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut watcher).await.ok()? > 0 {
                // Dropped only now, with the server: let the connection outlive this call.
                std::mem::forget(ours);
                return Some(if table == "history_blocks" { "in the middle of a flush" } else { "in the middle of the alerter's commit" });
            }
            self.live(Duration::from_millis(20)).await;
        }
        None
    }

    /// Whether both consumers come to the end the log has now.
    pub(super) async fn committed_to_the_end(&self, patience: Duration) -> bool {
        let config = kafka::KafkaConfig::new(&self.mesh.kafka, "faults");
        let topic = self.mesh.stack.topics().results;
        let Ok(ends) = kafka::end_offsets(&config, &topic, SOON).await else { return false };
        let began = Instant::now();
        while began.elapsed() < patience {
            let committed = kafka::committed_offsets(&config, &self.mesh.group("processor"), &topic, SOON).await.unwrap_or_default();
            let reached = ends.iter().zip(&committed).all(|(end, committed)| committed.unwrap_or(0) >= *end);
            if reached && !committed.is_empty() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        false
    }
}

/// Asks on and on: how long each answer took, and which were no good, at most a few.
async fn ask(api: Api, paths: Vec<String>, mut n: usize, stop: Arc<AtomicBool>) -> (Vec<Duration>, Vec<String>) {
    let (mut times, mut bad) = (Vec::new(), BTreeMap::new());
    let since = Instant::now();
    while !stop.load(Ordering::Relaxed) && bad.len() < 5 {
        let path = &paths[n % paths.len()];
        n += 7;
        let begin = Instant::now();
        let answer = api.try_raw(Method::GET, path, None).await;
        times.push(begin.elapsed());
        let name = path.split(['?']).next().unwrap_or_default().to_owned();
        match answer {
            Ok(answer) if answer.status >= 500 => drop(bad.insert(name, format!("{path}: {} {}", answer.status, answer.body))),
            Ok(answer) => {
                // Answers made before the outage are shared for a moment.
                let told = tells_age(path, &answer.body);
                if !told && since.elapsed() > Duration::from_secs(3) {
                    bad.insert(name, format!("{path} does not say how old it is: {}", short(&answer.body)));
                }
            }
            Err(error) => drop(bad.insert(name, format!("{path}: no answer after {:?}: {error:?}", begin.elapsed()))),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (times, bad.into_values().collect())
}

/// Lists, checks and windows carry a flag; a single monitor its newest check, and a state that is not up
/// unless that is fresh.
fn tells_age(path: &str, body: &Value) -> bool {
    if path.starts_with("/api/incidents") {
        return true;
    }
    if path.contains('?') {
        return body["stale"] == true;
    }
    let last = body["status"]["last_check"].as_i64().unwrap_or(0);
    let fresh = now() - last < 60_000;
    body["status"]["state"] != json!("up") || fresh
}

fn short(body: &Value) -> String {
    body.to_string().chars().take(200).collect()
}
