//! A connection that fails when its peer takes nothing of what is written: whoever asks and never reads the answer would
//! otherwise keep its place for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

pub(crate) struct Impatient<S> {
    stream: S,
    patience: Duration,
    /// Runs while a write waits; a peer that takes a part sets it back, and where nothing is to be written there is none.
    until: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    /// The stream; a write fails once nothing of it was taken for `patience`.
    pub(crate) fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, until: None }
    }

    fn judge(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.until = None;
            return written;
        }
        let patience = self.patience;
        ready!(self.until.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing of its answer")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

// Of a TCP stream only writes wait: flushing does nothing, and shutting down tells the kernel.
impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.judge(written, cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.judge(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::Instant;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);
    const ROOM: usize = 16;

    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_or_is_sent_nothing_lives_on_and_who_never_reads_does_not() {
        let (stream, mut peer) = duplex(ROOM);
        let mut stream = Impatient::new(stream, PATIENCE);
        let begin = Instant::now();
        let reader = async {
            for _ in 0..9 {
                sleep(PATIENCE * 9 / 10).await;
                peer.read_exact(&mut [0; ROOM]).await.expect("as much as there was room for");
            }
        };
        let (written, ()) = tokio::join!(stream.write_all(&[0; 10 * ROOM]), reader);
        written.expect("it was taken, bit by bit");
        assert!(begin.elapsed() > 8 * PATIENCE);
        sleep(100 * PATIENCE).await;
        peer.read_exact(&mut [0; ROOM]).await.expect("the last");
        stream.write_all(&[0; ROOM]).await.expect("nothing waited meanwhile");
        let begin = Instant::now();
        assert_eq!(stream.write_all(&[0]).await.expect_err("nobody reads").kind(), io::ErrorKind::TimedOut);
        assert!(begin.elapsed() >= PATIENCE);
    }
}
