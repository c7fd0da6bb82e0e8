//! A request body under a deadline: clients that send a byte a minute would otherwise keep their connections.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

struct Timely<B> {
    body: B,
    until: Pin<Box<Sleep>>,
}

/// The body; an error once it is not there whole after `patience`.
pub(crate) fn timely<B>(body: B, patience: Duration) -> Body
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    if body.is_end_stream() {
        return Body::new(body);
    }
    Body::new(Timely { body, until: Box::pin(sleep(patience)) })
}

impl<B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin> HttpBody for Timely<B> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(axum::Error::new)));
        }
        this.until.as_mut().poll(cx).map(|()| Some(Err(axum::Error::new(std::io::Error::from(std::io::ErrorKind::TimedOut)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    fn dripping(bytes: usize) -> Body {
        let frames = futures::stream::iter(0..bytes).then(|_| async {
            sleep(Duration::from_secs(1)).await;
            Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b"x")))
        });
        timely(StreamBody::new(Box::pin(frames)), Duration::from_secs(10))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_takes_too_long_is_an_error() {
        assert_eq!(dripping(9).collect().await.expect("in time").to_bytes().len(), 9);
        assert!(dripping(1_000).collect().await.is_err());
    }
}
