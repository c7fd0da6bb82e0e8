//! A name server on loopback that can be told to fail: every name it knows is 127.0.0.1, for no time at all.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use testkit::dns_answer;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// What it says to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    Addresses,
    /// SERVFAIL.
    Failure,
    Nothing,
}

struct State {
    says: Says,
    /// Questions that got no address.
    refused: u64,
}

/// The running name server; ends when dropped.
pub struct NameServer {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

impl NameServer {
    pub async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = socket.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State { says: Says::Addresses, refused: 0 }));
        let shared = Arc::clone(&state);
        let server = tokio::spawn(async move {
            let mut buffer = [0; 1500];
            loop {
                // An error is that of an earlier answer, to whom nobody listens any more.
                let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
                let says = {
                    let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    state.refused += u64::from(state.says != Says::Addresses);
                    state.says
                };
                if let Some(answer) = answer(&buffer[..length], says) {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Self { address, state, server }
    }

    /// From the next question on.
    pub fn say(&self, says: Says) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).says = says;
    }

    /// How many questions got no address so far.
    pub fn refused(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).refused
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn answer(question: &[u8], says: Says) -> Option<Vec<u8>> {
    match says {
        Says::Addresses => dns_answer(question, Ok(Ipv4Addr::LOCALHOST)),
        Says::Failure => dns_answer(question, Err(2)),
        Says::Nothing => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_as_told() {
        let mut question = vec![7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        question.extend(b"\x01a\x04test\0\0\x01\0\x01");
        let address = answer(&question, Says::Addresses).expect("an answer");
        assert_eq!((&address[..4], &address[address.len() - 4..]), ([7, 9, 0x85, 0x80].as_slice(), [127, 0, 0, 1].as_slice()));
        let failure = answer(&question, Says::Failure).expect("an answer");
        assert_eq!((&failure[..8], &failure[12..]), ([7, 9, 0x85, 0x82, 0, 1, 0, 0].as_slice(), &question[12..]));
        assert_eq!(answer(&question, Says::Nothing), None);
        assert_eq!(answer(&question[..14], Says::Addresses), None);
    }
}
