//! A Slack that does what a test tells it, and remembers everything it was sent: incoming webhooks, the
//! Web API calls of a bot, and any other POST (a sink for signed webhooks).

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What becomes of a POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlackBehaviour {
    /// Taken and answered.
    Ok,
    /// 429 with `Retry-After` in seconds; not taken.
    RateLimited(u64),
    /// This status; not taken.
    Status(u16),
    /// 200 with somebody else's page, as a proxy that wants a login answers; not taken.
    Page,
    /// 200 with `ok: false` and this word, on a webhook too; not taken.
    Failed(&'static str),
    /// Answered `ok: false` with this word; not taken. On a webhook: 400 with the word.
    Refused(&'static str),
    /// Taken, and never answered.
    Hang,
    /// Taken, then the connection is reset.
    Reset,
    /// The connection is reset before anything is read: nothing is recorded, though the sender cannot know.
    Drop,
    /// Taken and answered after a while.
    Slow(Duration),
}

/// One POST as it came.
#[derive(Debug, Clone)]
pub struct SlackPost {
    pub at: Instant,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Value,
    /// Slack took it: a reader of the channel would see it.
    pub taken: bool,
    /// What became of it.
    pub behaviour: SlackBehaviour,
}

impl SlackPost {
    /// The top-level text: what a notification shows.
    pub fn text(&self) -> &str {
        self.body["text"].as_str().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The running fake; stops when dropped.
pub struct FakeSlack {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    posts: Vec<SlackPost>,
    script: VecDeque<SlackBehaviour>,
    always: Option<SlackBehaviour>,
    /// What becomes of the next reads, and of every other.
    reading: VecDeque<SlackBehaviour>,
    always_reading: Option<SlackBehaviour>,
    /// The bot's channels, oldest message first.
    messages: Vec<Value>,
    /// `#ops` has this id, where it is not [`OPS`] any more.
    made_anew: Option<&'static str>,
    reads: usize,
}

/// The bot's channels, `#ops` and `#other`.
const OPS: &str = "C0FAKE";
const OTHER: &str = "C0OTHER";

impl State {
    fn ops(&self) -> &'static str {
        self.made_anew.unwrap_or(OPS)
    }

    /// The channel that a request means, if there is such a one.
    fn channel(&self, set: &str) -> Option<&'static str> {
        let (ops, set) = (self.ops(), set.replace("%23", "#"));
        if set == "#ops" || set == ops {
            return Some(ops);
        }
        (set == "#other" || set == OTHER).then_some(OTHER)
    }
}

impl FakeSlack {
    /// A Slack on a free loopback port that takes everything.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("address");
        let state = Arc::<Mutex<State>>::default();
        let server = tokio::spawn(run(listener, Arc::clone(&state)));
        Self { address, state, server }
    }

    /// For `SLACK_WEBHOOK_URL`.
    pub fn webhook_url(&self) -> String {
        format!("http://{}/services/T000/B000/secret", self.address)
    }

    /// For `SLACK_API_URL`.
    pub fn api_url(&self) -> String {
        format!("http://{}/api", self.address)
    }

    /// For a signed webhook.
    pub fn sink_url(&self) -> String {
        format!("http://{}/sink", self.address)
    }

    /// What becomes of the next POSTs, one each; the later ones are taken.
    pub fn script(&self, behaviours: impl IntoIterator<Item = SlackBehaviour>) {
        lock(&self.state).script.extend(behaviours);
    }

    /// Takes everything again.
    pub fn forget_script(&self) {
        lock(&self.state).script.clear();
    }

    /// What becomes of every POST beyond the script, until told otherwise.
    pub fn always(&self, behaviour: SlackBehaviour) {
        lock(&self.state).always = Some(behaviour);
    }

    /// What becomes of the next reads by a bot, one each: `RateLimited`, `Status`, `Page`, `Slow`, `Failed`. The later ones are answered.
    pub fn script_reads(&self, behaviours: impl IntoIterator<Item = SlackBehaviour>) {
        lock(&self.state).reading.extend(behaviours);
    }

    /// What becomes of every read beyond those, until told otherwise.
    pub fn always_reads(&self, behaviour: SlackBehaviour) {
        lock(&self.state).always_reading = Some(behaviour);
    }

    /// `#ops` is made anew: another channel, under another id, and the old one is gone.
    pub fn make_ops_anew(&self) {
        lock(&self.state).made_anew = Some("C0ANEW");
    }

    /// Every POST so far, `chat.update` included; reads are not.
    pub fn posts(&self) -> Vec<SlackPost> {
        lock(&self.state).posts.clone()
    }

    /// The POSTs that Slack took.
    pub fn taken(&self) -> Vec<SlackPost> {
        self.posts().into_iter().filter(|post| post.taken).collect()
    }

    /// The bot's channel as a reader sees it now, oldest first.
    pub fn messages(&self) -> Vec<Value> {
        lock(&self.state).messages.clone()
    }

    /// Others write so many messages into the bot's channel, with blocks and metadata that no type of ours may know.
    pub fn chatter(&self, messages: usize) {
        let mut state = lock(&self.state);
        let ops = state.ops();
        for _ in 0..messages {
            let ts = next_ts(&state);
            state.messages.push(json!({
                "type": "message", "text": "lunch?", "ts": ts, "channel": ops,
                "metadata": {"event_type": "poll", "event_payload": {"votes": 3, "open": true, "by": {"id": 7}}},
                "blocks": [{"type": "of_tomorrow", "content": []}],
            }));
        }
    }

    /// Changes what it remembers: for the proof that whoever compares would notice.
    pub fn edit_posts(&self, edit: impl FnOnce(&mut Vec<SlackPost>)) {
        edit(&mut lock(&self.state).posts);
    }

    /// How often the channel was read back.
    pub fn reads(&self) -> usize {
        lock(&self.state).reads
    }

    /// Waits until Slack took `count` POSTs; panics after `deadline` with what came.
    pub async fn wait_taken(&self, count: usize, deadline: Duration) -> Vec<SlackPost> {
        let begin = Instant::now();
        loop {
            let taken = self.taken();
            if taken.len() >= count {
                return taken;
            }
            if begin.elapsed() > deadline {
                let texts: Vec<_> = self.posts().iter().map(|post| format!("{} taken={} {}", post.path, post.taken, post.text())).collect();
                panic!("Slack took {} of {count} within {deadline:?}: {texts:#?}", taken.len());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Drop for FakeSlack {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn run(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let _ = serve(stream, &state).await;
        });
    }
}

async fn serve(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    // A POST is met with the next behaviour of the script; that one decides before it is read.
    if matches!(lock(state).script.front(), Some(SlackBehaviour::Drop)) {
        lock(state).script.pop_front();
        return reset(stream);
    }
    let Some((method, path, headers, body)) = read(&mut stream).await? else { return Ok(()) };
    if method == "GET" {
        return serve_read(&mut stream, state, &path).await;
    }
    let at = Instant::now();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let (behaviour, answer) = {
        let mut state = lock(state);
        let behaviour = state.script.pop_front().or_else(|| state.always.clone()).unwrap_or(SlackBehaviour::Ok);
        let taken = matches!(behaviour, SlackBehaviour::Ok | SlackBehaviour::Hang | SlackBehaviour::Reset | SlackBehaviour::Slow(_));
        let answer = if taken { take(&mut state, &path, &body) } else { Value::Null };
        let taken = taken && answer["error"] != "channel_not_found";
        state.posts.push(SlackPost { at, path: path.clone(), headers, body, taken, behaviour: behaviour.clone() });
        (behaviour, answer)
    };
    let api = path.starts_with("/api/");
    let (kind, text) = if api { ("application/json", answer.to_string()) } else { ("text/plain", "ok".to_owned()) };
    match behaviour {
        SlackBehaviour::Ok => reply(&mut stream, 200, kind, &text, None).await,
        SlackBehaviour::Slow(pause) => {
            tokio::time::sleep(pause).await;
            reply(&mut stream, 200, kind, &text, None).await
        }
        SlackBehaviour::RateLimited(seconds) => {
            reply(&mut stream, 429, "application/json", r#"{"ok":false,"error":"ratelimited"}"#, Some(seconds)).await
        }
        SlackBehaviour::Status(status) => reply(&mut stream, status, "text/plain", "trouble", None).await,
        SlackBehaviour::Page => reply(&mut stream, 200, "text/html", PAGE, None).await,
        SlackBehaviour::Failed(word) => reply(&mut stream, 200, "application/json", &failed(word), None).await,
        SlackBehaviour::Refused(word) if api => reply(&mut stream, 200, kind, &failed(word), None).await,
        SlackBehaviour::Refused(word) => reply(&mut stream, 400, "text/plain", word, None).await,
        SlackBehaviour::Hang => {
            tokio::time::sleep(Duration::from_mins(2)).await;
            Ok(())
        }
        SlackBehaviour::Reset | SlackBehaviour::Drop => reset(stream),
    }
}

const PAGE: &str = "<html><body>Log in to go on</body></html>";

fn failed(word: &str) -> String {
    json!({"ok": false, "error": word}).to_string()
}

async fn serve_read(stream: &mut TcpStream, state: &Mutex<State>, path: &str) -> std::io::Result<()> {
    let behaviour = {
        let mut state = lock(state);
        state.reading.pop_front().or_else(|| state.always_reading.clone()).unwrap_or(SlackBehaviour::Ok)
    };
    match behaviour {
        SlackBehaviour::RateLimited(seconds) => {
            return reply(stream, 429, "application/json", &failed("ratelimited"), Some(seconds)).await;
        }
        SlackBehaviour::Status(status) => return reply(stream, status, "text/plain", "trouble", None).await,
        SlackBehaviour::Page => return reply(stream, 200, "text/html", PAGE, None).await,
        SlackBehaviour::Failed(word) => return reply(stream, 200, "application/json", &failed(word), None).await,
        SlackBehaviour::Slow(pause) => tokio::time::sleep(pause).await,
        _ => {}
    }
    let answer = if path.starts_with("/api/conversations.list") { channels(lock(state).ops()) } else { history(&mut lock(state), path) };
    reply(stream, 200, "application/json", &answer.to_string(), None).await
}

fn next_ts(state: &State) -> String {
    format!("{}.{:06}", 1_900_000_000 + state.messages.len(), state.messages.len())
}

/// The effect of a POST that is taken, and the Web API's answer to it.
fn take(state: &mut State, path: &str, body: &Value) -> Value {
    let channel = state.channel(body["channel"].as_str().unwrap_or_default());
    if path.starts_with("/api/chat.") && channel.is_none() {
        return json!({"ok": false, "error": "channel_not_found"});
    }
    match path {
        "/api/chat.postMessage" => {
            let ts = next_ts(state);
            let mut message = body.clone();
            message["ts"] = json!(ts);
            message["type"] = json!("message");
            message["channel"] = json!(channel);
            state.messages.push(message.clone());
            json!({"ok": true, "channel": channel, "ts": ts, "message": message})
        }
        "/api/chat.update" => {
            let ts = body["ts"].clone();
            let Some(message) = state.messages.iter_mut().find(|message| message["ts"] == ts) else {
                return json!({"ok": false, "error": "message_not_found"});
            };
            for part in ["text", "blocks", "attachments"] {
                message[part] = body[part].clone();
            }
            message["edited"] = json!({"user": "U0BOT", "ts": ts});
            json!({"ok": true, "channel": channel, "ts": ts, "text": body["text"], "message": {"text": body["text"]}})
        }
        _ => json!({"ok": true}),
    }
}

/// `conversations.list`: the bot's channels under their names.
fn channels(ops: &str) -> Value {
    let channel = |id, name| json!({"id": id, "created": 1_700_000_000, "name": name});
    json!({"ok": true, "channels": [channel(OTHER, "other"), channel(ops, "ops")]})
}

/// `conversations.history`: newest first; replies only where they were broadcast. A cursor is the number of those seen before.
fn history(state: &mut State, path: &str) -> Value {
    if !path.starts_with("/api/conversations.history") {
        return json!({"ok": false, "error": "unknown_method"});
    }
    let query: HashMap<&str, &str> = path.split(['?', '&']).filter_map(|part| part.split_once('=')).collect();
    let Some(channel) = state.channel(query.get("channel").copied().unwrap_or_default()) else {
        return json!({"ok": false, "error": "channel_not_found"});
    };
    state.reads += 1;
    let number = |name, default| query.get(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (before, limit) = (number("cursor", 0), number("limit", 100));
    let with_metadata = path.contains("include_all_metadata=true");
    let there = state.messages.iter().rev().filter(|message| message["channel"] == channel);
    let shown = there.filter(|message| message["thread_ts"].is_null() || message["reply_broadcast"] == json!(true));
    let shown: Vec<&Value> = shown.collect();
    let more = shown.len().saturating_sub(before + limit) > 0;
    let messages: Vec<Value> = shown
        .into_iter()
        .skip(before)
        .take(limit)
        .map(|message| {
            let mut message = message.clone();
            if !with_metadata && let Some(fields) = message.as_object_mut() {
                fields.remove("metadata");
            }
            message
        })
        .collect();
    let next = if more { (before + limit).to_string() } else { String::new() };
    json!({"ok": true, "messages": messages, "has_more": more, "response_metadata": {"next_cursor": next}})
}

type Request = (String, String, Vec<(String, String)>, Vec<u8>);

async fn read(stream: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (first.next().unwrap_or_default().to_owned(), first.next().unwrap_or_default().to_owned());
    let headers: Vec<(String, String)> =
        lines.filter_map(|line| line.split_once(':')).map(|(key, value)| (key.trim().to_lowercase(), value.trim().to_owned())).collect();
    let length = headers.iter().find(|(key, _)| key == "content-length").and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some((method, path, headers, bytes.split_off(end))))
}

async fn reply(stream: &mut TcpStream, status: u16, kind: &str, body: &str, retry_after: Option<u64>) -> std::io::Result<()> {
    let retry_after = retry_after.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
    let text = format!(
        "HTTP/1.1 {status} Fake\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n{retry_after}connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

/// Closing without lingering sends RST.
fn reset(stream: TcpStream) -> std::io::Result<()> {
    stream.set_zero_linger()?;
    drop(stream);
    Ok(())
}
