//! What a name server answers to one question.

use std::net::Ipv4Addr;

/// The question again, with one A record of no lifetime, with none where another type was asked, or with a failure (its RCODE).
/// None where it is no question.
pub fn dns_answer(question: &[u8], says: Result<Ipv4Addr, u8>) -> Option<Vec<u8>> {
    let mut end = 12;
    while *question.get(end)? != 0 {
        end += usize::from(*question.get(end)?) + 1;
    }
    let is_a = question.get(end + 1..end + 3)? == [0, 1];
    let address = says.ok().filter(|_| is_a);
    // Same id, response + recursion, one question, one answer or none.
    let mut answer = question.get(..2)?.to_vec();
    answer.extend([0x85, 0x80 | says.err().unwrap_or(0), 0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
    answer.extend(question.get(12..end + 5)?);
    if let Some(address) = address {
        // A pointer to the name, type A, class IN, TTL 0, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}
