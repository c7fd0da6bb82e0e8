//! A name server that says what a test wants.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use tokio::net::UdpSocket;

/// What is said about a name.
#[derive(Clone)]
pub enum Says {
    Addresses { ttl: u32, addresses: Vec<IpAddr> },
    Code(ResponseCode),
    Nothing,
}

pub struct NameServer {
    pub address: SocketAddr,
    queries: Arc<AtomicUsize>,
}

impl NameServer {
    pub fn queries(&self) -> usize {
        self.queries.load(Ordering::SeqCst)
    }
}

/// Answers by name, without its final dot.
pub async fn name_server(says: impl Fn(&str) -> Says + Send + 'static) -> NameServer {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let queries = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&queries);
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            count.fetch_add(1, Ordering::SeqCst);
            let query = Message::from_vec(&buffer[..length]).unwrap();
            let asked = query.queries[0].clone();
            let name = asked.name().to_string();
            let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
            answer.metadata.recursion_available = true;
            answer.add_query(asked.clone());
            match says(name.trim_end_matches('.')) {
                Says::Nothing => continue,
                Says::Code(code) => answer.metadata.response_code = code,
                Says::Addresses { ttl, addresses } => {
                    for address in addresses {
                        let data = match (address, asked.query_type()) {
                            (IpAddr::V4(v4), RecordType::A) => RData::A(v4.into()),
                            (IpAddr::V6(v6), RecordType::AAAA) => RData::AAAA(v6.into()),
                            _ => continue,
                        };
                        answer.add_answer(Record::from_rdata(asked.name().clone(), ttl, data));
                    }
                }
            }
            let _ = socket.send_to(&answer.to_vec().unwrap(), from).await;
        }
    });
    NameServer { address, queries }
}
