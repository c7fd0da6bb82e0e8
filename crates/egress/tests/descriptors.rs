//! Out of file descriptors: our trouble, typed so, and over when they are back. A process of its own, as it
//! takes all there are.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::{Duration, Instant};

use bytes::Bytes;
use egress::{Egress, EgressConfig, FailureKind, HttpRequest, parse_networks};

/// A limit above this is not worth reaching.
const MOST: usize = 1 << 20;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(2)
}

async fn asked(egress: &Egress, url: &str) -> Option<FailureKind> {
    let headers = BTreeMap::new();
    let request = HttpRequest {
        url,
        method: http::Method::GET,
        headers: &headers,
        body: Bytes::new(),
        max_redirects: 0,
        verify_tls: true,
        keep_body: 0,
        read_body: 1024,
    };
    egress.http(&request, soon()).await.err().map(|failure| failure.kind)
}

#[tokio::test]
async fn without_descriptors_every_check_is_our_failure_and_with_them_none() {
    // The other end lies in another process, which has descriptors of its own: a listener's backlog in the kernel.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = EgressConfig {
        allowed: parse_networks("127.0.0.0/8").unwrap(),
        name_servers: Some(vec!["127.0.0.1:1".parse().unwrap()]),
        ..EgressConfig::default()
    };
    let egress = Egress::new(&config).unwrap();
    assert!(egress.connect("127.0.0.1", port, soon()).await.is_ok());

    let mut taken = Vec::new();
    while taken.len() < MOST {
        match File::open("/dev/null") {
            Ok(file) => taken.push(file),
            Err(error) => {
                assert_eq!(egress::io_kind(&error), FailureKind::Resources, "{error}");
                break;
            }
        }
    }
    assert!(taken.len() < MOST, "this machine has no limit worth a test");
    let kind = egress.connect("127.0.0.1", port, soon()).await.err().map(|failure| failure.kind);
    assert_eq!(kind, Some(FailureKind::Resources));
    assert_eq!(asked(&egress, &format!("http://127.0.0.1:{port}/")).await, Some(FailureKind::Resources));
    assert_eq!(asked(&egress, "http://shop.test/").await, Some(FailureKind::Resolver), "a resolver without a socket");
    let kinds = [FailureKind::Resources, FailureKind::Resolver, FailureKind::LocalNetwork, FailureKind::Internal, FailureKind::Forbidden];
    assert!(kinds.iter().all(|kind| !kind.is_targets()));

    drop(taken);
    assert!(egress.connect("127.0.0.1", port, soon()).await.is_ok(), "they are back");
}
