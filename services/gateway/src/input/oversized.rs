//! A body that says it is too large is refused with a sentence. It is read away first: an answer on a connection that still
//! carries the body is often lost to the reset that follows, and the caller sees a broken connection instead.

use std::time::Duration;

use axum::extract::Request;
use futures::StreamExt;
use http::{StatusCode, header};
use service::Problem;

/// The largest body any route takes, in bytes: a monitor's settings with a 64 KiB request body and 50 headers.
pub(crate) const BODY_LIMIT: usize = 512 * 1024;
/// What is read away at most, and for how long; beyond it the connection just ends.
const MOST_READ: usize = 16 << 20;
const LONGEST: Duration = Duration::from_secs(5);

/// The request, unless its body says that it is too large.
pub(crate) async fn refuse(request: Request) -> Result<Request, Problem> {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_none_or(|length| length <= BODY_LIMIT) {
        return Ok(request);
    }
    let mut body = request.into_body().into_data_stream();
    let read_away = async {
        let mut read = 0;
        while let Some(Ok(chunk)) = body.next().await {
            read += chunk.len();
            if read > MOST_READ {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(LONGEST, read_away).await;
    Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than {} kB", BODY_LIMIT / 1024)))
}
