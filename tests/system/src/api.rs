//! The public API as a script uses it: log in, keep the bearer token, ask.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use uuid::Uuid;

/// A status and a body, read as JSON where it is some.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: Value,
}

impl Answer {
    /// The fields a problem names.
    pub fn fields(&self) -> Vec<String> {
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().filter_map(|error| error["field"].as_str().map(str::to_owned)).collect()
    }
}

/// One user of one mesh. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    base: String,
    client: Client,
    token: Option<String>,
}

impl Api {
    /// Without a session.
    pub fn anonymous(address: SocketAddr) -> Self {
        // Fails only when one was installed before, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // No connection outlives a request: a replica that is killed must not take the next request with it.
        let client = Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(Duration::from_secs(20)).build().expect("a client");
        Self { base: format!("http://{address}"), client, token: None }
    }

    pub async fn login(address: SocketAddr, email: &str, password: &str) -> Self {
        let mut api = Self::anonymous(address);
        let answer = api.send(Method::POST, "/api/login", Some(json!({"email": email, "password": password}))).await;
        assert_eq!(answer.status, 200, "login: {}", answer.body);
        api.token = Some(answer.body["token"].as_str().expect("login returns a token").to_owned());
        api
    }

    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let body = body.map(|body| ("application/json", body.to_string()));
        self.try_raw(method.clone(), path, body.as_ref().map(|(kind, body)| (*kind, body.as_bytes().to_vec())))
            .await
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Any bytes under any content type; an error where no answer came.
    pub async fn try_raw(&self, method: Method, path: &str, body: Option<(&str, Vec<u8>)>) -> Result<Answer, reqwest::Error> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some((content_type, body)) = body {
            request = request.header("content-type", content_type).body(body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, content_type, body })
    }

    /// Creates a monitor and gives its id.
    pub async fn create(&self, spec: Value) -> String {
        let answer = self.post("/api/monitors", spec).await;
        assert_eq!(answer.status, 201, "create: {}", answer.body);
        answer.body["id"].as_str().expect("an id").to_owned()
    }

    /// Creates monitors, several at a time; their names by id.
    pub async fn create_all(&self, specs: impl IntoIterator<Item = Value>) -> BTreeMap<Uuid, String> {
        let create = async |spec: Value| {
            let name = spec["name"].as_str().expect("a name").to_owned();
            (self.create(spec).await.parse().expect("an id"), name)
        };
        stream::iter(specs).map(create).buffer_unordered(3).collect().await
    }

    /// A monitor's state as the list and the page show it.
    pub async fn state(&self, id: &str) -> String {
        self.get(&format!("/api/monitors/{id}")).await.body["status"]["state"].as_str().unwrap_or_default().to_owned()
    }

    /// Every check of the monitor in `[from, to)`, as (slot, outcome), oldest first.
    pub async fn checks(&self, id: &str, from: i64, to: i64) -> Vec<(i64, String)> {
        let answer = self.get(&format!("/api/monitors/{id}/checks?from={from}&to={to}&limit=1000")).await;
        assert_eq!(answer.status, 200, "checks: {}", answer.body);
        let checks = answer.body["checks"].as_array().cloned().unwrap_or_default();
        let mut checks: Vec<(i64, String)> = checks
            .iter()
            .map(|check| (check["slot"].as_i64().unwrap_or_default(), check["outcome"].as_str().unwrap_or_default().to_owned()))
            .collect();
        checks.sort();
        checks
    }
}

/// A monitor of a farm's target at the shortest interval that alerts at once, so that tests need not wait long.
pub fn monitor(name: &str, url: &str) -> Value {
    json!({
        "name": name,
        "probe": {"kind": "http", "url": url},
        "interval_seconds": 10,
        "timeout_ms": 2000,
        "alert": {"failures_to_open": 1, "successes_to_close": 1, "notify": true, "channels": []},
    })
}
