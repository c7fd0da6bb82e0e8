//! Slack's incoming webhook: every message is kept, each is answered `ok`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use model::Millis;
use tokio::task::JoinHandle;

use crate::now;

pub const OPENED: &str = "opened";
pub const RESOLVED: &str = "resolved";

/// One message as it arrived.
#[derive(Debug, Clone)]
pub struct Post {
    pub at: Millis,
    pub body: serde_json::Value,
}

impl Post {
    /// Whether the message names the monitor anywhere.
    pub fn names(&self, monitor: &str) -> bool {
        self.body.to_string().contains(monitor)
    }

    /// What phones show: the fallback text.
    pub fn text(&self) -> &str {
        self.body["text"].as_str().unwrap_or_default()
    }

    /// Whether it says that this monitor's trouble began or that it ended. A group has a line for each monitor.
    pub fn kind(&self, monitor: &str) -> &'static str {
        let link = format!("|{monitor}>");
        let blocks = self.body["attachments"][0]["blocks"].as_array();
        let mut lines = blocks.into_iter().flatten().filter_map(|block| block["text"]["text"].as_str()).flat_map(str::lines);
        let own = lines.find_map(|line| mark(line).filter(|_| line.contains(&link)));
        own.or_else(|| mark(self.text())).unwrap_or("neither")
    }
}

/// What a text of ours begins with: that something began, or that it ended.
pub fn mark(text: &str) -> Option<&'static str> {
    match text.chars().next()? {
        '🔴' => Some(OPENED),
        '🟢' => Some(RESOLVED),
        _ => None,
    }
}

/// The running endpoint; stops when dropped.
pub struct Slack {
    pub address: SocketAddr,
    posts: Arc<Mutex<Vec<Post>>>,
    server: JoinHandle<()>,
}

impl Slack {
    pub async fn start() -> Self {
        let posts = Arc::<Mutex<Vec<Post>>>::default();
        let app = Router::new().fallback(receive).with_state(Arc::clone(&posts));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move { axum::serve(listener, app).await.expect("Slack runs") });
        Self { address, posts, server }
    }

    /// For `SLACK_WEBHOOK_URL`.
    pub fn url(&self) -> String {
        format!("http://{}/services/T0/B0/x", self.address)
    }

    pub fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The messages that name this monitor.
    pub fn about(&self, monitor: &str) -> Vec<Post> {
        self.posts().into_iter().filter(|post| post.names(monitor)).collect()
    }

    /// What they say of it, in order: opened, resolved.
    pub fn kinds(&self, monitor: &str) -> Vec<&'static str> {
        self.about(monitor).iter().map(|post| post.kind(monitor)).collect()
    }
}

impl Drop for Slack {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(State(posts): State<Arc<Mutex<Vec<Post>>>>, body: String) -> &'static str {
    let body = serde_json::from_str(&body).unwrap_or(serde_json::Value::String(body));
    posts.lock().unwrap_or_else(PoisonError::into_inner).push(Post { at: now(), body });
    "ok"
}
