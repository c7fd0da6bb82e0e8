//! The dashboard, compiled in. Hashed files are kept for ever, everything else is asked for again.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use axum::response::{Html, IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use rust_embed::RustEmbed;
use service::Problem;

use crate::live::{accepts_gzip, compress};

#[derive(RustEmbed)]
#[folder = "$UPMESH_DASHBOARD"]
struct Built;

/// One file.
struct Asset {
    bytes: Bytes,
    gzip: OnceLock<Option<Bytes>>,
    mime: String,
    etag: String,
    /// Its name changes with its content.
    hashed: bool,
}

/// Every file of the dashboard.
pub(crate) struct Assets(HashMap<String, Asset>);

static ASSETS: LazyLock<Assets> = LazyLock::new(Assets::load);

impl Assets {
    fn load() -> Self {
        let files = Built::iter().filter(|path| !path.ends_with(".map")).filter_map(|path| {
            let file = Built::get(&path)?;
            let asset = Asset {
                bytes: Bytes::from(file.data.into_owned()),
                gzip: OnceLock::new(),
                mime: file.metadata.mimetype().to_owned(),
                etag: format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..16])),
                hashed: path.starts_with("assets/"),
            };
            Some((path.into_owned(), asset))
        });
        Self(files.collect())
    }

    /// A file by its path without the leading slash.
    pub(crate) fn response(path: &str, request: &HeaderMap) -> Option<Response> {
        ASSETS.0.get(path).map(|asset| asset.respond(request))
    }
}

impl Asset {
    fn respond(&self, request: &HeaderMap) -> Response {
        let mut headers = HeaderMap::with_capacity(6);
        let cache = if self.hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            headers.insert(header::ETAG, etag);
        }
        let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        if known.is_some_and(|known| known.split(',').any(|etag| etag.trim().trim_start_matches("W/") == self.etag)) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let text = self.mime.starts_with("text/") || ["javascript", "json", "svg", "xml"].iter().any(|kind| self.mime.contains(kind));
        let mime = if self.mime.starts_with("text/") { format!("{}; charset=utf-8", self.mime) } else { self.mime.clone() };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(&mime).unwrap_or(HeaderValue::from_static("application/octet-stream")));
        if text
            && self.bytes.len() > 1024
            && accepts_gzip(request)
            && let Some(gzip) = self.gzip.get_or_init(|| compress(&self.bytes))
        {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            return (headers, gzip.clone()).into_response();
        }
        (headers, self.bytes.clone()).into_response()
    }
}

/// Whatever no route takes: a file, else the dashboard, which knows its own paths.
pub(crate) async fn dashboard(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let ours = path == "api" || path.starts_with("api/") || path.starts_with("doc/") || path.starts_with("reference/");
    if let Some(found) = Assets::response(path, &headers).filter(|_| is_read(&method)) {
        return found;
    }
    // A missing file is not a page: a script that turns out to be HTML is hard to understand.
    if ours || !is_read(&method) || path.starts_with("assets/") || path.rsplit('/').next().is_some_and(|name| name.contains('.')) {
        return Problem::not_found(format!("nothing is served at {}", clip(uri.path()))).into_response();
    }
    Assets::response("index.html", &headers).unwrap_or_else(|| (StatusCode::SERVICE_UNAVAILABLE, Html(NOT_BUILT)).into_response())
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn clip(path: &str) -> String {
    path.chars().take(200).collect()
}

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Upmesh</title>\
    <h1>The dashboard was not built</h1>\
    <p>Run <code>make dashboard</code>, then build and start the gateway again. The API works: see <a href=\"/doc\">/doc</a>.</p>";

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(path: &'static str) -> Response {
        dashboard(Method::GET, Uri::from_static(path), HeaderMap::new()).await
    }

    #[tokio::test]
    async fn an_unknown_api_path_is_no_page() {
        for path in ["/api/nothing", "/api", "/assets/gone.js", "/favicon-gone.ico", "/reference/gone.js"] {
            let response = get(path).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        }
    }

    #[tokio::test]
    async fn any_other_path_is_the_dashboards() {
        let response = get("/monitors/7").await;
        // Built or not, it is a page for people.
        assert!(response.headers()[header::CONTENT_TYPE].to_str().expect("text").starts_with("text/html"));
        let posted = dashboard(Method::POST, Uri::from_static("/monitors/7"), HeaderMap::new()).await;
        assert_eq!(posted.status(), StatusCode::NOT_FOUND);
    }
}
