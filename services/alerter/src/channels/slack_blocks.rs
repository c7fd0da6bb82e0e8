//! Alerts as Slack messages, by slack-morphism's types: a header, and a coloured attachment with the facts.

use slack_morphism::prelude::*;

use super::notice::{Notice, NoticeKind, cause_words, duration_words};
use super::slack_text::{FALLBACK, FIELD, HEADER, SECTION, code, escape, instant};

/// Metadata's event type; its payload holds the alert's id, by which a message is found again.
pub const EVENT_TYPE: &str = "upmesh_alert";
/// In a grouped message at most so many alerts are named.
pub const GROUP_LINES: usize = 20;
/// Slack takes metadata of a few kilobytes; so many ids fit.
pub const GROUP_IDS: usize = 60;

const DOWN: &str = "#d92d20";
const SEEN: &str = "#dc6803";
const RECOVERED: &str = "#12a150";

/// Makes messages with links to one dashboard.
#[derive(Debug, Clone)]
pub struct Blocks {
    public_url: String,
}

impl Blocks {
    /// `public_url` without a slash at its end, for example `https://status.example.org`.
    pub fn new(public_url: &str) -> Self {
        Self { public_url: public_url.trim_end_matches('/').to_owned() }
    }

    /// The message of one alert.
    pub fn single(&self, notice: &Notice) -> SlackMessageContent {
        let title = title(notice, HEADER);
        let mut facts = Vec::new();
        if let Some(said) = said(notice) {
            facts.push(SlackBlock::from(SlackSectionBlock::new().with_text(markdown(said))));
        }
        facts.push(SlackSectionBlock::new().with_fields(self.fields(notice)).into());
        facts.push(
            SlackContextBlock::new(vec![SlackContextBlockElement::MarkDown(SlackBlockMarkDownText::new(self.context(notice)))]).into(),
        );
        let fallback = match said(notice) {
            Some(said) => clip(format!("{} · {said}", self::title(notice, 500)), FALLBACK),
            None => self::title(notice, FALLBACK),
        };
        content(&title, fallback, colour(notice), facts, metadata(std::slice::from_ref(notice)))
    }

    /// One message for many alerts: a storm must not take a minute to be told.
    pub fn group(&self, notices: &[Notice]) -> SlackMessageContent {
        let of = |kind: NoticeKind| notices.iter().filter(|notice| notice.kind == kind).count();
        let (down, recovered) = (of(NoticeKind::Down), of(NoticeKind::Recovered));
        let (blind, sees) = (of(NoticeKind::Blind), of(NoticeKind::Sees));
        let mut parts = Vec::new();
        let counts = [(down, "down"), (recovered, "recovered"), (of(NoticeKind::Acknowledged), "acknowledged")];
        for (count, word) in counts.into_iter().chain([(blind, "regions blind"), (sees, "regions see again")]) {
            if count > 0 {
                parts.push(format!("{count} {word}"));
            }
        }
        let title = format!("{} {}", if down > 0 { "🔴" } else { "🟢" }, parts.join(", "));
        let mut facts: Vec<SlackBlock> = Vec::new();
        let mut text = String::new();
        for notice in notices.iter().take(GROUP_LINES) {
            let line = format!("{}\n", self.line(notice));
            if text.encode_utf16().count() + line.encode_utf16().count() > SECTION {
                facts.push(SlackSectionBlock::new().with_text(markdown(std::mem::take(&mut text))).into());
            }
            text.push_str(&line);
        }
        facts.push(SlackSectionBlock::new().with_text(markdown(text)).into());
        let more = notices.len().saturating_sub(GROUP_LINES);
        let all = format!("<{}/incidents|All incidents>", self.public_url);
        let context = if more > 0 { format!("and {more} more · {all}") } else { all };
        facts.push(SlackContextBlock::new(vec![SlackContextBlockElement::MarkDown(SlackBlockMarkDownText::new(context))]).into());
        let names: Vec<String> = notices.iter().take(10).map(|notice| escape(&notice.name, 60)).collect();
        let fallback = clip(format!("{title}: {}", names.join(", ")), FALLBACK);
        content(&title, fallback, if down > 0 { DOWN } else { RECOVERED }, facts, metadata(notices))
    }

