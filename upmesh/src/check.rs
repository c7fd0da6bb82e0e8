//! `upmesh check`: one check by hand, phase by phase, without a mesh.

use std::fmt::Write as _;
use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};
use clap::Args;
use egress::EgressConfig;
use model::{MonitorSpec, Outcome, SystemClock, clock::Clock};
use pinger::{Attempt, OnceOptions, check_once};
use serde_json::{Value, json};
use service::Error;

#[derive(Debug, Args)]
pub struct Options {
    /// `https://example.com`, `example.com`, `tcp://host:port`, `host:port` or `icmp://host`.
    target: String,
    /// Deadline over all phases, in milliseconds.
    #[arg(long, default_value_t = 10_000)]
    timeout_ms: u32,
    /// Expected HTTP statuses: `200`, `2xx`, `200-299`, separated by commas.
    #[arg(long)]
    status: Option<String>,
    /// Text the body must contain.
    #[arg(long)]
    contains: Option<String>,
    /// Print JSON instead.
    #[arg(long)]
    json: bool,
}

/// Checks, prints, and fails when the target is not up.
pub async fn run(options: Options) -> Result<(), Error> {
    let spec = spec(&options)?;
    // A person checks what they like from their own machine; the guard is for targets that strangers set.
    let allowed = egress::parse_networks("0.0.0.0/0,::/0").map_err(Error::msg)?;
    let once = OnceOptions { egress: EgressConfig { allowed, ..EgressConfig::default() }, confirm: false };
    let (attempt, _) = check_once(&spec, &once).await?;
    let text = if options.json {
        serde_json::to_string_pretty(&as_json(&spec, &attempt))? + "\n"
    } else {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        render(&spec, &attempt, SystemClock.now_ms(), colour)
    };
    #[expect(clippy::print_stdout, reason = "the command's answer to a person")]
    {
        print!("{text}");
    }
    if matches!(attempt.outcome, Outcome::Up | Outcome::Degraded) {
        return Ok(());
    }
    let detail = attempt.detail.as_deref().or(attempt.cause.map(model::Cause::as_str)).unwrap_or("no answer");
    Err(Error::msg(format!("{} is {}: {detail}", spec.probe.target(), attempt.outcome.as_str())))
}

/// The monitor that such a target would be.
fn spec(options: &Options) -> Result<MonitorSpec, Error> {
    let target = options.target.as_str();
    let host_and_port = |text: &str| {
        let (host, port) = text.rsplit_once(':')?;
        // Where the colons of a bare IPv6 address end, nobody can tell.
        let clear = !host.contains(':') || host.starts_with('[');
        clear.then_some(())?;
        Some((host.to_owned(), port.parse::<u16>().ok()?))
    };
    let probe = if let Some(host) = target.strip_prefix("icmp://") {
        json!({ "kind": "icmp", "host": host })
    } else if let Some(rest) = target.strip_prefix("tcp://") {
        let (host, port) = host_and_port(rest).ok_or_else(|| Error::msg(format!("{target}: write tcp://host:port")))?;
        json!({ "kind": "tcp", "host": host, "port": port })
    } else if target.contains("://") {
        json!({ "kind": "http", "url": target })
    } else if let Some((host, port)) = host_and_port(target) {
        json!({ "kind": "tcp", "host": host, "port": port })
    } else {
        json!({ "kind": "http", "url": format!("https://{target}") })
    };
    let mut assertions = Vec::new();
    assertions.extend(options.status.as_ref().map(|is| json!({ "kind": "status", "is": is })));
    assertions.extend(options.contains.as_ref().map(|text| json!({ "kind": "body_contains", "text": text })));
    let interval = options.timeout_ms / 1000 + 10;
    let spec = json!({
        "name": "check", "probe": probe, "timeout_ms": options.timeout_ms, "interval_seconds": interval, "assertions": assertions,
    });
    let spec: MonitorSpec = serde_json::from_value(spec)?;
    let wrong: Vec<String> = model::monitor::validate(&spec).iter().map(ToString::to_string).collect();
    if wrong.is_empty() { Ok(spec) } else { Err(Error::msg(wrong.join("\n"))) }
}

fn as_json(spec: &MonitorSpec, attempt: &Attempt) -> Value {
    json!({
        "target": spec.probe.target(),
        "outcome": attempt.outcome,
        "cause": attempt.cause,
        "detail": attempt.detail,
        "latency_us": attempt.latency_us,
        "phases": attempt.phases,
        "status": attempt.status,
        "certificate_expires_at": attempt.certificate_expires_at,
    })
}

const BAR_WIDTH: usize = 32;

