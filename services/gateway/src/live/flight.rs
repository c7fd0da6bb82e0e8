//! One computation for many readers: identical reads share an answer while it is computed and for a
//! moment after. Keys begin with the workspace and with what its reader may see, so nothing crosses between workspaces, nor from
//! an editor to a viewer.

use std::collections::HashMap;
use std::future::Future;
use std::io::Write as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, header};
use model::WorkspaceId;
use serde::Serialize;
use tokio::sync::OnceCell;

use crate::auth::Secrets;
use crate::error::ApiResult;

/// How long an answer may be given again, counted from the moment its computation began.
const KEEP_PAGES: Duration = Duration::from_millis(500);
const KEEP_SINGLES: Duration = Duration::from_millis(200);
/// Answers kept at once; beyond, the old ones go first, and then new ones are not kept.
/// A page has up to 600 kB, a single monitor 8 kB.
const MAX_PAGES: usize = 96;
const MAX_SINGLES: usize = 4096;
/// Smaller bodies are not worth compressing.
const MIN_GZIP: usize = 1024;

/// Whose answer to which question about which configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FlightKey {
    pub workspace: WorkspaceId,
    /// Whether it holds secrets.
    pub secrets: Secrets,
    /// Edition of configuration and verdicts: a change makes every older answer unreachable.
    pub edition: u64,
    /// The route and its parameters.
    pub question: String,
}

/// A JSON body, serialised once.
#[derive(Debug)]
pub(crate) struct Answer {
    plain: Bytes,
    gzip: OnceLock<Option<Bytes>>,
}

impl Answer {
    pub(crate) fn json<T: Serialize>(value: &T) -> ApiResult<Self> {
        let plain = serde_json::to_vec(value).map_err(|error| service::Problem::internal(&error))?;
        Ok(Self { plain: plain.into(), gzip: OnceLock::new() })
    }

    /// The answer as the reader likes it.
    pub(crate) fn respond(&self, request: &HeaderMap) -> Response {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if self.plain.len() >= MIN_GZIP
            && accepts_gzip(request)
            && let Some(gzip) = self.gzip.get_or_init(|| compress(&self.plain))
        {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            return (headers, gzip.clone()).into_response();
        }
        (headers, self.plain.clone()).into_response()
    }
}

/// Whether `Accept-Encoding` names gzip without refusing it.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let text = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(',').map(str::trim).any(|coding| coding.starts_with("gzip") && !coding.replace(' ', "").ends_with(";q=0"))
}

pub(crate) fn compress(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

struct Flight {
    began: Instant,
    cell: OnceCell<Arc<Answer>>,
}

/// The answers under way or just given.
pub(crate) struct Flights {
    kept: Mutex<HashMap<FlightKey, Arc<Flight>>>,
    max: usize,
    keep: Duration,
}

impl Flights {
    /// For pages of monitors.
    pub(crate) fn pages() -> Self {
        Self { kept: Mutex::default(), max: MAX_PAGES, keep: KEEP_PAGES }
    }

    /// For single monitors.
    pub(crate) fn singles() -> Self {
        Self { kept: Mutex::default(), max: MAX_SINGLES, keep: KEEP_SINGLES }
    }

    /// The answer to `key`, computed by at most one reader at a time. A failure is not kept.
    pub(crate) async fn get<F, Fut>(&self, key: FlightKey, compute: F) -> ApiResult<Arc<Answer>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = ApiResult<Answer>>,
    {
        let flight = self.join(key);
        flight.cell.get_or_try_init(|| async { compute().await.map(Arc::new) }).await.cloned()
    }

    fn join(&self, key: FlightKey) -> Arc<Flight> {
        let mut flights = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&key).filter(|flight| flight.began.elapsed() < self.keep) {
            return Arc::clone(flight);
        }
        if flights.len() >= self.max {
            flights.retain(|_, flight| flight.began.elapsed() < self.keep);
        }
        let flight = Arc::new(Flight { began: Instant::now(), cell: OnceCell::new() });
        if flights.len() < self.max {
            flights.insert(key, Arc::clone(&flight));
        }
        flight
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use uuid::Uuid;

    use super::*;

    fn key(workspace: u128, question: &str) -> FlightKey {
        FlightKey { workspace: Uuid::from_u128(workspace).into(), secrets: Secrets::Masked, edition: 1, question: question.to_owned() }
    }

    #[tokio::test]
    async fn concurrent_readers_share_one_computation_and_workspaces_do_not() {
        let (flights, computed) = (Flights::pages(), AtomicUsize::new(0));
        let ask = |workspace: u128| {
            let computed = &computed;
            flights.get(key(workspace, "list"), move || async move {
                computed.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                Answer::json(&Uuid::from_u128(workspace))
            })
        };
        let answers = futures::future::join_all((0..50).map(|n| ask(n % 2))).await;
        assert_eq!(computed.load(Ordering::SeqCst), 2);
        for (n, answer) in answers.into_iter().enumerate() {
            let expected = serde_json::to_vec(&Uuid::from_u128(n as u128 % 2)).expect("JSON");
            assert_eq!(answer.expect("an answer").plain, expected);
        }
    }

    #[tokio::test]
    async fn a_viewer_is_not_given_an_editors_answer() {
        let flights = Flights::singles();
        let editors = FlightKey { secrets: Secrets::Shown, ..key(1, "one") };
        let shown = flights.get(editors.clone(), || async { Answer::json(&"secret") }).await.expect("an answer");
        let masked = flights.get(key(1, "one"), || async { Answer::json(&"mask") }).await.expect("an answer");
        assert_ne!(shown.plain, masked.plain);
        let again = flights.get(editors, || async { Answer::json(&"later") }).await.expect("an answer");
        assert_eq!(shown.plain, again.plain);
    }

    #[tokio::test]
    async fn a_failure_is_not_kept_and_an_answer_ages() {
        let flights = Flights::pages();
        let failed = flights.get(key(1, "list"), || async { Err(crate::error::ApiError::no_monitor()) }).await;
        assert!(failed.is_err());
        let first = flights.get(key(1, "list"), || async { Answer::json(&1) }).await.expect("an answer");
        let again = flights.get(key(1, "list"), || async { Answer::json(&2) }).await.expect("an answer");
        assert_eq!(first.plain, again.plain);
        tokio::time::sleep(KEEP_PAGES).await;
        let later = flights.get(key(1, "list"), || async { Answer::json(&2) }).await.expect("an answer");
        assert_eq!(&later.plain[..], b"2");
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        let takes = |text: &str| accepts_gzip(&[(header::ACCEPT_ENCODING, text.parse().expect("a header"))].into_iter().collect());
        assert!(takes("gzip, deflate, br") && takes("br;q=1.0, gzip;q=0.8"));
        assert!(!takes("br") && !takes("gzip;q=0") && !takes(""));
    }
}
