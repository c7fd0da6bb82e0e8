use egress::FailureKind;
use http::Method;
use tokio::io::AsyncWriteExt as _;

use crate::servers::{Server, answering, head, server};
use crate::{Get, egress};

/// Redirects to `location`, with any status.
async fn redirecting(status: u16, location: &str) -> Server {
    answering(format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")).await
}

/// Answers 200 with the request's head as body.
async fn mirror() -> Server {
    server(async |mut stream| {
        let text = head(&mut stream).await;
        let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()).as_bytes()).await;
    })
    .await
}

#[tokio::test]
async fn redirects_are_followed_up_to_the_limit() {
    let egress = egress();
    let goal = answering("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngoal").await;
    let hop = redirecting(302, &goal.url()).await;
    let answer = Get::new(&hop.url()).ask(&egress).await.unwrap();
    assert_eq!((answer.status, answer.redirects, &answer.body[..]), (200, 1, &b"goal"[..]));

    let relative = redirecting(301, "/again").await;
    assert_eq!(Get::new(&relative.url()).fails(&egress).await, FailureKind::Redirect);
    assert_eq!(relative.connections(), 4, "the first and three redirects");

    let url = hop.url();
    let mut get = Get::new(&url);
    get.max_redirects = 0;
    assert_eq!(get.ask(&egress).await.unwrap().status, 302);
}

#[tokio::test]
async fn a_redirect_is_a_new_target_to_judge() {
    let egress = egress();
    for location in
        ["http://169.254.169.254/latest/meta-data", "http://[::ffff:10.0.0.1]/", "http://0x0a000001/", "http://100.100.100.200/"]
    {
        let hop = redirecting(302, location).await;
        assert_eq!(Get::new(&hop.url()).fails(&egress).await, FailureKind::Forbidden, "{location}");
    }
    for location in ["ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_", "http://user:pass@127.0.0.1/", "http://"] {
        let hop = redirecting(302, location).await;
        assert_eq!(Get::new(&hop.url()).fails(&egress).await, FailureKind::Redirect, "{location}");
    }
}

#[tokio::test]
async fn credentials_stay_with_the_host_they_were_meant_for() {
    let goal = mirror().await;
    let hop = redirecting(307, &goal.url()).await;
    let url = hop.url();
    let mut get = Get::new(&url);
    get.headers.insert("authorization".to_owned(), "Bearer secret".to_owned());
    get.headers.insert("x-key".to_owned(), "secret".to_owned());
    let answer = get.ask(&egress()).await.unwrap();
    let mirrored = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(!mirrored.contains("secret"), "{mirrored}");
}

/// Redirects from `/` to `/goal` of the same server, which mirrors.
async fn moved_within(status: u16) -> Server {
    server(move |mut stream| async move {
        let text = head(&mut stream).await;
        let answer = if text.contains(" /goal ") {
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len())
        } else {
            format!("HTTP/1.1 {status} Moved\r\nlocation: /goal\r\ncontent-length: 0\r\n\r\n")
        };
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await
}

fn post(url: &str) -> Get<'_> {
    let mut post = Get::new(url);
    post.method = Method::POST;
    post.body = "x".into();
    post
}

#[tokio::test]
async fn a_post_becomes_a_get_where_browsers_do_so() {
    for (status, method) in [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")] {
        let server = moved_within(status).await;
        let answer = post(&server.url()).ask(&egress()).await.unwrap();
        assert!(answer.body.starts_with(method.as_bytes()), "{status}: {:?}", answer.body);
        let length = b"content-length: 1";
        let carries = answer.body.windows(length.len()).any(|part| part.eq_ignore_ascii_case(length));
        assert_eq!(carries, method == "POST", "{status}: {:?}", answer.body);
    }
}

#[tokio::test]
async fn a_body_is_not_taken_to_another_origin() {
    for (status, method) in [(302, "PUT"), (307, "POST"), (308, "POST")] {
        let goal = mirror().await;
        let hop = redirecting(status, &goal.url()).await;
        let url = hop.url();
        let mut sent = post(&url);
        sent.method = method.parse().unwrap();
        let failure = sent.ask(&egress()).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Redirect, "{status}");
        assert!(failure.detail.contains("set the URL"), "{}", failure.detail);
        assert_eq!(goal.connections(), 0, "{status}");
        // Without one there is nothing to keep, and the method stays.
        sent.body = bytes::Bytes::new();
        let answer = sent.ask(&egress()).await.unwrap();
        assert!(answer.body.starts_with(method.as_bytes()), "{status}: {:?}", answer.body);
    }
}