    fn fields(&self, notice: &Notice) -> Vec<SlackBlockText> {
        let field = |name: &str, value: String| markdown(clip(format!("*{name}*\n{value}"), FIELD));
        if notice.is_sight() {
            let mut fields = vec![field("Region", escape(&notice.target, 300)), field("Blind since", instant(notice.since))];
            if let (Some(until), Some(duration)) = (notice.until, notice.duration_ms()) {
                fields.push(field("Sees since", instant(until)));
                fields.push(field("Was blind for", duration_words(duration)));
                fields.push(field("Slots unknown", notice.slots_unknown.to_string()));
            }
            return fields;
        }
        let link = format!("<{}/monitors/{}|{}>", self.public_url, notice.monitor, escape(&notice.name, 300));
        let mut fields = vec![field("Monitor", link), field("Target", code(&notice.target, 1500))];
        if !notice.regions.is_empty() {
            fields.push(field(if notice.regions.len() == 1 { "Region" } else { "Regions" }, escape(&notice.regions.join(", "), 1000)));
        }
        fields.push(field("Down since", instant(notice.since)));
        if let (Some(until), Some(duration)) = (notice.until, notice.duration_ms()) {
            fields.push(field("Up since", instant(until)));
            fields.push(field("Was down for", duration_words(duration)));
        }
        fields
    }

    fn context(&self, notice: &Notice) -> String {
        let id = notice.incident.to_string();
        let short = id.get(..8).unwrap_or(&id);
        let mut parts = if notice.is_sight() {
            vec![format!("<{}/system|The mesh in Upmesh>", self.public_url)]
        } else {
            vec![
                format!("<{}/incidents?incident={id}|Incident {short}>", self.public_url),
                format!("<{}/monitors/{}|Open in Upmesh>", self.public_url, notice.monitor),
            ]
        };
        if notice.doubtful {
            parts.push("sent again: the first attempt was not answered, so this may be a repeat".to_owned());
        }
        parts.join(" · ")
    }

    fn line(&self, notice: &Notice) -> String {
        let mark = match notice.kind {
            NoticeKind::Down => "🔴",
            NoticeKind::Acknowledged => "👀",
            NoticeKind::Recovered | NoticeKind::Sees => "🟢",
            NoticeKind::Blind => "🟠",
        };
        if notice.is_sight() {
            return format!("{mark} <{}/system|{}>", self.public_url, sight_words(notice));
        }
        let about = match (notice.kind, notice.duration_ms()) {
            (NoticeKind::Recovered, Some(duration)) => {
                notice.history().unwrap_or_else(|| format!("was down for {}", duration_words(duration)))
            }
            _ => notice.cause.as_deref().map_or_else(String::new, |cause| escape(cause_words(cause), 100)),
        };
        // The first copy may have been a message of its own, so the line says it, as a single message does.
        let repeat = if notice.doubtful { " · sent again, so this may be a repeat" } else { "" };
        format!("{mark} <{}/monitors/{}|{}> {about}{repeat}", self.public_url, notice.monitor, escape(&notice.name, 80))
    }
}

/// What happened to the sight of a region.
fn sight_words(notice: &Notice) -> String {
    let region = escape(&notice.target, 40);
    match (notice.kind, notice.duration_ms()) {
        (NoticeKind::Sees, Some(duration)) if notice.tells_opening => {
            format!("Prober in region {region} was blind for {}", duration_words(duration))
        }
        (NoticeKind::Sees, Some(duration)) => format!("Prober in region {region} sees again after {}", duration_words(duration)),
        _ => format!("Prober in region {region} is blind"),
    }
}

