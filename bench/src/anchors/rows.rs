//! Bare processor: each batch of results as UNNEST into a row per check (btree over monitor and time)
//! and as pipelined HSET of the latest state, both at once, over a few connections.

use std::time::Instant;

use deadpool_redis::redis;
use sqlx::postgres::PgPoolOptions;

use crate::roles::{Count, say};
use crate::stats::quantile;

#[derive(Debug, clap::Args)]
pub struct Options {
    #[arg(long)]
    pub database: String,
    #[arg(long)]
    pub redis: String,
    /// Begins every key.
    #[arg(long)]
    pub prefix: String,
    #[arg(long)]
    pub results: u64,
    #[arg(long)]
    pub monitors: u64,
    #[arg(long, default_value_t = 1000)]
    pub batch: u64,
    #[arg(long, default_value_t = 4)]
    pub connections: u32,
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    let pool = PgPoolOptions::new().max_connections(options.connections).connect(&options.database).await?;
    for statement in [
        "DROP TABLE IF EXISTS bare_checks",
        "CREATE TABLE bare_checks (monitor_id int8, ts timestamptz, status int2, latency_us int4)",
        "CREATE INDEX ON bare_checks (monitor_id, ts)",
    ] {
        sqlx::query(statement).execute(&pool).await?;
    }
    let client = redis::Client::open(options.redis.as_str())?;
    let begun = Instant::now();
    let next = std::sync::atomic::AtomicU64::new(0);
    let workers = (0..options.connections).map(|_| async {
        let mut redis = client.get_multiplexed_async_connection().await?;
        let mut times = Vec::new();
        loop {
            let first = next.fetch_add(options.batch, std::sync::atomic::Ordering::Relaxed);
            if first >= options.results {
                return anyhow::Ok(times);
            }
            let begun = Instant::now();
            batch(&options, &pool, &mut redis, first).await?;
            times.push(begun.elapsed().as_secs_f64() * 1e6);
        }
    });
    let mut times = Vec::new();
    for worker in futures::future::join_all(workers).await {
        times.extend(worker?);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let bytes: i64 = sqlx::query_scalar("SELECT pg_total_relation_size('bare_checks')").fetch_one(&pool).await?;
    sqlx::query("DROP TABLE bare_checks").execute(&pool).await?;
    say(&Count {
        operations: options.results,
        errors: 0,
        seconds,
        cpu_seconds: crate::cpu::time_of(std::process::id())?.as_secs_f64(),
        p50_us: quantile(&times, 0.5),
        p99_us: quantile(&times, 0.99),
        bytes: u64::try_from(bytes)?,
    })
}

async fn batch(options: &Options, pool: &sqlx::PgPool, redis: &mut redis::aio::MultiplexedConnection, first: u64) -> anyhow::Result<()> {
    let end = (first + options.batch).min(options.results);
    let (mut monitors, mut times, mut statuses, mut latencies) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut pipeline = redis::pipe();
    for n in first..end {
        let monitor = i64::try_from(n % options.monitors)?;
        let latency = i32::try_from(n % 50_000)?;
        let seconds = i64::try_from(n / options.monitors)? * 60;
        monitors.push(monitor);
        times.push(chrono::DateTime::from_timestamp(1_760_000_000 + seconds, 0).unwrap_or_default());
        statuses.push(200_i16);
        latencies.push(latency);
        let key = format!("{}:bare:{monitor}", options.prefix);
        pipeline.hset_multiple(key, &[("s", "1".to_owned()), ("t", seconds.to_string()), ("l", latency.to_string())]).ignore();
    }
    let insert = async {
        sqlx::query(
            "INSERT INTO bare_checks (monitor_id, ts, status, latency_us) \
             SELECT * FROM UNNEST($1::int8[], $2::timestamptz[], $3::int2[], $4::int4[])",
        )
        .bind(&monitors)
        .bind(&times)
        .bind(&statuses)
        .bind(&latencies)
        .execute(pool)
        .await?;
        anyhow::Ok(())
    };
    let set = async { anyhow::Ok(pipeline.query_async::<()>(redis).await?) };
    tokio::try_join!(insert, set)?;
    Ok(())
}
