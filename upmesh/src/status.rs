//! `upmesh status`: every monitor in a table, trouble first.

use std::io::{IsTerminal, Write};

use clap::Args;
use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};
use gateway::api::{MonitorPage, MonitorView, State, StateCounts};
use model::{Clock, Millis, SystemClock};
use service::Error;

use crate::api::{Access, Api};

#[derive(Debug, Args)]
pub struct Options {
    /// Only monitors in this state: up, degraded, down, unknown, paused or pending.
    #[arg(long, value_parser = ["up", "degraded", "down", "unknown", "paused", "pending"])]
    state: Option<String>,
    /// Only monitors whose name or target contains this.
    #[arg(long)]
    search: Option<String>,
    /// Print JSON instead.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

/// Asks the mesh and prints. Succeeds whatever the monitors' state.
pub async fn run(options: Options) -> Result<(), Error> {
    let (monitors, last) = options.access.session(async |api| monitors(api, &options).await).await?;
    let text = if options.json {
        serde_json::to_string_pretty(&monitors)? + "\n"
    } else {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        render(monitors, &last, SystemClock.now_ms(), colour)
    };
    // A closed pipe (`upmesh status | head`) is no failure.
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Ok(())
}

/// What the last page says of the whole.
struct Summary {
    counts: StateCounts,
    /// Of the page that is oldest; none where nothing is known.
    as_of: Option<Millis>,
    stale: bool,
}

async fn monitors(api: &Api, options: &Options) -> Result<(Vec<MonitorView>, Summary), Error> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", "200");
    if let Some(state) = &options.state {
        query.append_pair("state", state);
    }
    if let Some(search) = &options.search {
        query.append_pair("search", search);
    }
    let query = query.finish();
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    let (mut as_of, mut stale) = (None, false);
    loop {
        let after = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page: MonitorPage = api.get(&format!("/api/monitors?{query}{after}")).await?;
        all.extend(page.monitors);
        as_of = as_of.into_iter().chain(page.as_of).min();
        stale |= page.stale;
        match page.next_cursor {
            Some(next) if cursor.as_ref() != Some(&next) => cursor = Some(next),
            _ => return Ok((all, Summary { counts: page.counts, as_of, stale })),
        }
    }
}

/// One line a monitor, then the sums.
fn render(mut monitors: Vec<MonitorView>, summary: &Summary, now: Millis, colour: bool) -> String {
    if monitors.is_empty() {
        return format!("No monitors to show. Add some: upmesh apply examples/monitors.yaml\n{}\n", sums(summary, now));
    }
    monitors.sort_by(|a, b| rank(a.status.state).cmp(&rank(b.status.state)).then_with(|| a.spec.name.cmp(&b.spec.name)));
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if !colour {
        table.force_no_tty();
    }
    let title = |text: &str| Cell::new(text).add_attribute(Attribute::Dim);
    table.set_header(["STATE", "MONITOR", "TARGET", "FOR", "UPTIME 24 H", "COVERAGE", "LATENCY", "CHECKED"].map(title));
    for monitor in &monitors {
        table.add_row(row(monitor, now));
    }
    for column in 4..7 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n\n{}\n", lines.join("\n"), sums(summary, now))
}

fn row(monitor: &MonitorView, now: Millis) -> Vec<Cell> {
    let status = &monitor.status;
    let state = match status.cause {
        Some(cause) if matches!(status.state, State::Down | State::Degraded | State::Unknown) => {
            format!("{} {} ({})", sign(status.state), word(status.state), cause.as_str().replace('_', " "))
        }
        _ => format!("{} {}", sign(status.state), word(status.state)),
    };
    let percent = |share: Option<f64>, digits| share.map_or_else(|| "–".to_owned(), |share| format!("{:.digits$} %", floor(share, digits)));
    let age = |at: Option<Millis>| at.map_or_else(|| "–".to_owned(), |at| span(now - at));
    vec![
        Cell::new(state).fg(color(status.state)),
        Cell::new(printable(&monitor.spec.name)),
        Cell::new(printable(&monitor.target)),
        Cell::new(age(status.since)),
        Cell::new(percent(monitor.day.uptime, 2)),
        Cell::new(percent(monitor.day.coverage, 1)),
        Cell::new(status.latency_us.map_or_else(|| "–".to_owned(), |micros| format!("{:.1} ms", f64::from(micros) / 1000.0))),
        Cell::new(status.last_check.map_or_else(|| "never".to_owned(), |at| format!("{} ago", span(now - at)))),
    ]
}

fn sums(summary: &Summary, now: Millis) -> String {
    let counts = &summary.counts;
    let states = [
        (counts.down, "down"),
        (counts.degraded, "degraded"),
        (counts.unknown, "unknown"),
        (counts.up, "up"),
        (counts.pending, "pending"),
        (counts.paused, "paused"),
    ];
    let shown: Vec<_> = states.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let text = if shown.is_empty() { "0 monitors".to_owned() } else { shown.join(", ") };
    match (summary.stale, summary.as_of) {
        (false, _) => text,
        (true, Some(as_of)) => format!("{text}; live state is out of reach, this is as of {} ago", span(now - as_of)),
        (true, None) => format!("{text}; live state is out of reach, and nothing is known beside it"),
    }
}

