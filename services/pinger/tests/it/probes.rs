//! One attempt of the kinds that are no HTTP, at real sockets, by the code that the schedule and `upmesh check` share.

use std::net::SocketAddr;
use std::time::Duration;

use egress::EgressConfig;
use model::{Cause, MonitorSpec, Outcome};
use pinger::{Attempt, OnceOptions, check_once};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// For what answers at once.
const PATIENT_MS: u32 = 5_000;
/// For what never answers.
const SHORT_MS: u32 = 300;
/// Between two words of a server.
const PAUSE: Duration = Duration::from_millis(100);
const QUESTION: &str = "PING\r\n";

/// One attempt, not confirmed.
async fn once(probe: &Value, timeout_ms: u32) -> Attempt {
    let spec = json!({"name": "m", "interval_seconds": 10, "timeout_ms": timeout_ms, "probe": probe});
    let spec: MonitorSpec = serde_json::from_value(spec).expect("a spec");
    let allowed = egress::parse_networks("127.0.0.0/8").expect("networks");
    let options = OnceOptions { egress: EgressConfig { allowed, ..EgressConfig::default() }, confirm: false };
    check_once(&spec, &options).await.expect("settings that work").0
}

/// What a server does after its last word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Waits,
    Closes,
}

/// Answers one caller who asks the question, in these words with a pause between them.
async fn server(words: &'static [&'static str], then: Then) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a caller");
        let mut asked = [0_u8; QUESTION.len()];
        stream.read_exact(&mut asked).await.expect("the whole question");
        if asked.as_slice() != QUESTION.as_bytes() {
            return;
        }
        for (n, word) in words.iter().enumerate() {
            if n > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            stream.write_all(word.as_bytes()).await.expect("a word is taken");
        }
        if then == Then::Waits {
            let _ = stream.read(&mut asked).await;
        }
    });
    address
}

async fn ask(words: &'static [&'static str], then: Then, timeout_ms: u32) -> Attempt {
    let address = server(words, then).await;
    let probe = json!({"kind": "tcp", "host": "127.0.0.1", "port": address.port(), "send": QUESTION, "expect": "+PONG"});
    once(&probe, timeout_ms).await
}

#[tokio::test]
async fn an_echo_of_this_machine_is_up_and_unknown_where_the_socket_is_refused() {
    let echo = once(&json!({"kind": "icmp", "host": "127.0.0.1"}), PATIENT_MS).await;
    if echo.outcome == Outcome::Up {
        assert_eq!((echo.cause, &echo.detail), (None, &None));
        assert!(echo.latency_us.is_some_and(|us| us < PATIENT_MS * 1000), "{echo:?}");
        assert_eq!(echo.phases.first_byte_us, echo.latency_us);
    } else {
        // A machine that forbids ICMP to its programs says nothing about the target.
        assert_eq!((echo.outcome, echo.cause), (Outcome::Unknown, Some(Cause::Unsupported)), "{echo:?}");
        assert!(echo.latency_us.is_none() && echo.detail.is_some(), "{echo:?}");
    }
}

#[tokio::test]
async fn the_expected_text_is_up_whether_the_server_closes_or_waits() {
    for then in [Then::Waits, Then::Closes] {
        let attempt = ask(&["hello\r\n+PONG\r\n"], then, PATIENT_MS).await;
        assert_eq!((attempt.outcome, attempt.cause), (Outcome::Up, None), "{attempt:?}");
        assert!(
            attempt.latency_us.is_some() && attempt.phases.connect_us.is_some() && attempt.phases.first_byte_us.is_some(),
            "{attempt:?}"
        );
    }
}

#[tokio::test]
async fn the_expected_text_may_come_in_two_pieces() {
    let attempt = ask(&["hello\r\n+PO", "NG\r\n"], Then::Waits, PATIENT_MS).await;
    assert_eq!((attempt.outcome, attempt.cause), (Outcome::Up, None), "{attempt:?}");
    // It waited for the second.
    assert!(attempt.latency_us.is_some_and(|us| u128::from(us) >= PAUSE.as_micros()), "{attempt:?}");
}

#[tokio::test]
async fn another_text_is_down_by_what_was_expected() {
    // The second holds all of the text but its last letter.
    const SAID: [&[&str]; 2] = [&["-ERR\r\n"], &["+PON", "+PON"]];
    for words in SAID {
        let attempt = ask(words, Then::Closes, PATIENT_MS).await;
        assert_eq!((attempt.outcome, attempt.cause), (Outcome::Down, Some(Cause::Assertion)), "{words:?}: {attempt:?}");
        assert!(attempt.detail.as_deref().is_some_and(|detail| detail.contains("does not contain the expected text")), "{attempt:?}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_or_never_what_is_expected_is_down_by_timeout() {
    const SAID: [&[&str]; 2] = [&[], &["-ERR\r\n"]];
    for words in SAID {
        let attempt = ask(words, Then::Waits, SHORT_MS).await;
        assert_eq!((attempt.outcome, attempt.cause), (Outcome::Down, Some(Cause::Timeout)), "{words:?}: {attempt:?}");
        assert!(attempt.latency_us.is_none() && attempt.phases.connect_us.is_some(), "{attempt:?}");
    }
}
