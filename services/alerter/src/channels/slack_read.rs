//! Reading from Slack. It serves to repeat nothing; a message waits for it so long and no longer, nor does anything else.

use std::time::Duration;

use slack_morphism::ClientResult;
use slack_morphism::errors::SlackClientError;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::SendFailure;

/// All reads of an attempt end within this, which leaves it the time to send.
pub const READS: Duration = Duration::from_secs(15);

/// Said without the status that goes with it.
const LIMITED: [&str; 2] = ["ratelimited", "rate_limited"];

/// Why nothing was read.
#[derive(Debug)]
pub enum Unread {
    /// The token may not read it, or it is not there.
    Refused(String),
    /// Not within the time there is.
    Late(String),
    /// Slack does not answer as it should: once it does, it can be read.
    Trouble(SendFailure),
}

/// The answer to a read that ends by `until`. A pause that Slack asks for is made if it fits in; nobody else need keep it, as it holds
/// for this kind of read alone.
pub async fn read<T, R: Future<Output = ClientResult<T>>>(until: Instant, request: impl Fn() -> R) -> Result<T, Unread> {
    loop {
        let Ok(answer) = timeout_at(until, request()).await else { return Err(Unread::Late("there was no time left".to_owned())) };
        let after = match answer {
            Ok(answer) => return Ok(answer),
            Err(SlackClientError::RateLimitError(limit)) => limit.retry_after,
            Err(SlackClientError::ApiError(error)) if LIMITED.contains(&error.code.as_str()) => None,
            Err(error) => return Err(unread(SendFailure::from(error))),
        };
        match after.and_then(|after| Instant::now().checked_add(after)).filter(|again| *again < until) {
            Some(again) => sleep_until(again).await,
            None => return Err(Unread::Late("answered 429".to_owned())),
        }
    }
}

fn unread(failure: SendFailure) -> Unread {
    match failure {
        SendFailure::Refused { error } => Unread::Refused(error),
        // Reading twice is the same as once, so it is never in doubt.
        SendFailure::Doubtful { error } | SendFailure::Retry { error, .. } => Unread::Trouble(SendFailure::Retry { after: None, error }),
        SendFailure::Unsure => Unread::Trouble(SendFailure::Unsure),
    }
}
