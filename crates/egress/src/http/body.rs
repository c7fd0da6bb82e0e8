//! Reading an answer's body: bounded, kept only as far as somebody looks at it.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncRead, AsyncWrite};

use super::HttpRequest;
use super::exchange::{Beside, Body};
use crate::failure::{Broken, FailureKind};

pub(super) struct Read {
    pub(super) kept: Bytes,
    pub(super) truncated: bool,
}

pub(super) async fn read<S: AsyncRead + AsyncWrite + Unpin>(
    mut body: Body,
    headers: &HeaderMap,
    request: &HttpRequest<'_>,
    connection: &mut Beside<'_, S>,
) -> Result<Read, Broken> {
    let mut kept = Kept::default();
    let mut seen = 0_usize;
    loop {
        let frame = match connection.beside(body.frame()).await {
            None => return Ok(Read { kept: kept.bytes(), truncated: false }),
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                let broken = Broken::of(&error);
                // A body that ends with its connection: many servers leave out TLS's farewell.
                let framed = headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
                if !framed && broken.kind == FailureKind::Reset && ended_early(&error) {
                    return Ok(Read { kept: kept.bytes(), truncated: false });
                }
                return Err(broken);
            }
        };
        // Trailers are of no interest.
        let Ok(data) = frame.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        kept.push(data, request.keep_body);
        if seen >= request.read_body {
            return Ok(Read { kept: kept.bytes(), truncated: true });
        }
    }
}

fn ended_early(error: &hyper::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::UnexpectedEof) {
            return true;
        }
        next = error.source();
    }
    false
}

/// The usual body is one frame, which needs no copy.
#[derive(Default)]
struct Kept {
    first: Bytes,
    rest: BytesMut,
}

impl Kept {
    fn push(&mut self, mut data: Bytes, limit: usize) {
        let room = limit.saturating_sub(self.first.len().max(self.rest.len()));
        data.truncate(room);
        if data.is_empty() {
        } else if self.first.is_empty() && self.rest.is_empty() {
            self.first = data;
        } else {
            if self.rest.is_empty() {
                self.rest.extend_from_slice(&self.first);
            }
            self.rest.extend_from_slice(&data);
        }
    }

    fn bytes(self) -> Bytes {
        if self.rest.is_empty() { self.first } else { self.rest.freeze() }
    }
}
