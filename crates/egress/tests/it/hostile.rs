use std::time::Duration;

use egress::{FailureKind, Phase};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::servers::{answering, head, server};
use crate::{Get, READ, egress};

#[tokio::test]
async fn a_plain_answer_comes_with_its_timings() {
    let server = answering("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-a: b\r\n\r\nhello").await;
    let answer = Get::new(&server.url()).ask(&egress()).await.unwrap();
    assert_eq!((answer.status, &answer.body[..], answer.truncated), (200, &b"hello"[..], false));
    assert_eq!(answer.headers["x-a"], "b");
    let timings = answer.timings;
    assert!(timings.connect.is_some() && timings.first_byte.is_some() && timings.transfer.is_some());
    assert_eq!((timings.resolve, timings.tls, answer.address), (None, None, server.address));
}

#[tokio::test]
async fn what_a_broken_target_does_has_a_type() {
    let egress = egress();
    let reset = server(async |stream| {
        let _ = stream.set_zero_linger();
    });
    assert_eq!(Get::new(&reset.await.url()).fails(&egress).await, FailureKind::Reset);
    let silent_close = answering("").await;
    assert_eq!(Get::new(&silent_close.url()).fails(&egress).await, FailureKind::Reset);
    let half = answering("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
    assert_eq!(Get::new(&half.url()).fails(&egress).await, FailureKind::Reset);
    for garbage in ["garbage\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/0.9 200 OK\r\n\r\n", "\0\0\0\0\r\n\r\n", "SSH-2.0-OpenSSH_9\r\n"] {
        let server = answering(garbage).await;
        assert_eq!(Get::new(&server.url()).fails(&egress).await, FailureKind::Protocol, "{garbage:?}");
    }
    let lengths = answering("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nhello").await;
    assert_eq!(Get::new(&lengths.url()).fails(&egress).await, FailureKind::Protocol);
    let vast = answering([b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'a'; 200_000]].concat()).await;
    assert_eq!(Get::new(&vast.url()).fails(&egress).await, FailureKind::Protocol);
    let many = answering(format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(500))).await;
    assert_eq!(Get::new(&many.url()).fails(&egress).await, FailureKind::Protocol);
    assert_eq!(Get::new("http://127.0.0.1:1/").fails(&egress).await, FailureKind::Refused);
}

#[tokio::test]
async fn one_deadline_covers_a_target_that_hangs_anywhere() {
    let egress = egress();
    let mute = server(async |mut stream| {
        head(&mut stream).await;
        std::future::pending::<()>().await;
    });
    let failure = Get::new(&mute.await.url()).ask(&egress).await.unwrap_err();
    assert_eq!((failure.kind, failure.phase), (FailureKind::Timeout, Phase::FirstByte));
    assert!(failure.timings.connect.is_some() && failure.timings.first_byte.is_none());

    let dripping = server(async |mut stream| {
        head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(b".").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let failure = Get::new(&dripping.await.url()).ask(&egress).await.unwrap_err();
    assert_eq!((failure.kind, failure.phase), (FailureKind::Timeout, Phase::Transfer));

    let continuing = server(async |mut stream| {
        head(&mut stream).await;
        while stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    assert_eq!(Get::new(&continuing.await.url()).fails(&egress).await, FailureKind::Timeout);
}

#[tokio::test]
async fn an_endless_body_is_read_up_to_its_cap() {
    let endless = server(async |mut stream| {
        head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        let chunk = vec![b'x'; 65_536];
        while stream.write_all(&chunk).await.is_ok() {}
    });
    let url = endless.await.url();
    let mut get = Get::new(&url);
    get.patience = Duration::from_secs(10);
    let answer = get.ask(&egress()).await.unwrap();
    assert!(answer.truncated);
    assert_eq!(answer.body.len(), READ);
}

#[tokio::test]
async fn a_body_that_ends_with_its_connection_is_whole() {
    let server = answering("HTTP/1.0 200 OK\r\n\r\nold but whole").await;
    let answer = Get::new(&server.url()).ask(&egress()).await.unwrap();
    assert_eq!((&answer.body[..], answer.truncated), (&b"old but whole"[..], false));
}

#[tokio::test]
async fn the_request_is_what_was_asked_for() {
    let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let server = server(move |mut stream| {
        let sender = sender.clone();
        async move {
            let mut text = head(&mut stream).await;
            if text.starts_with("POST") && !text.ends_with("body") {
                let _ = stream.read_buf(&mut Vec::new()).await;
                text.push_str("body");
            }
            sender.send(text).unwrap();
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    })
    .await;
    let url = format!("http://{}/a%20b/../c?q=1#fragment", server.address);
    let mut get = Get::new(&url);
    get.method = http::Method::POST;
    get.body = "body".into();
    get.headers.insert("X-Custom".to_owned(), "1".to_owned());
    assert_eq!(get.ask(&egress()).await.unwrap().status, 204);
    let text = seen.recv().await.unwrap().to_ascii_lowercase();
    assert!(text.starts_with("post /c?q=1 http/1.1\r\n"), "{text}");
    for line in [&format!("host: {}", server.address), "connection: close", "x-custom: 1", "content-length: 4", "user-agent: upmesh/"] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

#[tokio::test]
async fn loopback_is_refused_in_every_spelling_and_never_dialled() {
    let server = answering("HTTP/1.1 200 OK\r\n\r\n").await;
    let strict = egress::Egress::new(&egress::EgressConfig::default()).unwrap();
    let port = server.address.port();
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "localhost",
        "localhost.",
        "①②⑦.0.0.1",
        "0",
    ] {
        let url = format!("http://{host}:{port}/");
        assert_eq!(Get::new(&url).fails(&strict).await, FailureKind::Forbidden, "{url}");
    }
    assert_eq!(server.connections(), 0);
}
