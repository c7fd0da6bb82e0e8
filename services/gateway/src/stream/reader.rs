//! One reader's stream: hello, events, heartbeats; ends with the session and with the process.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::Stream;
use http::{HeaderValue, header};
use service::{Problem, VERSION};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::hub::{Seat, Told};
use crate::api::Hello;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiResult;

/// Shorter than the idle limit of every proxy we know of. Also how long a revoked session is still told.
const HEARTBEAT: Duration = Duration::from_secs(15);

struct Reader {
    app: App,
    caller: Caller,
    seat: Seat,
    heartbeat: Interval,
    hello: Option<Arc<Told>>,
}

/// Opens the stream.
pub(crate) fn read(app: &App, caller: Caller) -> ApiResult<Response> {
    let full = || Problem::unavailable("this gateway has as many live streams as it can serve, in all or for one person: close some");
    let seat = app.hub().join(caller.workspace(), caller.session.user.id).ok_or_else(full)?;
    // After the seat is taken: whatever changes from now on is told.
    let hello = Hello { now: app.now(), version: VERSION.to_owned(), live: app.hub().is_live() };
    let hello = serde_json::to_vec(&hello).unwrap_or_default();
    let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let hello = Some(app.hub().event("hello", hello.into()));
    let reader = Reader { app: app.clone(), caller, seat, heartbeat, hello };
    let mut response = Body::from_stream(events(reader)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would hold events back until a buffer is full.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn events(reader: Reader) -> impl Stream<Item = Result<Bytes, Infallible>> {
    futures::stream::unfold(reader, |mut reader| async move {
        let chunk = reader.next().await?;
        Some((Ok(chunk), reader))
    })
}

impl Reader {
    /// The next bytes; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(hello) = self.hello.take() {
            return Some(written(&hello));
        }
        tokio::select! {
            // The browser comes back by itself, to a gateway that lives.
            () = self.app.shutdown().cancelled() => None,
            told = self.seat.next() => Some(written(&told.unwrap_or_else(|| self.app.hub().event("resync", Bytes::from_static(b"{}"))))),
            _ = self.heartbeat.tick() => match self.app.sessions().find(&self.caller.token, self.caller.address).await {
                Ok(None) => None,
                // Where nobody can tell whether the session still holds, it is given the benefit of the doubt.
                Ok(Some(_)) | Err(_) => Some(Bytes::from_static(b": alive\n\n")),
            },
        }
    }
}

fn written(told: &Told) -> Bytes {
    let mut text = Vec::with_capacity(told.data.len() + 64);
    text.extend_from_slice(format!("id: {}\nevent: {}\ndata: ", told.id, told.name).as_bytes());
    // JSON holds no line breaks, so one data line is enough.
    text.extend_from_slice(&told.data);
    text.extend_from_slice(b"\n\n");
    text.into()
}
