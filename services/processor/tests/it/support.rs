use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use cache::redis;
use events::Topics;
use kafka::{KafkaConfig, Producer, Record};
use model::history::{HOUR_MS, hour_of};
use model::{CheckResult, Clock, Millis, MonitorId, Outcome, Phases, Region, SystemClock};
use service::{Context, Env, Process};
use testkit::Stack;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// One run of the processor on a runtime of its own, so that it can be killed.
pub struct Running {
    process: Process,
    runtime: Runtime,
    task: JoinHandle<Result<(), service::Error>>,
}

impl Running {
    pub async fn start(stack: &Stack, overrides: &[(&str, &str)]) -> Self {
        let mut environment: HashMap<String, String> = stack.environment().await;
        environment.insert("FLUSH_SECONDS".to_owned(), "0.3".to_owned());
        environment.extend(overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let process = Process::new();
        let ctx = Context::new("processor", Env::from_map(environment), &process);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
        let task = runtime.spawn({
            let process = process.clone();
            async move { service::run(&process, std::slice::from_ref(&ctx), processor::start(ctx.clone())).await }
        });
        Self { process, runtime, task }
    }

    /// As SIGTERM: drains.
    pub async fn stop(self) {
        self.process.shutdown().cancel();
        let ended = tokio::time::timeout(Duration::from_secs(20), self.task).await.expect("drained in time");
        self.runtime.shutdown_background();
        ended.expect("no panic").expect("no failure");
    }

    /// As SIGKILL: nothing runs any more, wherever it was.
    pub fn kill(self) {
        self.runtime.shutdown_background();
    }
}

pub fn region(name: &str) -> Region {
    name.parse().expect("a region")
}

pub fn result(monitor: u128, region_name: &str, slot: Millis, outcome: Outcome, latency_us: Option<u32>) -> CheckResult {
    CheckResult {
        monitor: MonitorId(Uuid::from_u128(monitor)),
        region: region(region_name),
        slot,
        interval_ms: 60_000,
        outcome,
        cause: None,
        detail: None,
        latency_us,
        phases: Phases { connect_us: Some(400), first_byte_us: Some(9_000), ..Phases::default() },
        status: Some(200),
        certificate_expires_at: None,
        attempts: 1,
        started_at: slot + 3,
        epoch: 1,
        pinger: "pinger-1".to_owned(),
        revision: 1,
        suspect: false,
    }
}

/// Results of the last two hours, some slots reported twice and differently.
pub fn results(monitors: u128) -> Vec<CheckResult> {
    let start = hour_of(SystemClock.now_ms()) - HOUR_MS;
    let mut all = Vec::new();
    for n in 0..60_u32 {
        for monitor in 0..monitors {
            for region in ["eu", "us"] {
                let slot = start + i64::from(n) * 60_000 + i64::try_from(monitor).expect("small");
                let outcome = if n % 17 == 3 { Outcome::Down } else { Outcome::Up };
                all.push(result(monitor, region, slot, outcome, Some(20_000 + n * 150)));
                if n % 11 == 0 {
                    all.push(result(monitor, region, slot, Outcome::Missed, None));
                    all.push(result(monitor, region, slot, Outcome::Up, Some(90_000)));
                }
            }
        }
    }
    all
}

pub fn producer(stack: &Stack) -> Producer {
    Producer::new(&KafkaConfig::new(&stack.kafka_brokers, "test")).expect("producer")
}

pub async fn produce(producer: &Producer, topics: &Topics, results: &[CheckResult]) {
    let topic: Arc<str> = topics.results.as_str().into();
    let mut acks = Vec::new();
    for result in results {
        let value = events::encode_result(result).expect("JSON");
        acks.push(producer.send(Record::new(Arc::clone(&topic), result.monitor.to_string(), value)).expect("queued"));
    }
    for ack in acks {
        ack.await.expect("acknowledged");
    }
}

/// Everything in `history_blocks`, as text.
pub async fn history(stack: &Stack) -> Vec<String> {
    let sql = "SELECT format('%s %s %s %s/%s/%s/%s/%s/%s %s %s %s %s ', monitor_id, hour AT TIME ZONE 'UTC', region, up, degraded, down, unknown,
               missed, maintenance, p50_us, p95_us, p99_us, max_us) || encode(block, 'hex') FROM history_blocks ORDER BY monitor_id, hour, region";
    sqlx::query_scalar(sql).fetch_all(stack.database().await.store.pool()).await.expect("rows")
}