/// The verdict first, then where the time went.
fn render(spec: &MonitorSpec, attempt: &Attempt, now_ms: i64, colour: bool) -> String {
    let style = |style: Style| if colour { (style.render().to_string(), style.render_reset().to_string()) } else { Default::default() };
    let (on, off) = style(Style::new().bold().fg_color(Some(match attempt.outcome {
        Outcome::Up => AnsiColor::Green.into(),
        Outcome::Degraded | Outcome::Unknown => AnsiColor::Yellow.into(),
        _ => AnsiColor::Red.into(),
    })));
    let mut text = format!("{on}{}{off}  {}", attempt.outcome.as_str().to_uppercase(), spec.probe.target());
    if let Some(status) = attempt.status {
        let _ = write!(text, "  {status}");
    }
    if let Some(latency) = attempt.latency_us {
        let _ = write!(text, "  {}", milliseconds(latency));
    }
    text.push('\n');
    if let Some(detail) = &attempt.detail {
        let _ = writeln!(text, "  {detail}");
    }
    let phases = &attempt.phases;
    let all = [
        ("resolve", phases.resolve_us),
        ("connect", phases.connect_us),
        ("TLS", phases.tls_us),
        ("first byte", phases.first_byte_us),
        ("transfer", phases.transfer_us),
    ];
    let total: u64 = all.iter().filter_map(|(_, micros)| *micros).map(u64::from).sum();
    let mut before = 0_u64;
    let (on, off) = style(Style::new().dimmed());
    for (name, micros) in all.iter().filter_map(|(name, micros)| Some((name, (*micros)?))) {
        // Each bar begins where the one above it ends.
        let column = |at: u64| usize::try_from(at * BAR_WIDTH as u64 / total.max(1)).unwrap_or(0);
        let (from, to) = (column(before), column(before + u64::from(micros)));
        before += u64::from(micros);
        let bar = format!("{}{}", " ".repeat(from), "▇".repeat((to - from).max(1)));
        let _ = writeln!(text, "  {name:<11}{:>10}  {on}{bar}{off}", milliseconds(micros));
    }
    if let Some(expires) = attempt.certificate_expires_at {
        let days = (expires - now_ms) / 86_400_000;
        let _ = writeln!(text, "  certificate valid for {days} days");
    }
    text
}

fn milliseconds(micros: u32) -> String {
    format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use model::Phases;

    use super::*;

    fn options(target: &str) -> Options {
        Options { target: target.to_owned(), timeout_ms: 5000, status: None, contains: None, json: false }
    }

    #[test]
    fn targets_are_read_as_people_write_them() {
        let read = |target: &str| spec(&options(target)).map(|spec| (spec.probe.kind(), spec.probe.target())).unwrap();
        assert_eq!(read("example.com"), ("http", "https://example.com".into()));
        assert_eq!(read("http://example.com/x"), ("http", "http://example.com/x".into()));
        assert_eq!(read("db.example.com:5432"), ("tcp", "db.example.com:5432".into()));
        assert_eq!(read("tcp://10.0.0.1:22"), ("tcp", "10.0.0.1:22".into()));
        assert_eq!(read("icmp://example.com"), ("icmp", "example.com".into()));
        assert_eq!(read("[::1]:22"), ("tcp", "[::1]:22".into()));
        assert_eq!(read("tcp://[2001:db8::7]:22"), ("tcp", "[2001:db8::7]:22".into()));
        assert!(spec(&options("tcp://::1:22")).unwrap_err().to_string().contains("tcp://host:port"));
        assert!(spec(&options("tcp://example.com")).is_err());
        assert!(spec(&options("ftp://example.com")).unwrap_err().to_string().contains("url"));
    }

    #[test]
    fn the_answer_shows_the_verdict_and_where_the_time_went() {
        let attempt = Attempt {
            outcome: Outcome::Up,
            cause: None,
            detail: None,
            latency_us: Some(100_000),
            phases: Phases { resolve_us: Some(25_000), connect_us: Some(25_000), first_byte_us: Some(50_000), ..Phases::default() },
            status: Some(200),
            certificate_expires_at: Some(63 * 86_400_000),
        };
        let expected = "UP  https://example.com  200  100.0 ms\n".to_owned()
            + "  resolve       25.0 ms  ▇▇▇▇▇▇▇▇\n"
            + "  connect       25.0 ms          ▇▇▇▇▇▇▇▇\n"
            + "  first byte    50.0 ms                  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇\n"
            + "  certificate valid for 63 days\n";
        assert_eq!(render(&spec(&options("example.com")).unwrap(), &attempt, 0, false), expected);
    }
}
