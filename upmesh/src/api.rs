//! A client of the public API, for the commands that people run beside a mesh.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use service::{Error, Problem};
use url::{Host, Url};

/// Where a mesh listens if nothing says otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// Where the mesh is and who asks. In a checkout, what `make up` generated is found by itself.
#[derive(Debug, Clone, Args)]
pub struct Access {
    /// The mesh's public URL; http://127.0.0.1:8080 if nothing says otherwise.
    #[arg(long, env = "UPMESH_URL")]
    url: Option<String>,
    /// A bearer token, instead of e-mail and password.
    #[arg(long, env = "UPMESH_TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[arg(long, env = "ADMIN_EMAIL")]
    email: Option<String>,
    #[arg(long, env = "ADMIN_PASSWORD", hide_env_values = true)]
    password: Option<String>,
}

/// A logged-in client.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    url: String,
    token: String,
}

#[derive(Deserialize)]
struct Session {
    token: String,
}

impl Access {
    /// Does the work in a session, and ends it if it is of our own making: a command that runs every minute would leave thousands.
    pub async fn session<T>(&self, work: impl AsyncFnOnce(&Api) -> Result<T, Error>) -> Result<T, Error> {
        let api = self.connect().await?;
        let done = work(&api).await;
        // What is left behind ends by itself, later.
        let _: Result<Value, Error> =
            if self.token.is_none() { api.call(Method::POST, "/api/logout", None).await } else { Ok(Value::Null) };
        done
    }

    /// Logs in, unless a token was given.
    async fn connect(&self) -> Result<Api, Error> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build()?;
        let own = generated("UPMESH_URL").unwrap_or_else(|| DEFAULT_URL.to_owned());
        let url = self.url.as_deref().unwrap_or(&own).trim_end_matches('/').to_owned();
        let is_own = is_own(&url, &own);
        let mut api = Api { http, url, token: self.token.clone().unwrap_or_default() };
        if api.token.is_empty() {
            let email = credential("e-mail", self.email.as_deref(), generated("ADMIN_EMAIL"), is_own)?;
            let password = credential("password", self.password.as_deref(), generated("ADMIN_PASSWORD"), is_own)?;
            let body = serde_json::json!({ "email": email, "password": password });
            api.token = api.call::<Session>(Method::POST, "/api/login", Some(&body)).await?.token;
        }
        Ok(api)
    }
}

impl Api {
    /// Where people look at it.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.call(Method::GET, path, None).await
    }

    /// Sends `body` and reads the answer; an empty answer reads as JSON `null`.
    pub async fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&Value>) -> Result<T, Error> {
        self.call_if(method, path, body, None).await
    }

    /// As [`Api::call`], only if the resource is still at `revision`.
    pub async fn call_if<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        revision: Option<i64>,
    ) -> Result<T, Error> {
        let (status, bytes) = self.exchange(method, path, body, revision).await?;
        if !status.is_success() {
            return Err(refusal(status, &bytes));
        }
        Ok(serde_json::from_slice(if bytes.is_empty() { b"null" } else { &bytes })?)
    }

    /// Sees to it that the resource is gone, whoever removed it.
    pub async fn remove(&self, path: &str) -> Result<(), Error> {
        let (status, bytes) = self.exchange(Method::DELETE, path, None, None).await?;
        if status.is_success() || status == StatusCode::NOT_FOUND { Ok(()) } else { Err(refusal(status, &bytes)) }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        revision: Option<i64>,
    ) -> Result<(StatusCode, Bytes), Error> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(revision) = revision {
            request = request.header(reqwest::header::IF_MATCH, format!("\"{revision}\""));
        }
        let response = request.send().await.map_err(|error| unanswered(&self.url, error))?;
        Ok((response.status(), response.bytes().await?))
    }
}

/// Why there is no answer, with every cause, and what helps on this machine.
fn unanswered(url: &str, error: reqwest::Error) -> Error {
    let hint = if error.is_connect() && is_loopback(url) { "; `make up` starts a mesh here" } else { "" };
    Error::msg(format!("{url} does not answer: {}{hint}", Error::from(error.without_url())))
}

