//! Stands in for the users service where a measure wants a hundred thousand monitors at once: the feed of
//! monitors, made up as it is asked for, and nothing else.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use directory::wire::MonitorPage;
use model::monitor::{HttpMethod, HttpProbe};
use model::{Monitor, MonitorSpec, ProbeSpec, ScheduleSegment, WorkspaceId};
use uuid::Uuid;

use super::{Ready, say};
use crate::anchors::heap::monitor_id;

#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    #[arg(long)]
    pub monitors: u32,
    #[arg(long)]
    pub interval_seconds: u32,
    /// Port of the targets.
    #[arg(long)]
    pub port: u16,
    #[arg(long, default_value_t = 50)]
    pub hosts: u8,
    /// `http` or `https`.
    #[arg(long, default_value = "http")]
    pub scheme: String,
    /// Targets by name (`m7.bench.test`), so that each check needs a lookup.
    #[arg(long)]
    pub named: bool,
    /// One of ten targets answers after five seconds.
    #[arg(long)]
    pub hang: bool,
}

#[derive(serde::Deserialize)]
struct Ask {
    since: i64,
    limit: i64,
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    let app = Router::new()
        .route("/internal/monitors", get(feed))
        .route("/internal/channels", get(|| async { Json(serde_json::json!([])) }))
        .with_state(Arc::new(options));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    say(&Ready { port: listener.local_addr()?.port() })?;
    Ok(axum::serve(listener, app).await?)
}

async fn feed(State(options): State<Arc<Options>>, Query(ask): Query<Ask>) -> Json<MonitorPage> {
    let total = i64::from(options.monitors);
    let end = (ask.since + ask.limit).min(total).max(ask.since.min(total));
    let numbers = ask.since.min(total)..end;
    Json(MonitorPage {
        source: Uuid::from_u128(1),
        revision: end,
        monitors: numbers.filter_map(|n| u32::try_from(n).ok()).map(|n| monitor(&options, n)).collect(),
        deleted: Vec::new(),
        more: end < total,
        now: None,
    })
}

fn monitor(options: &Options, n: u32) -> Monitor {
    let kind = if options.hang && n.is_multiple_of(10) { "h" } else { "m" };
    let host = if options.named { format!("m{n}.bench.test") } else { format!("127.0.1.{}", n % u32::from(options.hosts) + 1) };
    let region: Vec<model::Region> = "bench".parse().into_iter().collect();
    let created_at = 1_780_000_000_000;
    Monitor {
        id: monitor_id(n),
        workspace: WorkspaceId(Uuid::from_u128(1)),
        revision: i64::from(n) + 1,
        created_at,
        updated_at: created_at,
        spec: MonitorSpec {
            name: format!("monitor {n}"),
            probe: ProbeSpec::Http(HttpProbe {
                url: format!("{}://{host}:{}/{kind}/{n}", options.scheme, options.port),
                method: HttpMethod::Get,
                headers: std::collections::BTreeMap::new(),
                body: None,
                max_redirects: 0,
                verify_tls: false,
            }),
            interval_seconds: options.interval_seconds,
            timeout_ms: 9000,
            regions: region.clone(),
            assertions: Vec::new(),
            alert: model::monitor::AlertPolicy::default(),
            paused: false,
            tags: std::collections::BTreeMap::new(),
        },
        segments: vec![ScheduleSegment {
            from: created_at,
            interval_ms: i64::from(options.interval_seconds) * 1000,
            regions: region,
            active: true,
        }],
    }
}
