//! What the fake Slack and the webhook's sink took, read as copies of alerts.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use system_tests::mark;
use testkit::{SlackBehaviour, SlackPost};

pub use system_tests::{OPENED, RESOLVED};

/// One alert as one message told it.
#[derive(Debug, Clone)]
pub struct Copy {
    pub monitor: String,
    pub kind: &'static str,
    pub at: Instant,
    /// It says that it may be a repeat.
    pub repeat: bool,
    /// A recovery that says how long it was down, beginning included.
    pub tells_opening: bool,
    /// The channel took it and its answer did not arrive.
    pub unanswered: bool,
    /// How long the channel took to answer.
    pub answered_after: Duration,
}

const REPEAT: &str = "may be a repeat";

/// The alerts in one POST that was taken; none in an edit.
pub fn copies(post: &SlackPost) -> Vec<Copy> {
    if !post.taken || post.path.ends_with("chat.update") {
        return Vec::new();
    }
    let unanswered = matches!(post.behaviour, SlackBehaviour::Hang | SlackBehaviour::Reset);
    let answered_after = if let SlackBehaviour::Slow(after) = post.behaviour { after } else { Duration::ZERO };
    let copy = |monitor: &str, kind, repeat, tells_opening| Copy {
        monitor: monitor.to_owned(),
        kind,
        at: post.at,
        repeat,
        tells_opening,
        unanswered,
        answered_after,
    };
    if post.path == "/sink" {
        let data = &post.body["data"];
        let kind = if post.body["type"] == "incident.opened" { OPENED } else { RESOLVED };
        let monitor = data["monitor"]["id"].as_str().unwrap_or_default();
        return vec![copy(monitor, kind, data["repeat"] == true, data["tells_opening"] == true)];
    }
    let sections = sections(&post.body);
    let lines: Vec<&str> = sections.iter().flat_map(|text| text.lines()).filter(|line| mark(line).is_some()).collect();
    if !lines.is_empty() {
        // A group: one line each, and a recovery always says for how long it was down.
        return lines.iter().filter_map(|line| Some(copy(monitor(line)?, mark(line)?, line.contains(REPEAT), true))).collect();
    }
    let body = post.body.to_string();
    let (Some(kind), Some(monitor)) = (mark(post.text()), monitor(&body)) else { return Vec::new() };
    vec![copy(monitor, kind, body.contains(REPEAT), post.text().contains("Was down"))]
}

/// How many alerts groups mention only as `and 12 more`. A group that comes again as it was, and says so, mentions nobody new; one that
/// comes again with others may have those among the ones it only counts.
pub fn counted(posts: &[SlackPost]) -> usize {
    let (mut seen, mut sum) = (BTreeSet::new(), 0);
    for post in posts {
        let more = unnamed(post);
        if more == 0 {
            continue;
        }
        let copies = copies(post);
        let repeat = copies.iter().any(|copy| copy.repeat);
        let named: BTreeSet<(String, &str)> = copies.into_iter().map(|copy| (copy.monitor, copy.kind)).collect();
        let first = seen.insert((named, more));
        if first || !repeat {
            sum += more;
        }
    }
    sum
}

fn unnamed(post: &SlackPost) -> usize {
    let body = post.body.to_string();
    let count = |text: &str| text.split("and ").filter_map(|rest| rest.split_once(" more · <")?.0.parse::<usize>().ok()).sum();
    if post.taken && !post.path.ends_with("chat.update") { count(&body) } else { 0 }
}

/// What [`behaviour`] tells apart: a connection refused leaves no message.
pub const BEHAVIOURS: usize = 6;

/// What the channel did with this message, in a word.
pub fn behaviour(post: &SlackPost) -> &'static str {
    match post.behaviour {
        SlackBehaviour::Ok => "200",
        SlackBehaviour::RateLimited(_) => "429",
        SlackBehaviour::Hang => "hang",
        SlackBehaviour::Reset => "reset",
        SlackBehaviour::Slow(_) => "slow",
        _ => "5xx",
    }
}

/// Texts of the sections in the attachment.
fn sections(body: &serde_json::Value) -> Vec<&str> {
    let blocks = body["attachments"][0]["blocks"].as_array();
    blocks.into_iter().flatten().filter(|block| block["type"] == "section").filter_map(|block| block["text"]["text"].as_str()).collect()
}

fn monitor(text: &str) -> Option<&str> {
    text.split("/monitors/").nth(1)?.get(..36)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn post(path: &str, body: serde_json::Value) -> SlackPost {
        let (at, headers) = (Instant::now(), Vec::new());
        SlackPost { at, path: path.to_owned(), headers, body, taken: true, behaviour: SlackBehaviour::Ok }
    }

    fn read(post: &SlackPost) -> Vec<(String, &'static str, bool, bool)> {
        copies(post).into_iter().map(|copy| (copy.monitor[..1].to_owned(), copy.kind, copy.repeat, copy.tells_opening)).collect()
    }

    #[test]
    fn single_and_grouped_messages_are_read() {
        let id = |n: u32| format!("{n}0000000-0000-0000-0000-000000000000");
        let one = json!({"text": "🟢 Was down: Shop 1 for 10 s", "attachments": [{"blocks": [
            {"type": "section", "fields": [{"text": format!("<http://x/monitors/{}|Shop 1>", id(1))}]}]}]});
        assert_eq!(read(&post("/services/x", one)), [("1".to_owned(), RESOLVED, false, true)]);
        let lines = format!(
            "🔴 <http://x/monitors/{}|Shop 2> status · sent again, so this may be a repeat\n🟢 <http://x/monitors/{}|Shop 3> was down for 1 s\n",
            id(2),
            id(3)
        );
        let group = json!({"text": "🔴 1 down, 1 recovered: Shop 2, Shop 3", "attachments": [{"blocks": [{"type": "section", "text": {"text": lines}}]}]});
        let expected = [("2".to_owned(), OPENED, true, true), ("3".to_owned(), RESOLVED, false, true)];
        assert_eq!(read(&post("/api/chat.postMessage", group.clone())), expected);
        assert_eq!(read(&post("/api/chat.update", group)), [], "an edit is no copy");
        let signed = json!({"type": "incident.opened", "data": {"monitor": {"id": id(4)}, "repeat": true, "tells_opening": false}});
        assert_eq!(read(&post("/sink", signed)), [("4".to_owned(), OPENED, true, false)]);
    }

    #[test]
    fn what_a_group_only_counts_is_counted_once() {
        let line = |n: u32, words: &str| format!("🔴 <http://x/monitors/{n}0000000-0000-0000-0000-000000000000|Shop> status{words}\n");
        let group = |text: String| {
            json!({"text": "🔴 many down", "attachments": [{"blocks": [{"type": "section", "text": {"text": text}},
                {"type": "context", "elements": [{"type": "mrkdwn", "text": "and 7 more · <http://x|all>"}]}]}]})
        };
        let first = post("/services/x", group(line(1, "")));
        let again = post("/services/x", group(line(1, " · sent again, so this may be a repeat")));
        let other = post("/services/x", group(line(2, "")));
        assert_eq!(counted(&[first.clone(), again.clone()]), 7);
        assert_eq!(counted(&[first, again, other]), 14);
    }
}
