//! `GET /reference`: the API to read and to try, with everything it needs from here, so that it works offline.

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};

use super::assets::Assets;
use super::guard::REFERENCE_POLICY;

/// Scalar's bundle, copied there by the dashboard's build.
const SCRIPT: &str = "reference/standalone.js";

/// The page.
pub(crate) async fn reference() -> Response {
    // Asked for like a reader that takes no compression: only whether it is there matters.
    let built = Assets::response(SCRIPT, &HeaderMap::new()).is_some();
    let mut response = Html(if built { PAGE } else { NOT_BUILT }).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(REFERENCE_POLICY));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

const PAGE: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Upmesh API</title></head><body>\
    <script id=\"api-reference\" data-url=\"/doc\" \
    data-configuration=\"{&quot;withDefaultFonts&quot;:false,&quot;telemetry&quot;:false,&quot;hideClientButton&quot;:true,\
    &quot;showDeveloperTools&quot;:&quot;never&quot;,&quot;agent&quot;:{&quot;disabled&quot;:true},&quot;mcp&quot;:{&quot;disabled&quot;:true}}\"></script>\
    <script src=\"/reference/standalone.js\"></script></body></html>";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Upmesh API</title>\
    <h1>The API reference was not built</h1>\
    <p>Run <code>make dashboard</code>, then build and start the gateway again. The document itself is at <a href=\"/doc\">/doc</a>.</p>";
