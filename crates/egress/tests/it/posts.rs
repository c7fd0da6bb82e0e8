use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use egress::FailureKind;

use crate::egress;
use crate::servers::{answering, head, no_tls, server};

async fn post(url: &str) -> Result<egress::PostAnswer, egress::PostFailure> {
    egress().post(url, &BTreeMap::new(), "{}".into(), Instant::now() + Duration::from_millis(700)).await
}

#[tokio::test]
async fn an_answer_is_given_whatever_its_status() {
    let server = answering("HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\nslow").await;
    let answer = post(&server.url()).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (429, &b"slow"[..]));
    assert_eq!(answer.headers["retry-after"], "7");
    let moved = answering("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(post(&moved.url()).await.unwrap().status, 302, "redirects are not followed");
}

#[tokio::test]
async fn a_delivery_is_doubtful_only_where_bytes_were_on_the_way() {
    let refused = post("http://127.0.0.1:1/").await.unwrap_err();
    assert_eq!((refused.failure.kind, refused.doubtful), (FailureKind::Refused, false));
    let forbidden = post("http://10.0.0.1/").await.unwrap_err();
    assert_eq!((forbidden.failure.kind, forbidden.doubtful), (FailureKind::Forbidden, false));
    let plain = no_tls().await;
    let no_tls = post(&plain.url().replace("http://", "https://")).await.unwrap_err();
    assert_eq!((no_tls.failure.kind, no_tls.doubtful), (FailureKind::Tls, false));

    let hanging = server(async |mut stream| {
        head(&mut stream).await;
        std::future::pending::<()>().await;
    });
    let hung = post(&hanging.await.url()).await.unwrap_err();
    assert_eq!((hung.failure.kind, hung.doubtful), (FailureKind::Timeout, true));
    let taken_then_reset = server(async |mut stream| {
        head(&mut stream).await;
        let _ = stream.set_zero_linger();
    });
    let reset = post(&taken_then_reset.await.url()).await.unwrap_err();
    assert_eq!((reset.failure.kind, reset.doubtful), (FailureKind::Reset, true));
}

#[tokio::test]
async fn a_failure_never_repeats_the_secret_in_the_url() {
    for url in ["http://127.0.0.1:1/services/T0/B0/hunter2", "https://10.0.0.1/hunter2?token=hunter2", "nonsense hunter2"] {
        let failure = post(url).await.unwrap_err();
        assert!(!format!("{failure} {failure:?}").contains("hunter2"), "{failure:?}");
    }
}
