//! Bare pinger: a binary heap of due times, one sleep, a fresh GET for each, its result as JSON into a
//! channel. No Kafka, no leases, no policy: the ceiling for a pinger on one core.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use model::{MonitorId, Schedule};
use tokio::net::TcpStream;
use uuid::Uuid;

use super::fresh::get;
use crate::roles::{Count, now_us, say};
use crate::stats::quantile;

#[derive(Debug, clap::Args)]
pub struct Options {
    #[arg(long)]
    pub port: u16,
    #[arg(long, default_value_t = 50)]
    pub hosts: u8,
    #[arg(long)]
    pub monitors: u32,
    #[arg(long)]
    pub interval_ms: i64,
    #[arg(long)]
    pub seconds: f64,
}

#[derive(serde::Serialize)]
struct Bare {
    monitor: u32,
    slot: i64,
    up: bool,
    latency_us: i64,
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    let region = "bench".parse().map_err(anyhow::Error::msg)?;
    let begun = now_us();
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a measurement")]
    let end = begun + (options.seconds * 1e6) as i64;
    let mut heap: BinaryHeap<Reverse<(i64, u32)>> = (0..options.monitors)
        .map(|n| {
            let schedule = Schedule::new(monitor_id(n), &region, options.interval_ms);
            Reverse((schedule.at_or_after(begun / 1000) * 1000, n))
        })
        .collect();
    let (results, mut taken) = tokio::sync::mpsc::channel::<Vec<u8>>(10_000);
    let sink = tokio::spawn(async move {
        let mut bytes = 0_u64;
        while let Some(result) = taken.recv().await {
            bytes += u64::try_from(result.len()).unwrap_or(0);
        }
        bytes
    });
    let local = tokio::task::LocalSet::new();
    let mut late = Vec::new();
    local
        .run_until(async {
            while let Some(Reverse((due, n))) = heap.peek().copied() {
                let now = now_us();
                if now >= end {
                    break;
                }
                if due > now {
                    tokio::time::sleep(Duration::from_micros(due.min(end).abs_diff(now))).await;
                    continue;
                }
                heap.pop();
                heap.push(Reverse((due + options.interval_ms * 1000, n)));
                #[expect(clippy::cast_precision_loss, reason = "microseconds of lateness")]
                late.push((now - due) as f64);
                let results = results.clone();
                let (port, hosts) = (options.port, options.hosts);
                tokio::task::spawn_local(async move {
                    let host = u8::try_from(n % u32::from(hosts)).unwrap_or(0) + 1;
                    let begun = now_us();
                    let up = async {
                        let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::new(127, 0, 1, host), port))).await?;
                        get(stream, n).await
                    };
                    let up = up.await.is_ok();
                    let result = Bare { monitor: n, slot: due, up, latency_us: now_us() - begun };
                    if let Ok(result) = serde_json::to_vec(&result) {
                        let _ = results.send(result).await;
                    }
                });
            }
        })
        .await;
    drop(results);
    drop(local);
    say(&Count {
        operations: u64::try_from(late.len())?,
        errors: 0,
        seconds: options.seconds,
        cpu_seconds: crate::cpu::time_of(std::process::id())?.as_secs_f64(),
        p50_us: quantile(&late, 0.5),
        p99_us: quantile(&late, 0.99),
        bytes: sink.await?,
    })
}

/// The n-th monitor of a bench; the same for loop and product, so that both have the same phases.
pub fn monitor_id(n: u32) -> MonitorId {
    MonitorId(Uuid::from_u128(0x019a_0000_0000_7000_8000_0000_0000_0000 | u128::from(n)))
}
