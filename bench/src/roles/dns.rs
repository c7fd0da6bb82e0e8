//! A name server for one purpose: every A question is answered with 127.0.1.<1…50> and a TTL of nothing.

use std::net::Ipv4Addr;

use testkit::dns_answer;
use tokio::net::UdpSocket;

use super::{Ready, say};

#[derive(Debug, clap::Args)]
pub struct Options {
    /// UDP port on 127.0.0.1; 0 takes any.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    say(&Ready { port: socket.local_addr()?.port() })?;
    let mut buffer = [0_u8; 1500];
    let mut host = 0_u8;
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await?;
        host = host % 50 + 1;
        if let Some(answer) = answer(&buffer[..length], host) {
            socket.send_to(&answer, from).await?;
        }
    }
}

fn answer(question: &[u8], host: u8) -> Option<Vec<u8>> {
    dns_answer(question, Ok(Ipv4Addr::new(127, 0, 1, host)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_question_gets_a_loopback_address() {
        let mut question = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        question.extend_from_slice(b"\x01a\x04test\x00\x00\x01\x00\x01");
        let answer = answer(&question, 9).expect("an answer");
        assert_eq!(&answer[..2], &[7, 7]);
        assert_eq!(&answer[answer.len() - 4..], &[127, 0, 1, 9]);
        assert_eq!(super::answer(&question[..14], 9), None);
    }
}
