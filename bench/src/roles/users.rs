//! Stands in for the users service where a measure wants a hundred thousand monitors at once: the feed of
//! monitors, made up as it is asked for, and the channels their alerts go to.

use std::net::Ipv4Addr;
use std::sync::{Arc, OnceLock};

use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use directory::wire::{Channel, ChannelSettings, Deleted, MonitorPage};
use model::monitor::{AlertPolicy, HttpMethod, HttpProbe};
use model::{Monitor, MonitorSpec, ProbeSpec, ScheduleSegment, WorkspaceId};
use uuid::Uuid;

use super::{Ready, now_us, say};
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
    /// Consecutive down slots that open an incident; absent means the product's default.
    #[arg(long)]
    pub failures_to_open: Option<u8>,
    /// So many Slack webhooks at the targets' port; each monitor's alerts go to one of them.
    #[arg(long, default_value_t = 0)]
    pub slack: u32,
    /// And to this webhook, which takes whatever comes, and this Slack channel, which takes a message a second.
    #[arg(long)]
    pub storm: bool,
}

/// Monitors that come and go: from `begun` on, `rate` a second of each for so many seconds.
#[derive(Debug, Clone, Copy)]
struct Churn {
    begun: i64,
    rate: u32,
    seconds: u32,
}

struct Feed {
    options: Options,
    churn: OnceLock<Churn>,
}

#[derive(serde::Deserialize)]
struct Ask {
    since: i64,
    limit: i64,
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    let app = Router::new()
        .route("/internal/monitors", get(feed))
        .route("/internal/channels", get(channels))
        .route("/churn/{rate}/{seconds}", get(churn))
        .with_state(Arc::new(Feed { options, churn: OnceLock::new() }));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    say(&Ready { port: listener.local_addr()?.port() })?;
    Ok(axum::serve(listener, app).await?)
}

/// Begins to add and remove.
async fn churn(State(feed): State<Arc<Feed>>, Path((rate, seconds)): Path<(u32, u32)>) {
    // Once is enough for a measure.
    let _ = feed.churn.set(Churn { begun: now_us(), rate, seconds });
}

impl Feed {
    /// How many monitors were added, and as many removed, by now.
    fn changed(&self) -> i64 {
        self.churn
            .get()
            .map_or(0, |churn| ((now_us() - churn.begun) * i64::from(churn.rate) / 1_000_000).min(i64::from(churn.rate * churn.seconds)))
    }

    /// When the n-th monitor was made.
    fn created_at(&self, n: u32) -> i64 {
        match (self.churn.get(), n.checked_sub(self.options.monitors)) {
            (Some(churn), Some(late)) => churn.begun / 1000 + i64::from(late) * 1000 / i64::from(churn.rate.max(1)),
            _ => 1_780_000_000_000,
        }
    }
}

/// Revisions count the monitors of the beginning; then each pair is one that comes and the oldest, which goes.
async fn feed(State(feed): State<Arc<Feed>>, Query(ask): Query<Ask>) -> Json<MonitorPage> {
    let (fixed, changed) = (i64::from(feed.options.monitors), feed.changed());
    let total = fixed + 2 * changed;
    let end = (ask.since + ask.limit).min(total).max(ask.since.min(total));
    let mut page =
        MonitorPage { source: Uuid::from_u128(1), revision: end, monitors: Vec::new(), deleted: Vec::new(), more: end < total, now: None };
    for event in ask.since.min(total)..end {
        let (number, gone) = if event < fixed { (event, false) } else { ((event - fixed) / 2, (event - fixed) % 2 == 1) };
        let number = if event < fixed || gone { number } else { fixed + number };
        let Ok(n) = u32::try_from(number) else { continue };
        if gone {
            page.deleted.push(Deleted { id: monitor_id(n), revision: event + 1 });
        } else if number >= changed {
            page.monitors.push(monitor(&feed, n, event + 1));
        }
    }
    Json(page)
}

fn monitor(feed: &Feed, n: u32, revision: i64) -> Monitor {
    let options = &feed.options;
    let kind = if options.hang && n.is_multiple_of(10) { "h" } else { "m" };
    let host = if options.named { format!("m{n}.bench.test") } else { format!("127.0.1.{}", n % u32::from(options.hosts) + 1) };
    let region: Vec<model::Region> = "bench".parse().into_iter().collect();
    let created_at = feed.created_at(n);
    let mut alert = AlertPolicy::default();
    alert.failures_to_open = options.failures_to_open.unwrap_or(alert.failures_to_open);
    if options.slack > 0 {
        alert.channels = vec![format!("slack-{}", n % options.slack)];
    }
    Monitor {
        id: monitor_id(n),
        workspace: WorkspaceId(Uuid::from_u128(1)),
        revision,
        created_at,
        updated_at: created_at,
        spec: MonitorSpec {
            name: name(n),
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
            alert,
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

/// What messages call the n-th monitor; none is part of another.
pub fn name(n: u32) -> String {
    format!("monitor-{n:06}")
}

async fn channels(State(feed): State<Arc<Feed>>) -> Json<Vec<Channel>> {
    let options = &feed.options;
    let url = |path: String| format!("http://127.0.0.1:{}/{path}", options.port).into();
    let slack = (0..options.slack).map(|n| (format!("slack-{n}"), ChannelSettings::SlackWebhook { url: url(format!("slack/{n}")) }));
    let storm = [
        ("webhook".to_owned(), ChannelSettings::Webhook { url: url("webhook".to_owned()), secret: None }),
        ("slack".to_owned(), ChannelSettings::SlackWebhook { url: url("throttled".to_owned()) }),
    ];
    let storm = storm.into_iter().filter(|_| options.storm);
    let channel = |(id, (name, settings)): (u128, (String, ChannelSettings))| Channel {
        id: Uuid::from_u128(id).into(),
        workspace: WorkspaceId(Uuid::from_u128(1)),
        name,
        default: true,
        updated_at: 1_780_000_000_000,
        settings,
    };
    Json((1..).zip(slack.chain(storm)).map(channel).collect())
}
