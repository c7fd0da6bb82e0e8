//! Dead letters: shown with the reason, driven again once.

use std::sync::Arc;

use events::{Topics, headers};
use kafka::{Letter, Record};
use service::Problem;
use store::Store;
use store::redrives::{LetterPlace, Redrive};

use super::{Log, PATIENCE};
use crate::api::{DeadLetter, DeadLetterPage};
use crate::error::ApiResult;

/// Of a payload so much is shown.
const SHOWN: usize = 4_096;
/// A redrive that Kafka never confirmed may be tried again after this.
const STALE_MS: model::Millis = 300_000;

/// What became of a redrive.
pub(crate) enum Redriven {
    Done(Box<DeadLetter>),
    /// By whom it was driven before.
    Before,
    Gone,
}

/// The newest dead letters of a topic.
pub(crate) async fn list(log: &Log, store: &Store, topic: &str, limit: usize) -> ApiResult<DeadLetterPage> {
    let letters = Topics::dead_letter(topic);
    let found = kafka::newest_letters(&log.config, &letters, limit, PATIENCE).await.map_err(|error| away(&error))?;
    let cluster = kafka::cluster_id(&log.config, PATIENCE).await.map_err(|error| away(&error))?;
    let oldest = found.letters.iter().map(|letter| letter.offset).min().unwrap_or(i64::MAX);
    let redrives = store.redrives(&cluster, &letters, oldest).await?;
    let shown = found.letters.iter().map(|letter| {
        let redrive = redrives.iter().find(|one| (one.partition, one.offset) == (letter.partition, letter.offset));
        show(log, topic, letter, redrive)
    });
    Ok(DeadLetterPage { topic: log.plain(topic).to_owned(), count: found.count, letters: shown.collect() })
}

/// Produces a letter's record to its topic again, unless somebody did before.
pub(crate) async fn redrive(
    log: &Log,
    store: &Store,
    topic: &str,
    (partition, offset): (i32, i64),
    by: &str,
    now: model::Millis,
) -> ApiResult<Redriven> {
    let letters = Topics::dead_letter(topic);
    let Some(letter) = kafka::letter_at(&log.config, &letters, partition, offset, PATIENCE).await.map_err(|error| away(&error))? else {
        return Ok(Redriven::Gone);
    };
    let cluster = kafka::cluster_id(&log.config, PATIENCE).await.map_err(|error| away(&error))?;
    let place = LetterPlace { cluster_id: &cluster, topic: &letters, partition, offset };
    if !store.claim_redrive(place, by, now, now - STALE_MS).await? {
        return Ok(Redriven::Before);
    }
    let mut record = Record::new(Arc::from(topic), letter.key.clone(), letter.value.clone());
    if let Some(traceparent) = &letter.traceparent {
        record.headers.push((headers::TRACEPARENT, traceparent.clone()));
    }
    let ack = match log.producer.send(record) {
        Ok(ack) => ack,
        Err(error) => {
            // Not even queued: the letter may be driven again at once.
            store.redrive_failed(place).await?;
            tracing::warn!(%error, "a dead letter could not be driven again");
            return Err(Problem::unavailable("Kafka does not take the record at the moment").into());
        }
    };
    match tokio::time::timeout(PATIENCE * 2, ack).await {
        Ok(Ok(_)) => store.redrive_acked(place, now).await?,
        // It may be there or not; nobody drives it again before the claim is stale.
        Ok(Err(_)) | Err(_) => {
            return Err(Problem::unavailable("Kafka did not confirm the record; it may be in the log. Try again in five minutes").into());
        }
    }
    tracing::info!(topic, partition, offset, by, "a dead letter was driven again");
    let redrive = Redrive { partition, offset, by: by.to_owned(), at: now, acked: true };
    Ok(Redriven::Done(Box::new(show(log, topic, &letter, Some(&redrive)))))
}

fn show(log: &Log, topic: &str, letter: &Letter, redrive: Option<&Redrive>) -> DeadLetter {
    DeadLetter {
        topic: log.plain(topic).to_owned(),
        partition: letter.partition,
        offset: letter.offset,
        at: letter.at,
        reason: letter.reason.clone(),
        consumer: letter.consumer.clone(),
        source_partition: letter.source_partition,
        source_offset: letter.source_offset,
        key: escaped(&letter.key, 200),
        payload: escaped(&letter.value, SHOWN),
        payload_bytes: u32::try_from(letter.value.len()).unwrap_or(u32::MAX),
        redriven_at: redrive.map(|one| one.at),
        redriven_by: redrive.map(|one| one.by.clone()),
        redrive_confirmed: redrive.is_some_and(|one| one.acked),
    }
}

/// Bytes as text that shows what they are: printable characters as they stand, everything else as an escape.
fn escaped(bytes: &[u8], most: usize) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            // Controls, and what changes the direction or width of what follows, are written out.
            let hidden =
                c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
            if hidden { text.extend(c.escape_default()) } else { text.push(c) }
        }
        for byte in chunk.invalid() {
            text.extend(std::ascii::escape_default(*byte).map(char::from));
        }
        if text.len() > most {
            let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= most).last().unwrap_or(0);
            text.truncate(end);
            text.push('…');
            return text;
        }
    }
    text
}

fn away(error: &kafka::KafkaError) -> crate::error::ApiError {
    tracing::warn!(%error, "dead letters cannot be read");
    Problem::unavailable("Kafka does not answer at the moment").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_could_read_can_be_looked_at() {
        assert_eq!(escaped(br#"{"a":1}"#, 100), r#"{"a":1}"#);
        assert_eq!(escaped(b"<script>\x00\xff\n", 100), r"<script>\u{0}\xff\n");
        assert_eq!(escaped("ü\u{202e}x".as_bytes(), 100), "ü\\u{202e}x");
        assert_eq!(escaped(&[b'a'; 500], 10), format!("{}…", "a".repeat(10)));
    }
}