/// The header, and the first words of the notification.
fn title(notice: &Notice, max: usize) -> String {
    if notice.is_sight() {
        return format!("{} {}", if notice.kind == NoticeKind::Blind { "🟠" } else { "🟢" }, sight_words(notice));
    }
    let (mark, word) = match (notice.kind, notice.note.as_deref()) {
        (NoticeKind::Down, _) => ("🔴", "Down"),
        (NoticeKind::Acknowledged, _) => ("👀", "Acknowledged"),
        (NoticeKind::Recovered, Some("paused")) => ("⚪", "Paused"),
        (NoticeKind::Recovered, Some("deleted")) => ("⚪", "Deleted"),
        // The other two are named above.
        (NoticeKind::Recovered | NoticeKind::Blind | NoticeKind::Sees, _) => {
            ("🟢", if notice.tells_opening { "Was down" } else { "Recovered" })
        }
    };
    let tail = match notice.duration_ms() {
        Some(duration) if notice.tells_opening => format!(" for {}", duration_words(duration)),
        Some(duration) if notice.kind == NoticeKind::Recovered && notice.note.is_none() => format!(" after {}", duration_words(duration)),
        _ => String::new(),
    };
    let frame = format!("{mark} {word}: {tail}").encode_utf16().count();
    format!("{mark} {word}: {}{tail}", escape(&notice.name, max.saturating_sub(frame)))
}

/// What went wrong, or who has seen it.
fn said(notice: &Notice) -> Option<String> {
    if notice.kind == NoticeKind::Acknowledged {
        return notice.acknowledged_by.as_deref().map(|who| format!("*Acknowledged by* {}", escape(who, 300)));
    }
    if notice.is_sight() {
        let since = chrono::DateTime::from_timestamp(notice.since.div_euclid(1000), 0).unwrap_or_default().format("%H:%M:%S UTC");
        let why = notice.cause.as_deref().map_or("", cause_words);
        return Some(match notice.kind {
            NoticeKind::Blind => format!("Blind since {since}: {why}. What it does not reach is unknown, not down, until it sees again."),
            _ => format!("Was blind since {since}: {why}. {} slots are unknown.", notice.slots_unknown),
        });
    }
    let cause = notice.cause.as_deref().map(|cause| escape(cause_words(cause), 200));
    let detail = notice.detail.as_deref().filter(|detail| !detail.is_empty()).map(|detail| code(detail, 1000));
    let why = match (cause, detail) {
        (Some(cause), Some(detail)) => Some(format!("*Cause* {cause}: {detail}")),
        (Some(cause), None) => Some(format!("*Cause* {cause}")),
        (None, Some(detail)) => Some(format!("*Cause* {detail}")),
        (None, None) => None,
    };
    match (notice.history(), why) {
        (Some(history), Some(why)) => Some(format!("{history}. {why}")),
        (history, why) => history.or(why),
    }
}

fn colour(notice: &Notice) -> &'static str {
    match notice.kind {
        NoticeKind::Down => DOWN,
        NoticeKind::Acknowledged | NoticeKind::Blind => SEEN,
        NoticeKind::Recovered | NoticeKind::Sees => RECOVERED,
    }
}

fn metadata(notices: &[Notice]) -> SlackMessageMetadata {
    let ids = |id: fn(&Notice) -> String| notices.iter().take(GROUP_IDS).map(id).collect::<Vec<_>>().join(",");
    let payload = [("alerts", ids(|notice| notice.alert.to_string())), ("incidents", ids(|notice| notice.incident.to_string()))];
    SlackMessageMetadata::new(EVENT_TYPE.to_owned()).with_event_payload(payload.map(|(key, value)| (key.to_owned(), value)).into())
}

fn content(title: &str, text: String, colour: &str, facts: Vec<SlackBlock>, metadata: SlackMessageMetadata) -> SlackMessageContent {
    let header = SlackHeaderBlock::new(SlackBlockPlainText::new(title.to_owned()).into());
    let attachment = SlackMessageAttachment::new().with_color(colour.to_owned()).with_blocks(facts);
    SlackMessageContent::new().with_text(text).with_blocks(vec![header.into()]).with_attachments(vec![attachment]).with_metadata(metadata)
}

fn markdown(text: String) -> SlackBlockText {
    SlackBlockText::MarkDown(SlackBlockMarkDownText::new(text))
}

/// A last resort: what was put together keeps the limit, even where each part did.
fn clip(text: String, max: usize) -> String {
    if text.encode_utf16().count() <= max { text } else { text.chars().take(max / 2).collect() }
}

#[cfg(test)]
mod tests;
