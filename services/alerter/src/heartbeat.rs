//! Lets someone else watch the watcher: a URL asked every minute while results are truly judged.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use egress::{Egress, HttpRequest};
use model::{Clock, SystemClock};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

const EVERY: Duration = Duration::from_mins(1);
/// Nothing judged for so long is silence, whatever the reason.
const SILENCE_SECONDS: i64 = 120;

pub async fn beat(url: SecretString, egress: Egress, metrics: Metrics, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if SystemClock.now_ms() / 1000 - metrics.last_judged.get() > SILENCE_SECONDS {
            tracing::warn!("no result was judged lately; the heartbeat is withheld");
            continue;
        }
        let request = HttpRequest {
            url: url.expose_secret(),
            method: http::Method::GET,
            headers: &BTreeMap::new(),
            body: Bytes::new(),
            max_redirects: 3,
            verify_tls: true,
            keep_body: 0,
            read_body: 64 * 1024,
        };
        match egress.http(&request, Instant::now() + Duration::from_secs(10)).await {
            Ok(answer) if answer.status < 400 => {}
            Ok(answer) => tracing::warn!(status = answer.status, "the heartbeat was refused"),
            Err(error) => tracing::warn!(%error, "the heartbeat did not arrive"),
        }
    }
}
