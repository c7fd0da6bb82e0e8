//! A name server for one purpose: every A question is answered with 127.0.1.<1…50> and a TTL of nothing.

use std::net::Ipv4Addr;

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

/// The question with one A record, or with none where another type was asked.
fn answer(question: &[u8], host: u8) -> Option<Vec<u8>> {
    let mut end = 12;
    while *question.get(end)? != 0 {
        end += usize::from(*question.get(end)?) + 1;
    }
    let wanted = question.get(end + 1..end + 3)?;
    let is_a = wanted == [0, 1];
    // Header: same id, response + recursion, one question, one answer (or none).
    let mut out = Vec::with_capacity(end + 24);
    out.extend_from_slice(&question[..2]);
    out.extend_from_slice(&[0x85, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    out.extend_from_slice(question.get(12..end + 5)?);
    if is_a {
        // A pointer to the name, type A, class IN, TTL 0, four bytes.
        out.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 1, host]);
    }
    Some(out)
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