/// 99.999 % is not 100 %: digits are cut, never rounded up.
fn floor(share: f64, digits: usize) -> f64 {
    let scale = 10_f64.powi(i32::try_from(digits).unwrap_or(2));
    // The tiny addend undoes the error of binary fractions (0.57 × 10,000 is 5,699.999…).
    (share * 100.0 * scale + 1e-6).floor() / scale
}

/// The two largest units at most: `2 d 3 h`, `5 min`, `8 s`.
fn span(millis: Millis) -> String {
    let seconds = (millis / 1000).max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, 0) => format!("{hours} h"),
        (0, ..) => format!("{hours} h {minutes} min"),
        (_, 0, _) => format!("{days} d"),
        _ => format!("{days} d {hours} h"),
    }
}

fn rank(state: State) -> u8 {
    match state {
        State::Down => 0,
        State::Degraded => 1,
        State::Unknown => 2,
        State::Pending => 3,
        State::Up => 4,
        State::Paused => 5,
    }
}

/// Told apart without colour, too.
fn sign(state: State) -> char {
    match state {
        State::Up => '●',
        State::Degraded => '◐',
        State::Down => '✖',
        State::Unknown => '?',
        State::Paused => '‖',
        State::Pending => '…',
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Up => "up",
        State::Degraded => "degraded",
        State::Down => "down",
        State::Unknown => "unknown",
        State::Paused => "paused",
        State::Pending => "pending",
    }
}

fn color(state: State) -> Color {
    match state {
        State::Up => Color::Green,
        State::Degraded => Color::Yellow,
        State::Down => Color::Red,
        State::Unknown => Color::Magenta,
        State::Paused | State::Pending => Color::DarkGrey,
    }
}

/// Names come from people: what would move the cursor does not reach the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn monitor(name: &str, state: &str, cause: Option<&str>, uptime: Option<f64>) -> MonitorView {
        serde_json::from_value(json!({
            "id": "00000000-0000-0000-0000-000000000001", "revision": 1, "created_at": 0, "updated_at": 0,
            "spec": {"name": name, "probe": {"kind": "http", "url": "http://a.b"}}, "target": "http://a.b", "kind": "http",
            "status": {"state": state, "since": 1_000_000, "incident": null, "cause": cause, "last_check": 9_990_000, "latency_us": 12_345},
            "day": {"uptime": uptime, "coverage": 0.987, "due": 0, "up": 0, "degraded": 0, "down": 0, "unknown": 0, "missed": 0, "maintenance": 0},
            "sparkline": [], "regions": []
        }))
        .expect("a view")
    }

    #[test]
    fn trouble_comes_first_and_states_differ_without_colour() {
        let monitors = vec![monitor("b", "up", None, Some(0.999_999)), monitor("a\u{1b}[2J", "down", Some("timeout"), None)];
        let counts: StateCounts =
            serde_json::from_value(json!({"up": 1, "degraded": 0, "down": 1, "unknown": 0, "paused": 0, "pending": 0})).expect("counts");
        let shown = render(monitors, &Summary { counts, as_of: Some(9_000_000), stale: true }, 10_000_000, false);
        let lines: Vec<_> = shown.lines().collect();
        assert!(lines[1].contains("✖ down (timeout)") && lines[1].contains("a?[2J"), "{shown}");
        for part in ["● up", "99.99 %", "98.7 %", "12.3 ms", "10 s ago", "2 h 30 min"] {
            assert!(lines[2].contains(part), "{part}: {shown}");
        }
        assert!(shown.ends_with("1 down, 1 up; live state is out of reach, this is as of 16 min ago\n"), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }

    #[test]
    fn an_empty_mesh_says_what_to_do() {
        let counts = serde_json::from_value(json!({"up": 0, "degraded": 0, "down": 0, "unknown": 0, "paused": 0, "pending": 0}));
        let counts = counts.expect("counts");
        let shown = render(Vec::new(), &Summary { counts, as_of: Some(0), stale: false }, 0, false);
        assert!(shown.contains("upmesh apply") && shown.ends_with("0 monitors\n"), "{shown}");
        let shown = render(Vec::new(), &Summary { counts, as_of: None, stale: true }, 0, false);
        assert!(shown.ends_with("out of reach, and nothing is known beside it\n"), "{shown}");
    }

    #[test]
    fn digits_are_cut_and_spans_are_short() {
        assert_eq!((floor(0.999_99, 2), floor(0.57, 2), floor(1.0, 2)), (99.99, 57.0, 100.0));
        assert_eq!([0, 59_000, 60_000, 3_600_000, 90_060_000, 86_400_000].map(span), ["0 s", "59 s", "1 min", "1 h", "1 d 1 h", "1 d"]);
    }
}
