//! TCP: connect, perhaps send a text, perhaps expect one.

use std::time::{Duration, Instant};

use egress::{Failure, Phase};
use model::Cause;
use model::monitor::TcpProbe;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Answer, Attempt, Prober, micros, phases};
use crate::assertions::Compiled;

/// The expected text must come within this much of the answer.
const READ: usize = 64 * 1024;

pub(super) async fn attempt(prober: &Prober, probe: &TcpProbe, compiled: &Compiled, deadline: Instant) -> Attempt {
    let began = Instant::now();
    let mut connected = match prober.egress.connect(&probe.host, probe.port, deadline).await {
        Ok(connected) => connected,
        Err(failure) => return failure.into(),
    };
    let connected_at = Instant::now();
    if probe.send.is_some() || probe.expect.is_some() {
        match tokio::time::timeout_at(deadline.into(), converse(&mut connected.stream, probe)).await {
            Err(_late) => {
                let what = if probe.expect.is_some() { "the expected text did not come in time" } else { "the text was not taken in time" };
                return Attempt::down(Cause::Timeout, what.to_owned(), connected.timings);
            }
            Ok(Err(Broken::Answer(detail))) => return Attempt::down(Cause::Assertion, detail, connected.timings),
            // Whose failure it is, the kind says: a socket may break because our network went.
            Ok(Err(Broken::Socket(error))) => return Attempt::from(Failure::of_io(&error, Phase::Transfer, connected.timings)),
            Ok(Ok(first_byte)) => connected.timings.first_byte = first_byte.map(|at| at.duration_since(connected_at)),
        }
    }
    let latency = began.elapsed();
    prober.judged(
        compiled,
        &Answer { http: None, latency_us: micros(latency), phases: phases(connected.timings), certificate_expires_at: None },
    )
}

/// Why a conversation failed.
enum Broken {
    Socket(std::io::Error),
    /// What was said is not what was expected.
    Answer(String),
}

/// Answers when the first byte came, if one was waited for.
async fn converse(stream: &mut TcpStream, probe: &TcpProbe) -> Result<Option<Instant>, Broken> {
    if let Some(text) = &probe.send {
        stream.write_all(text.as_bytes()).await.map_err(Broken::Socket)?;
    }
    let Some(expected) = &probe.expect else { return Ok(None) };
    let mut heard = Vec::new();
    let mut first_byte = None;
    loop {
        let before = heard.len();
        let read = stream.read_buf(&mut heard).await.map_err(Broken::Socket)?;
        first_byte.get_or_insert_with(Instant::now);
        // The text may straddle two reads.
        let from = before.saturating_sub(expected.len());
        if heard.get(from..).unwrap_or_default().windows(expected.len().max(1)).any(|window| window == expected.as_bytes()) {
            return Ok(first_byte);
        }
        if read == 0 || heard.len() >= READ {
            return Err(Broken::Answer(format!("the answer ({} bytes) does not contain the expected text", heard.len())));
        }
        // A target that drips bytes without end is held by the deadline; one that floods, by the cap.
        if heard.capacity() - heard.len() < 1024 {
            heard.reserve(4096);
            tokio::time::sleep(Duration::ZERO).await;
        }
    }
}
