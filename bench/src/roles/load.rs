//! Keep-alive GETs over several connections: in a closed loop, or at a rate. At a rate a request counts from the instant it was
//! due, so that one slow answer does not hide those that waited behind it.

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
    /// Requests a second over all connections; absent means as many as are answered.
    #[arg(long)]
    pub rate: Option<f64>,
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

/// When one connection's requests are due.
struct Pace {
    due: Instant,
    every: Duration,
}

impl Pace {
    /// The connections take turns.
    fn new(offset: usize, connections: usize, rate: f64) -> Self {
        let of = |count: usize| Duration::from_secs_f64(f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / rate.max(1e-3));
        Self { due: Instant::now() + of(offset), every: of(connections) }
    }

    /// Waits until the next is due; says when that was.
    async fn next(&mut self) -> Instant {
        let due = self.due;
        self.due += self.every;
        tokio::time::sleep_until(due.into()).await;
        due
    }
}

async fn one(options: std::sync::Arc<Options>, offset: usize, end: Instant) -> (u64, u64, Vec<f64>) {
    let (mut errors, mut bytes, mut times) = (0, 0, Vec::new());
    let mut turn = offset;
    let mut pace = options.rate.map(|rate| Pace::new(offset, options.connections, rate));
    while Instant::now() < end {
        // A connection that breaks is counted and opened again.
        if connection(&options, &mut turn, pace.as_mut(), end, &mut bytes, &mut times, &mut errors).await.is_ok() {
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
    mut pace: Option<&mut Pace>,
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
        let begun = match pace.as_mut() {
            Some(pace) => pace.next().await,
            None => Instant::now(),
        };
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
