//! A signed JSON POST (Standard Webhooks). `webhook-id` is the alert's id, the same in every attempt:
//! the receiver drops a repeat by it.

use std::collections::BTreeMap;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use model::monitor::without;
use model::{Clock, SystemClock};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::Sha256;
use url::Url;

use super::notice::{Notice, NoticeKind};
use super::slack_transport::retry_after;
use super::{ATTEMPT, Channels, MaySend, SendFailure, Sent, check};

pub async fn send(
    channels: &Channels,
    url: &SecretString,
    secret: Option<&SecretString>,
    notices: &[Notice],
    may_send: MaySend<'_>,
) -> Result<Vec<Sent>, SendFailure> {
    for notice in notices {
        check(may_send)?;
        post(channels, url, secret, notice).await?;
    }
    Ok(vec![Sent::default(); notices.len()])
}

async fn post(channels: &Channels, url: &SecretString, secret: Option<&SecretString>, notice: &Notice) -> Result<(), SendFailure> {
    let body = body(notice, &channels.public_url);
    let seconds = SystemClock.now_ms().div_euclid(1000);
    let mut headers = BTreeMap::from([
        ("content-type".to_owned(), "application/json".to_owned()),
        ("webhook-id".to_owned(), notice.alert.to_string()),
        ("webhook-timestamp".to_owned(), seconds.to_string()),
    ]);
    if let Some(secret) = secret {
        headers.insert("webhook-signature".to_owned(), sign(secret, &notice.alert.to_string(), seconds, &body));
    }
    let answer = channels.egress.post(url.expose_secret(), &headers, Bytes::from(body), Instant::now() + ATTEMPT).await;
    let answer = answer.map_err(|failure| SendFailure::post(&failure))?;
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    let words = without_address(&String::from_utf8_lossy(&answer.body), url.expose_secret());
    Err(SendFailure::status(answer.status, retry_after(&answer.headers), &words))
}

/// What is shorter would be found in any text.
const SHORTEST_KEY: usize = 6;

/// Many servers name the path they do not know, and a webhook's path or query is often its key: whoever reads incidents would
/// read it.
fn without_address(words: &str, url: &str) -> String {
    let Ok(url) = Url::parse(url) else { return words.to_owned() };
    let mut parts = vec![url.query().unwrap_or_default().to_owned(), url.path().to_owned()];
    parts.retain(|part| part.len() > 1);
    let segments = url.path_segments().into_iter().flatten().map(str::to_owned);
    let values = url.query_pairs().map(|(_, value)| value.into_owned());
    parts.extend(segments.chain(values).filter(|part| part.len() >= SHORTEST_KEY));
    parts.sort_unstable_by_key(|part| std::cmp::Reverse(part.len()));
    without(words, &parts)
}

fn body(notice: &Notice, public_url: &str) -> String {
    let kind = match notice.kind {
        NoticeKind::Down => "incident.opened",
        NoticeKind::Acknowledged => "incident.acknowledged",
        NoticeKind::Recovered => "incident.resolved",
        NoticeKind::Blind => "prober.blind",
        NoticeKind::Sees => "prober.sees",
    };
    if notice.is_sight() {
        return json!({
            "type": kind,
            "timestamp": notice.created_at,
            "data": {
                "notice": notice.alert,
                "blindness": notice.incident,
                "region": notice.target,
                "reason": notice.cause,
                "since": notice.since,
                "until": notice.until,
                "slots_unknown": notice.slots_unknown,
                "tells_opening": notice.tells_opening,
                "repeat": notice.doubtful,
            }
        })
        .to_string();
    }
    json!({
        "type": kind,
        "timestamp": notice.created_at,
        "data": {
            "alert": notice.alert,
            "incident": notice.incident,
            "sequence": notice.sequence,
            "workspace": notice.workspace,
            "monitor": {"id": notice.monitor, "name": notice.name, "target": notice.target, "url": format!("{public_url}/monitors/{}", notice.monitor)},
            "cause": notice.cause,
            "detail": notice.detail,
            "regions": notice.regions,
            "opened_at": notice.since,
            "resolved_at": notice.until,
            "acknowledged_by": notice.acknowledged_by,
            "note": notice.note,
            "tells_opening": notice.tells_opening,
            "earlier_times": notice.earlier_times,
            "earlier_ms": notice.earlier_ms,
            "repeat": notice.doubtful,
        }
    })
    .to_string()
}

/// `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`. A secret `whsec_…` is base64.
fn sign(secret: &SecretString, id: &str, seconds: i64, body: &str) -> String {
    let secret = secret.expose_secret();
    let key = secret.strip_prefix("whsec_").and_then(|encoded| STANDARD.decode(encoded).ok()).unwrap_or_else(|| secret.as_bytes().to_vec());
    match Hmac::<Sha256>::new_from_slice(&key) {
        Ok(mut mac) => {
            mac.update(format!("{id}.{seconds}.{body}").as_bytes());
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        }
        // HMAC takes keys of any length.
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_does_not_repeat_the_address() {
        let hidden = |words: &str| without_address(words, "https://h.example/hook/s3cret?key=t0ken");
        assert_eq!(hidden("Cannot POST /hook/s3cret?key=t0ken"), "Cannot POST __masked__?__masked__");
        assert_eq!(hidden("No / here"), "No / here");
        assert_eq!(without_address("Cannot POST /", "https://h.example/"), "Cannot POST /");
    }

    #[test]
    fn the_signature_is_the_one_of_the_specification() {
        // The example of standard-webhooks' test vectors.
        let secret: SecretString = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into();
        let signed = sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
