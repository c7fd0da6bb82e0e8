use egress::{Egress, EgressConfig, FailureKind, Phase};
use hickory_resolver::proto::op::ResponseCode;

use crate::dns::{NameServer, Says, name_server};
use crate::servers::answering;
use crate::{Get, loopback};

fn asking(server: &NameServer) -> Egress {
    Egress::new(&EgressConfig { name_servers: Some(vec![server.address]), ..loopback() }).unwrap()
}

fn addresses(list: &[&str]) -> Says {
    Says::Addresses { ttl: 60, addresses: list.iter().map(|address| address.parse().unwrap()).collect() }
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_the_targets_and_a_resolver_that_fails_is_ours() {
    let server = name_server(|name| match name {
        "gone.test" => Says::Code(ResponseCode::NXDomain),
        "broken.test" => Says::Code(ResponseCode::ServFail),
        "refused.test" => Says::Code(ResponseCode::Refused),
        "empty.test" => addresses(&[]),
        _ => Says::Nothing,
    })
    .await;
    let egress = asking(&server);
    assert_eq!(Get::new("http://gone.test/").fails(&egress).await, FailureKind::DnsNotFound);
    assert_eq!(Get::new("http://empty.test/").fails(&egress).await, FailureKind::DnsNotFound);
    assert_eq!(Get::new("http://broken.test/").fails(&egress).await, FailureKind::Resolver);
    assert_eq!(Get::new("http://refused.test/").fails(&egress).await, FailureKind::Resolver);
    let failure = Get::new("http://silent.test/").ask(&egress).await.unwrap_err();
    assert_eq!((failure.kind, failure.phase), (FailureKind::Resolver, Phase::Resolve));
}

#[tokio::test]
async fn one_forbidden_address_among_others_refuses_the_name() {
    let server = name_server(|name| match name {
        "metadata.test" => addresses(&["169.254.169.254"]),
        "mixed.test" => addresses(&["127.0.0.1", "10.0.0.1"]),
        "hidden.test" => addresses(&["::ffff:10.0.0.1"]),
        _ => Says::Nothing,
    })
    .await;
    let egress = asking(&server);
    for url in ["http://metadata.test/", "http://mixed.test/", "http://hidden.test/"] {
        assert_eq!(Get::new(url).fails(&egress).await, FailureKind::Forbidden, "{url}");
    }
}

#[tokio::test]
async fn names_are_cached_for_their_ttl_and_dialled_as_judged() {
    let target = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let server = name_server(|name| match name {
        "kept.test" => addresses(&["127.0.0.1"]),
        _ => Says::Addresses { ttl: 0, addresses: vec!["127.0.0.1".parse().unwrap()] },
    })
    .await;
    let egress = asking(&server);
    for _ in 0..5 {
        let url = format!("http://kept.test:{}/", target.address.port());
        assert_eq!(Get::new(&url).ask(&egress).await.unwrap().status, 200);
    }
    assert_eq!(server.queries(), 1);
    for _ in 0..3 {
        let url = format!("http://fleeting.test:{}/", target.address.port());
        assert_eq!(Get::new(&url).ask(&egress).await.unwrap().status, 200);
    }
    assert_eq!(server.queries(), 4);
}

#[tokio::test]
async fn a_dead_address_gives_way_to_the_next_and_ipv6_is_used_where_there_is_no_other() {
    let target = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let v6 = tokio::net::TcpListener::bind("[::1]:0").await.unwrap();
    let v6_port = v6.local_addr().unwrap().port();
    let server = name_server(|name| match name {
        "two.test" => addresses(&["127.0.0.9", "127.0.0.1"]),
        "six.test" => addresses(&["::1"]),
        _ => Says::Nothing,
    })
    .await;
    let egress = asking(&server);
    let url = format!("http://two.test:{}/", target.address.port());
    let answer = Get::new(&url).ask(&egress).await.unwrap();
    assert_eq!(answer.address, target.address);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(1);
    let connected = egress.connect("six.test", v6_port, deadline).await.unwrap();
    assert_eq!(connected.address, v6.local_addr().unwrap());
}
