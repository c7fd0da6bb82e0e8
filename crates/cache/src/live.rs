//! What the processor keeps in Redis for the gateway: the latest result of every monitor and region,
//! current history blocks, counts of the last hours.

mod counts;
mod staged;
mod write;

pub use counts::{decode_counts, encode_counts};
pub(crate) use staged::Followed;
pub use staged::StoredLatest;
pub use write::{LiveOutcome, LiveWrite};

use model::{Cause, CheckResult, Millis, MonitorId, Outcome, Region, known_cause};
use serde::{Deserialize, Serialize};

use crate::error::CacheError;

/// The latest result of a monitor in a region, as it is stored and published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveResult {
    // Slot and outcome lead: the script that stores it compares them where they stand.
    pub slot: Millis,
    pub outcome: Outcome,
    #[serde(default, deserialize_with = "known_cause", skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<u32>,
    /// HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_expires_at: Option<Millis>,
    pub started_at: Millis,
    /// Of the monitor's configuration; 0 where it is not known (restored from history).
    pub revision: i64,
}

impl From<CheckResult> for LiveResult {
    /// A suspect result says nothing about its target.
    fn from(result: CheckResult) -> Self {
        Self {
            slot: result.slot,
            outcome: if result.suspect { Outcome::Unknown } else { result.outcome },
            cause: result.cause,
            detail: result.detail,
            latency_us: result.latency_us,
            status: result.status,
            certificate_expires_at: result.certificate_expires_at,
            started_at: result.started_at,
            revision: result.revision,
        }
    }
}

/// The message of live updates: `{"kind":"results","items":[{monitor, region, …LiveResult}]}`.
/// `latest` is the stored JSON, which begins with `{`.
pub fn results_message<'a>(items: impl IntoIterator<Item = (MonitorId, &'a Region, &'a [u8])>) -> Vec<u8> {
    let mut message = br#"{"kind":"results","items":["#.to_vec();
    for (n, (monitor, region, latest)) in items.into_iter().enumerate() {
        if n > 0 {
            message.push(b',');
        }
        message.extend_from_slice(format!(r#"{{"monitor":"{monitor}","region":"{region}","#).as_bytes());
        message.extend_from_slice(latest.get(1..).unwrap_or(b"}"));
    }
    message.extend_from_slice(b"]}");
    message
}

impl crate::Cache {
    /// Publishes results that became the latest of their monitor and region.
    pub async fn publish_results(&self, items: &[(MonitorId, Region, bytes::Bytes)]) -> Result<(), CacheError> {
        // Messages stay small enough for a subscriber to take at once.
        for chunk in items.chunks(200) {
            let message = results_message(chunk.iter().map(|(monitor, region, latest)| (*monitor, region, latest.as_ref())));
            self.publish(&message).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_leads_with_slot_and_outcome_and_is_published_with_its_place() {
        let live = LiveResult {
            slot: 1_772_323_200_000,
            outcome: Outcome::Down,
            cause: Some(Cause::Timeout),
            detail: None,
            latency_us: None,
            status: None,
            certificate_expires_at: None,
            started_at: 1_772_323_200_004,
            revision: 3,
        };
        let json = serde_json::to_vec(&live).expect("JSON");
        assert!(json.starts_with(br#"{"slot":1772323200000,"outcome":"down","#));
        assert_eq!(serde_json::from_slice::<LiveResult>(&json).expect("read"), live);
        let monitor = MonitorId(uuid::Uuid::from_u128(1));
        let region: Region = "local".parse().expect("a region");
        let message = results_message([(monitor, &region, json.as_slice()), (monitor, &region, json.as_slice())]);
        let message: serde_json::Value = serde_json::from_slice(&message).expect("JSON");
        assert_eq!(message["kind"], "results");
        assert_eq!(message["items"][1]["region"], "local");
        assert_eq!(message["items"][1]["cause"], "timeout");
        assert_eq!(results_message([]), br#"{"kind":"results","items":[]}"#);
    }
}