fn refusal(status: StatusCode, body: &[u8]) -> Error {
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        return Error::msg(format!("the mesh answered {status}"));
    };
    let mut text = format!("{} ({})", problem.title, problem.status);
    if !problem.detail.is_empty() {
        text = format!("{text}: {}", problem.detail);
    }
    for error in problem.errors {
        text = format!("{text}\n  {}: {}", error.field, error.message);
    }
    Error::msg(text)
}

/// Whether the mesh at `url` may see what `make up` generated: its own mesh, at `own`, or one on this machine.
fn is_own(url: &str, own: &str) -> bool {
    url == own.trim_end_matches('/') || is_loopback(url)
}

fn is_loopback(url: &str) -> bool {
    // Parsed as the client does, so that both see the same host.
    match Url::parse(url).as_ref().map(Url::host) {
        Ok(Some(Host::Domain(name))) => name == "localhost",
        Ok(Some(Host::Ipv4(address))) => address.is_loopback(),
        Ok(Some(Host::Ipv6(address))) => address.is_loopback(),
        Ok(None) | Err(_) => false,
    }
}

/// What to log in with: as given, or as generated, which nobody gets to see but our own mesh.
fn credential(what: &str, given: Option<&str>, generated: Option<String>, is_own: bool) -> Result<String, Error> {
    let why = match (given, generated) {
        (Some(given), _) => return Ok(given.to_owned()),
        (None, Some(generated)) if is_own => return Ok(generated),
        (None, Some(_)) => " for this URL (what `make up` generated is for its own mesh only)",
        (None, None) => "",
    };
    Err(Error::msg(format!("no {what}{why}: set --token, or --email and --password (or UPMESH_TOKEN, ADMIN_EMAIL, ADMIN_PASSWORD)")))
}

/// A value that `make up` has written into `.upmesh`, in this directory or one above.
fn generated(name: &str) -> Option<String> {
    let mut directory: PathBuf = std::env::current_dir().ok()?;
    loop {
        if let Ok(secrets) = std::fs::read_to_string(directory.join(".upmesh/secrets.env")) {
            let running = std::fs::read_to_string(directory.join(".upmesh/run/mesh.env")).unwrap_or_default();
            let mut lines = secrets.lines().chain(running.lines());
            return lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('=').map(str::to_owned));
        }
        if !directory.pop() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_every_field() {
        let body = br#"{"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"some fields need attention",
            "errors":[{"field":"interval_seconds","message":"is below 10"}]}"#;
        let text = refusal(StatusCode::UNPROCESSABLE_ENTITY, body).to_string();
        assert_eq!(text, "Unprocessable Entity (422): some fields need attention\n  interval_seconds: is below 10");
        assert_eq!(refusal(StatusCode::BAD_GATEWAY, b"<html>").to_string(), "the mesh answered 502 Bad Gateway");
    }

    #[test]
    fn what_was_generated_goes_to_our_own_mesh_alone() {
        let own = "http://10.0.0.7:8080/";
        for url in ["http://10.0.0.7:8080", DEFAULT_URL, "http://127.9.9.9", "http://LOCALHOST:1", "https://[::1]:8443"] {
            assert!(is_own(url, own), "{url}");
        }
        let others = [
            "https://upmesh.example.com",
            "http://10.0.0.7:8081",
            "http://127.0.0.1@evil.example",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil.example",
            "http://[::2]",
            "127.0.0.1:8080",
            "",
        ];
        for url in others {
            assert!(!is_own(url, own), "{url}");
        }
        let found = |given, is_own| credential("password", given, Some("generated".to_owned()), is_own);
        assert_eq!(found(None, true).unwrap(), "generated");
        assert_eq!(found(Some("given"), true).unwrap(), "given");
        assert_eq!(found(Some("given"), false).unwrap(), "given");
        let refused = found(None, false).unwrap_err().to_string();
        assert!(refused.contains("ADMIN_PASSWORD") && refused.contains("its own mesh"), "{refused}");
        assert!(credential("password", None, None, true).is_err());
    }

    #[tokio::test]
    async fn nobody_there_is_said_with_the_cause_and_what_helps() {
        // Fails only when one was installed before, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A port that was free a moment ago.
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let api = Api { http, url: format!("http://{address}"), token: String::new() };
        let error = api.get::<Value>("/api/me").await.unwrap_err().to_string();
        assert!(error.contains("does not answer") && error.contains("Connection refused"), "{error}");
        assert!(error.ends_with("`make up` starts a mesh here") && !error.contains('\n'), "{error}");
    }
}