/// Everything in `day_rollups`, as text.
pub async fn rollups(stack: &Stack) -> Vec<String> {
    let sql = "SELECT day_rollups::text FROM day_rollups ORDER BY 1";
    sqlx::query_scalar(sql).fetch_all(stack.database().await.store.pool()).await.expect("rows")
}

/// As [`produce`], each record as old as its check.
pub async fn produce_then(producer: &Producer, topics: &Topics, results: &[CheckResult]) {
    let topic: Arc<str> = topics.results.as_str().into();
    let mut acks = Vec::new();
    for result in results {
        let value = events::encode_result(result).expect("JSON");
        let record = Record::new(Arc::clone(&topic), result.monitor.to_string(), value).at(result.slot + 5);
        acks.push(producer.send(record).expect("queued"));
    }
    for ack in acks {
        ack.await.expect("acknowledged");
    }
}

pub async fn checks_in_history(stack: &Stack) -> i64 {
    let sql = "SELECT coalesce(sum(up + degraded + down + unknown + missed + maintenance), 0)::bigint FROM history_blocks";
    sqlx::query_scalar(sql).fetch_one(stack.database().await.store.pool()).await.expect("sum")
}

/// Every key of this test's Redis with its content, the sentinels aside; keys without the prefix, of the
/// generation that is shown.
pub async fn live(stack: &Stack) -> BTreeMap<String, Vec<(Vec<u8>, Vec<u8>)>> {
    let cache = stack.cache().await;
    let shown = cache.live_generation().await.expect("the generation");
    let prefix = if shown.is_empty() { stack.redis_prefix.clone() } else { format!("{}:{shown}", stack.redis_prefix) };
    let pattern = format!("{prefix}:*");
    let keys: Vec<String> = cache.query(redis::cmd("KEYS").arg(&pattern)).await.expect("keys");
    let mut all = BTreeMap::new();
    for key in keys {
        let short = key[prefix.len() + 1..].to_owned();
        let sentinel = ["generation", "restored", "owed", "live-generation", "staged-generation"].contains(&short.as_str());
        // What a replay staged that never was shown.
        let staged = short.starts_with('r') && short.find(':') == Some(13);
        if sentinel || staged {
            continue;
        }
        let kind: String = cache.query(redis::cmd("TYPE").arg(&key)).await.expect("type");
        let mut content: Vec<(Vec<u8>, Vec<u8>)> = match kind.as_str() {
            "hash" => cache.query::<HashMap<Vec<u8>, Vec<u8>>>(redis::cmd("HGETALL").arg(&key)).await.expect("hash").into_iter().collect(),
            _ => vec![(Vec::new(), cache.query(redis::cmd("GET").arg(&key)).await.expect("string"))],
        };
        content.sort();
        all.insert(short, content);
    }
    all
}

/// Checks in the counts of Redis.
pub async fn counted(stack: &Stack) -> u64 {
    let state = live(stack).await;
    let hours = state.iter().filter(|(key, _)| key.starts_with("hours:")).flat_map(|(_, hours)| hours);
    hours.map(|(_, counts)| cache::decode_counts(counts).expect("counts").total()).sum()
}

/// Waits until the group has committed everything.
pub async fn committed(stack: &Stack, topics: &Topics) {
    let config = KafkaConfig::new(&stack.kafka_brokers, "test");
    let ends = kafka::end_offsets(&config, &topics.results, Duration::from_secs(5)).await.expect("ends");
    let group = format!("{}processor", stack.topic_prefix);
    testkit::eventually("all offsets are committed", Duration::from_secs(60), || {
        let (config, topic, group, ends) = (config.clone(), topics.results.clone(), group.clone(), ends.clone());
        async move {
            let committed = kafka::committed_offsets(&config, &group, &topic, Duration::from_secs(5)).await.expect("committed");
            committed.iter().zip(&ends).all(|(committed, end)| committed.unwrap_or(0) >= *end).then_some(())
        }
    })
    .await;
}
