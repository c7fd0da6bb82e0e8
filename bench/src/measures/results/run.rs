//! One processor over one log, and what it leaves behind.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use deadpool_redis::redis;
use futures::StreamExt;
use kafka::{KafkaConfig, Producer};
use sqlx::Connection;
use testkit::Stack;

use crate::anchors::heap::monitor_id;
use crate::child::{Core, Process};
use crate::cpu::time_of;
use crate::measures::Suite;
use crate::measures::log::{Log, record};
use crate::roles::now_us;

/// What a processor did with a log.
pub struct Run {
    pub results: f64,
    /// From the first record it handled to its end, the last flush and commit included.
    pub seconds: f64,
    /// CPU of the process, start-up included.
    pub cpu_seconds: f64,
}

/// Writes the log, lets a processor read it to its end, and ends it, so that everything is flushed and committed.
pub async fn consume(suite: &Suite, stack: &Stack, log: &Log, flush_seconds: u32) -> Result<Run> {
    stack.create_topics(6).await;
    let before = slots_kept(stack).await?;
    log.write(stack).await?;
    let processor = start(suite, stack, flush_seconds).await?;
    let pid = processor.0.pid()?;
    #[expect(clippy::cast_precision_loss, reason = "results of a measurement")]
    let results = log.results() as f64;
    let mut begun = None;
    let deadline = Instant::now() + Duration::from_mins(3);
    loop {
        let done = handled(processor.1).await.unwrap_or(0.0);
        if done > 0.0 && begun.is_none() {
            begun = Some((Instant::now(), done));
        }
        if done >= results {
            break;
        }
        anyhow::ensure!(Instant::now() < deadline, "{done} of {results} results handled in three minutes: {}", processor.0.tail());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (begun, already) = begun.context("nothing was handled")?;
    let cpu_seconds = time_of(pid)?.as_secs_f64();
    processor.0.terminate(Duration::from_mins(1)).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let kept = slots_kept(stack).await? - before;
    anyhow::ensure!((kept - results).abs() < 0.5, "{kept} slots in history of {results} in the log");
    // What was handled before the first look took time that was not seen.
    Ok(Run { results: results - already, seconds, cpu_seconds })
}

/// A processor that is ready, and its admin port.
async fn start(suite: &Suite, stack: &Stack, flush_seconds: u32) -> Result<(Process, u16)> {
    let admin = system_tests::free_port();
    let mut settings: HashMap<String, String> = stack.environment().await;
    settings.insert("ADMIN_ADDR".to_owned(), format!("127.0.0.1:{admin}"));
    settings.insert("FLUSH_SECONDS".to_owned(), flush_seconds.to_string());
    settings.insert("USERS_URL".to_owned(), "http://127.0.0.1:1".to_owned());
    settings.insert("RUST_LOG".to_owned(), "warn".to_owned());
    let settings: Vec<(String, String)> = settings.into_iter().collect();
    let processor = Process::service(Core::Subject, "processor", &settings, suite.scratch.path())?;
    Ok((processor, admin))
}

/// Results the processor says it has handled.
async fn handled(admin: u16) -> Result<f64> {
    let metrics = metrics(admin).await?;
    let lines = metrics.lines().filter(|line| line.starts_with("upmesh_processor_results_total"));
    Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}

async fn metrics(admin: u16) -> Result<String> {
    let bytes = crate::roles::target::control(admin, "/metrics").await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Milliseconds from producing a result to its publication, at a steady rate.
pub async fn delays(suite: &Suite, rate: u32, window: Duration) -> Result<Vec<f64>> {
    let stack = Stack::new();
    stack.create_topics(6).await;
    let (processor, admin) = start(suite, &stack, 30).await?;
    testkit::eventually("the processor is ready", Duration::from_secs(30), || async { metrics(admin).await.ok() }).await;
    let client = redis::Client::open(stack.redis_url.as_str())?;
    let mut updates = client.get_async_pubsub().await?;
    updates.subscribe(format!("{}:updates", stack.redis_prefix)).await?;
    let producer = Producer::new(&KafkaConfig::new(&stack.kafka_brokers, "bench"))?;

    let region = "bench".parse().map_err(anyhow::Error::msg)?;
    let topic: std::sync::Arc<str> = stack.topics().results.into();
    let listening = tokio::spawn(async move {
        let mut seen: Vec<(uuid::Uuid, i64)> = Vec::new();
        let mut messages = updates.on_message();
        // The first is long in coming: the group is formed before it is sent.
        let mut patience = Duration::from_secs(30);
        while let Ok(Some(message)) = tokio::time::timeout(patience, messages.next()).await {
            patience = Duration::from_secs(4);
            let at = now_us();
            let Ok(value) = serde_json::from_slice::<serde_json::Value>(message.get_payload_bytes()) else { continue };
            for item in value["items"].as_array().into_iter().flatten() {
                if let Some(id) = item["monitor"].as_str().and_then(|id| id.parse().ok()) {
                    seen.push((id, at));
                }
            }
        }
        seen
    });
    // The group is formed while nothing is sent yet; the first records only show that it is.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let ticks = u32::try_from(window.as_millis() / 10)?;
    let per_tick = rate / 100;
    let mut sent = HashMap::new();
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    for n in 0..ticks * per_tick {
        if n % per_tick == 0 {
            tick.tick().await;
        }
        let now = now_us();
        drop(producer.send(record(&topic, &region, n, now / 1000, 10_000)?)?);
        sent.insert(monitor_id(n).0, now);
    }
    let seen = listening.await?;
    processor.terminate(Duration::from_secs(40)).await?;
    let mut delays = Vec::new();
    for (id, at) in &seen {
        if let Some(sent) = sent.remove(id) {
            #[expect(clippy::cast_precision_loss, reason = "microseconds")]
            delays.push((at - sent) as f64 / 1000.0);
        }
    }
    anyhow::ensure!(sent.len() * 100 < delays.len(), "{} results were never published", sent.len());
    Ok(delays)
}

/// An hour of `monitors` written as it passes: a round a second, each flushed, so that every block is rewritten sixty times.
/// Bytes per check, with what the rewriting left behind.
pub async fn hot_hour(suite: &Suite, monitors: u32) -> Result<f64> {
    let stack = Stack::new();
    stack.create_topics(6).await;
    let (processor, _) = start(suite, &stack, 1).await?;
    let log = Log { monitors, interval_seconds: 60, rounds: 60, hours_ago: 1 };
    let producer = Producer::new(&KafkaConfig::new(&stack.kafka_brokers, "bench"))?;
    for round in 0..log.rounds {
        log.write_round(&producer, &stack, round).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    processor.terminate(Duration::from_secs(40)).await?;
    #[expect(clippy::cast_precision_loss, reason = "results of a measurement")]
    let results = log.results() as f64;
    Ok(disk(&stack).await? / results)
}

/// Slots in history, by the plain columns beside the blocks.
async fn slots_kept(stack: &Stack) -> Result<f64> {
    query(stack, "SELECT coalesce(sum(up + degraded + down + unknown + missed + maintenance), 0)::float8 FROM history_blocks").await
}

/// Bytes of the history's tables with their indexes, maps and out-of-line values.
pub async fn disk(stack: &Stack) -> Result<f64> {
    query(stack, "SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::float8 FROM pg_partition_tree('history_blocks') WHERE isleaf")
        .await
}

/// Bytes of the blocks themselves.
pub async fn plain_bytes(stack: &Stack) -> Result<f64> {
    query(stack, "SELECT coalesce(sum(length(block)), 0)::float8 FROM history_blocks").await
}

async fn query(stack: &Stack, sql: &'static str) -> Result<f64> {
    let mut connection = sqlx::PgConnection::connect(&stack.database().await.url).await?;
    Ok(sqlx::query_scalar(sql).fetch_one(&mut connection).await?)
}

/// Memory of everything under the stack's prefix, as Redis accounts for it.
pub async fn redis_bytes(stack: &Stack) -> Result<f64> {
    let mut redis = connection(stack).await?;
    let mut total = 0.0;
    for keys in keys(stack, &mut redis).await?.chunks(500) {
        let mut pipeline = redis::pipe();
        for key in keys {
            pipeline.cmd("MEMORY").arg("USAGE").arg(key);
        }
        let sizes: Vec<Option<f64>> = pipeline.query_async(&mut redis).await?;
        total += sizes.into_iter().flatten().sum::<f64>();
    }
    Ok(total)
}

/// Removes everything under the stack's prefix.
pub async fn forget(stack: &Stack) -> Result<()> {
    let mut redis = connection(stack).await?;
    for keys in keys(stack, &mut redis).await?.chunks(500) {
        redis::cmd("DEL").arg(keys).query_async::<()>(&mut redis).await?;
    }
    Ok(())
}

async fn connection(stack: &Stack) -> Result<redis::aio::MultiplexedConnection> {
    Ok(redis::Client::open(stack.redis_url.as_str())?.get_multiplexed_async_connection().await?)
}

async fn keys(stack: &Stack, redis: &mut redis::aio::MultiplexedConnection) -> Result<Vec<String>> {
    let (mut all, mut cursor) = (Vec::new(), 0_u64);
    loop {
        let pattern = format!("{}:*", stack.redis_prefix);
        let (next, keys): (u64, Vec<String>) =
            redis::cmd("SCAN").arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(2000).query_async(redis).await?;
        all.extend(keys);
        cursor = next;
        if cursor == 0 {
            return Ok(all);
        }
    }
}
