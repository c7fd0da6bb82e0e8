//! A monitor's settings: the shape of the API, of `upmesh apply` files and of the row in PostgreSQL.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::given::Given;
use crate::ids::Region;

/// What people set. Times are whole seconds or milliseconds as the field's name says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(from = "Given", deny_unknown_fields)]
pub struct MonitorSpec {
    /// Unique in the workspace; 1–200 characters.
    pub name: String,
    pub probe: ProbeSpec,
    /// Seconds between checks in each region, 10 … 86400; 60 unless given.
    #[schema(required = false)]
    pub interval_seconds: u32,
    /// Deadline over all phases of one attempt, 100 … 60000, below the interval; unless given 10000, and 9000 at an interval of 10 s.
    #[schema(required = false)]
    pub timeout_ms: u32,
    /// Where it is checked from; at most 32. Left out or empty: a new monitor is checked from the mesh's default regions, one
    /// that is there stays where it is. What is stored and answered names at least one.
    #[schema(required = false)]
    pub regions: Vec<Region>,
    /// At most 20.
    #[schema(required = false)]
    pub assertions: Vec<Assertion>,
    #[schema(required = false)]
    pub alert: AlertPolicy,
    #[schema(required = false)]
    pub paused: bool,
    /// Free labels, for grouping; at most 20.
    #[schema(required = false)]
    pub tags: BTreeMap<String, String>,
}

/// How the target is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ProbeSpec {
    Http(HttpProbe),
    Tcp(TcpProbe),
    Icmp(IcmpProbe),
}

impl ProbeSpec {
    /// The target as people write it.
    pub fn target(&self) -> String {
        match self {
            Self::Http(probe) => probe.url.clone(),
            Self::Tcp(probe) => format!("{}:{}", probe.host, probe.port),
            Self::Icmp(probe) => probe.host.clone(),
        }
    }

    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Tcp(_) => "tcp",
            Self::Icmp(_) => "icmp",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpProbe {
    /// `http://` or `https://`, without user information.
    pub url: String,
    #[serde(default)]
    pub method: HttpMethod,
    /// At most 50; hop-by-hop headers and `host`, `content-length` are refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// How many redirects are followed, 0 … 10. A body is not taken to another origin: such a redirect is a failure.
    #[serde(default = "default_redirects")]
    pub max_redirects: u8,
    /// False accepts any certificate (the expiry is still reported).
    #[serde(default = "yes")]
    pub verify_tls: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl HttpMethod {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TcpProbe {
    pub host: String,
    pub port: u16,
    /// Sent after connecting; `\r`, `\n` are written as they are in JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<String>,
    /// Text the answer must contain (its first 64 KiB are read).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IcmpProbe {
    pub host: String,
    /// Echo requests per check, 1 … 10; one reply is enough.
    #[serde(default = "default_packets")]
    pub packets: u8,
}

/// What must hold for a check to be up. Without a `status` assertion an HTTP check expects 200–299.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Assertion {
    /// The HTTP status is one of these: `200`, `"2xx"`, `"200-299"`, separated by commas.
    Status { is: String },
    /// The body contains (or, with `absent`, does not contain) a text. Its first 1 MiB is searched; of a longer one in which the text
    /// is not found nobody can say, and the check is unknown. Not for HEAD, as nothing that is asserted of a body.
    BodyContains {
        text: String,
        #[serde(default)]
        absent: bool,
    },
    /// The body matches a regular expression (linear time; RE2 syntax).
    BodyMatches { pattern: String },
    /// A header of the answer equals or, with `contains`, contains a value.
    Header {
        name: String,
        value: String,
        #[serde(default)]
        contains: bool,
    },
    /// A JSON path (RFC 9535) selects a value that is compared with another.
    JsonPath { path: String, expect: Expect },
    /// The whole check took at most this long.
    Latency {
        max_ms: u32,
        #[serde(default = "degraded")]
        severity: Severity,
    },
    /// The certificate is valid for at least this many days. For `https://` URLs; of a chain of redirects the last one's counts.
    CertificateDays {
        min: u32,
        #[serde(default = "degraded")]
        severity: Severity,
    },
}

/// How a JSON value is compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    Exists,
    Equals(serde_json::Value),
    NotEquals(serde_json::Value),
    Above(f64),
    Below(f64),
}

/// What an assertion that does not hold makes of the check. Degraded is shown and tells nobody; down counts towards an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Degraded,
    Down,
}

/// When an incident opens and closes, and whom it tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlertPolicy {
    /// Consecutive down slots that open an incident, 1 … 20.
    pub failures_to_open: u8,
    /// Consecutive up slots that close it, 1 … 20.
    pub successes_to_close: u8,
    /// How many regions must be down with fresh evidence; absent means a majority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regions_down: Option<u8>,
    /// False records incidents and tells nobody.
    pub notify: bool,
    /// Channels by name, each known when it is set; empty means the workspace's default channels. So do names whose channels all went
    /// away later.
    pub channels: Vec<String>,
}

impl Default for AlertPolicy {
    fn default() -> Self {
        Self { failures_to_open: 2, successes_to_close: 2, regions_down: None, notify: true, channels: Vec::new() }
    }
}

fn default_redirects() -> u8 {
    5
}

fn default_packets() -> u8 {
    3
}

fn yes() -> bool {
    true
}

fn degraded() -> Severity {
    Severity::Degraded
}
