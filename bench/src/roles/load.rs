//! Keep-alive GETs in a closed loop over several connections.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Count, say};
use crate::stats::quantile;

#[derive(Debug, clap::Args)]
pub struct Options {
    #[arg(long)]
    pub port: u16,
    /// Paths, taken in turn.
    #[arg(long, required = true)]
    pub path: Vec<String>,
    /// Sent as `authorization` when given.
    #[arg(long)]
    pub bearer: Option<String>,
    #[arg(long, default_value_t = 64)]
    pub connections: usize,
    #[arg(long)]
    pub seconds: f64,
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    let begun = Instant::now();
    let end = begun + Duration::from_secs_f64(options.seconds);
    let options = std::sync::Arc::new(options);
    let connections: Vec<_> = (0..options.connections).map(|n| tokio::spawn(one(std::sync::Arc::clone(&options), n, end))).collect();
    let mut count = Count::default();
    let mut latencies = Vec::new();
    for connection in connections {
        let (errors, bytes, times) = connection.await?;
        count.errors += errors;
        count.bytes += bytes;
        latencies.extend(times);
    }
    count.operations = u64::try_from(latencies.len())?;
    count.seconds = begun.elapsed().as_secs_f64();
    count.cpu_seconds = crate::cpu::time_of(std::process::id())?.as_secs_f64();
    count.p50_us = quantile(&latencies, 0.5);
    count.p99_us = quantile(&latencies, 0.99);
    say(&count)
}

async fn one(options: std::sync::Arc<Options>, offset: usize, end: Instant) -> (u64, u64, Vec<f64>) {
    let (mut errors, mut bytes, mut times) = (0, 0, Vec::new());
    let mut turn = offset;
    while Instant::now() < end {
        // A connection that breaks is counted and opened again.
        if connection(&options, &mut turn, end, &mut bytes, &mut times, &mut errors).await.is_ok() {
            break;
        }
        errors += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (errors, bytes, times)
}

async fn connection(
    options: &Options,
    turn: &mut usize,
    end: Instant,
    bytes: &mut u64,
    times: &mut Vec<f64>,
    errors: &mut u64,
) -> anyhow::Result<()> {
    let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port))).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    while Instant::now() < end {
        let path = &options.path[*turn % options.path.len()];
        *turn += 1;
        let mut request = Request::get(path).header("host", "gateway");
        if let Some(bearer) = &options.bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let begun = Instant::now();
        let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if status.is_success() {
            *bytes += u64::try_from(body.len())?;
            times.push(begun.elapsed().as_secs_f64() * 1e6);
        } else {
            *errors += 1;
        }
    }
    Ok(())
}
