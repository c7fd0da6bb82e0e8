//! Tells Kafka at once that a group's members are dead, which it would notice itself ten seconds later.
//! Only to fit more trials into a minute; rows about rebalances and pauses leave it to Kafka.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const DESCRIBE_GROUPS: i16 = 15;
const LEAVE_GROUP: i16 = 13;

/// Removes every member of `group` but those that live, by their ids.
pub async fn bury(broker: &str, group: &str, living: &[String]) {
    let work = async {
        let mut stream = TcpStream::connect(broker).await?;
        let mut members = members(&mut stream, group).await?;
        members.retain(|member| !living.contains(member));
        if members.is_empty() {
            return Ok(());
        }
        let mut body = Vec::new();
        string(&mut body, group);
        count(&mut body, members.len());
        for member in &members {
            string(&mut body, member);
            body.extend((-1_i16).to_be_bytes());
        }
        call(&mut stream, LEAVE_GROUP, 3, &body).await.map(drop)
    };
    match tokio::time::timeout(Duration::from_secs(5), work).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => eprintln!("the members of {group} are left to Kafka: {error}"),
        Err(_) => eprintln!("the members of {group} are left to Kafka: no answer"),
    }
}

/// The members of `group` now; none where Kafka does not say.
pub async fn living(broker: &str, group: &str) -> Vec<String> {
    let work = async { members(&mut TcpStream::connect(broker).await?, group).await };
    tokio::time::timeout(Duration::from_secs(5), work).await.ok().and_then(Result::ok).unwrap_or_default()
}

async fn members(stream: &mut TcpStream, group: &str) -> io::Result<Vec<String>> {
    let mut body = Vec::new();
    count(&mut body, 1);
    string(&mut body, group);
    body.push(0);
    let answer = call(stream, DESCRIBE_GROUPS, 4, &body).await?;
    let mut read = Reader(&answer);
    read.skip(4)?;
    let mut found = Vec::new();
    for _ in 0..read.int()? {
        read.skip(2)?;
        for _ in 0..4 {
            read.string()?;
        }
        for _ in 0..read.int()? {
            found.push(read.string()?);
            for _ in 0..3 {
                read.string()?;
            }
            for _ in 0..2 {
                let length = read.int()?;
                read.skip(usize::try_from(length).unwrap_or(0))?;
            }
        }
        read.skip(4)?;
    }
    Ok(found)
}

async fn call(stream: &mut TcpStream, key: i16, version: i16, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    request.extend(key.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(1_i32.to_be_bytes());
    string(&mut request, "faults");
    request.extend(body);
    stream.write_i32(i32::try_from(request.len()).map_err(io::Error::other)?).await?;
    stream.write_all(&request).await?;
    let length = usize::try_from(stream.read_i32().await?).map_err(io::Error::other)?;
    let mut answer = vec![0; length.min(1 << 20)];
    stream.read_exact(&mut answer).await?;
    Ok(answer.split_off(4.min(answer.len())))
}

fn count(to: &mut Vec<u8>, n: usize) {
    to.extend(i32::try_from(n).unwrap_or(0).to_be_bytes());
}

fn string(to: &mut Vec<u8>, text: &str) {
    to.extend(i16::try_from(text.len()).unwrap_or(0).to_be_bytes());
    to.extend(text.as_bytes());
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn skip(&mut self, n: usize) -> io::Result<()> {
        self.0 = self.0.get(n..).ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(())
    }

    fn int(&mut self) -> io::Result<i32> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
        self.0 = rest;
        Ok(i32::from_be_bytes(*bytes))
    }

    /// Empty where there is none.
    fn string(&mut self) -> io::Result<String> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
        let length = usize::try_from(i16::from_be_bytes(*bytes)).unwrap_or(0);
        let text = rest.get(..length).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.0 = &rest[length..];
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}
