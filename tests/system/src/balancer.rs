//! What a Kubernetes Service does: one address, several replicas, the next one where one is gone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Passes connections on to the backends in turn; stops when dropped.
pub struct Balancer {
    pub address: SocketAddr,
    server: JoinHandle<()>,
}

impl Balancer {
    pub async fn start(backends: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        let backends = Arc::new(backends);
        let turn = Arc::new(AtomicUsize::new(0));
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, Arc::clone(&backends), Arc::clone(&turn)));
            }
        });
        Self { address, server }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass(mut stream: TcpStream, backends: Arc<Vec<SocketAddr>>, turn: Arc<AtomicUsize>) {
    let first = turn.fetch_add(1, Ordering::Relaxed);
    for n in 0..backends.len() {
        let backend = backends[(first + n) % backends.len()];
        if let Ok(mut upstream) = TcpStream::connect(backend).await {
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut upstream).await;
            return;
        }
    }
}
