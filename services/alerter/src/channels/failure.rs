//! Why a message is not there, by what to do about it.

use std::time::Duration;

use egress::PostFailure;
use slack_morphism::errors::SlackClientError;

/// An attempt that did not succeed. No text holds a URL or a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendFailure {
    /// Surely not delivered; try again, not before `after`.
    #[error("{error}")]
    Retry { after: Option<Duration>, error: String },
    /// The request was written and not answered: it may have been delivered.
    #[error("{error}")]
    Doubtful { error: String },
    /// The channel refuses it, and will until a person changes something.
    #[error("{error}")]
    Refused { error: String },
    /// Nothing was sent: by then it was no longer sure that the message is ours to send.
    #[error("it is not sure that another alerter does not send it")]
    Unsure,
}

/// Of a channel's own words, so many characters are kept.
const WORDS: usize = 200;

impl SendFailure {
    /// What a status other than success means. 5xx and 429 say that nothing was accepted, but for those of a gateway that passed the
    /// request on and then had no answer, or none that it could use.
    pub fn status(status: u16, retry_after: Option<Duration>, body: &str) -> Self {
        let words: String = body.chars().filter(|c| !c.is_control()).take(WORDS).collect();
        let error = format!("answered {status}{}{words}", if words.is_empty() { "" } else { ": " });
        match status {
            408 | 502 | 504 => Self::Doubtful { error },
            425 | 429 | 500.. => Self::Retry { after: retry_after, error },
            _ => Self::Refused { error },
        }
    }

    pub fn post(failure: &PostFailure) -> Self {
        if failure.doubtful {
            Self::Doubtful { error: failure.to_string() }
        } else {
            Self::Retry { after: None, error: failure.to_string() }
        }
    }
}

/// Words of Slack's API with which, as it says, a part of the call may have succeeded.
const HALFWAY: [&str; 2] = ["internal_error", "fatal_error"];
/// Words that pass by themselves.
const PASSING: [&str; 6] = ["ratelimited", "rate_limited", "service_unavailable", "request_timeout", "team_added_to_org", "accesslimited"];

impl From<SlackClientError> for SendFailure {
    fn from(error: SlackClientError) -> Self {
        match error {
            SlackClientError::RateLimitError(limit) => Self::Retry { after: limit.retry_after, error: "answered 429".to_owned() },
            SlackClientError::HttpError(error) => {
                Self::status(error.status_code.as_u16(), None, error.http_response_body.as_deref().unwrap_or_default())
            }
            SlackClientError::ApiError(error) if HALFWAY.contains(&error.code.as_str()) => {
                Self::Doubtful { error: format!("Slack says {}", error.code) }
            }
            SlackClientError::ApiError(error) if PASSING.contains(&error.code.as_str()) => {
                Self::Retry { after: None, error: format!("Slack says {}", error.code) }
            }
            SlackClientError::ApiError(error) => Self::Refused { error: format!("Slack says {}", error.code) },
            SlackClientError::SystemError(error) => match error.cause.as_ref().and_then(|cause| cause.downcast_ref::<PostFailure>()) {
                Some(failure) => Self::post(failure),
                None => Self::Retry { after: None, error: error.message.unwrap_or_else(|| "no answer".to_owned()) },
            },
            // An answer that cannot be read says neither yes nor no.
            SlackClientError::ProtocolError(error) => {
                Self::Doubtful { error: format!("an answer that cannot be read: {}", error.json_error) }
            }
            SlackClientError::HttpProtocolError(_) => Self::Refused { error: "the URL of the channel cannot be used".to_owned() },
            SlackClientError::EndOfStream(_) | SlackClientError::SocketModeProtocolError(_) => {
                Self::Retry { after: None, error: "the connection ended".to_owned() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use slack_morphism::errors::SlackClientApiError;

    use super::*;

    #[test]
    fn what_a_gateway_may_have_passed_on_is_in_doubt() {
        let word = |status| match SendFailure::status(status, None, "") {
            SendFailure::Retry { .. } => "retry",
            SendFailure::Doubtful { .. } => "doubtful",
            SendFailure::Refused { .. } => "refused",
            SendFailure::Unsure => "unsure",
        };
        assert_eq!([408, 502, 504].map(word), ["doubtful"; 3]);
        assert_eq!([425, 429, 500, 503].map(word), ["retry"; 4]);
        assert_eq!([301, 400, 403, 404, 410].map(word), ["refused"; 5]);
    }

    #[test]
    fn what_slack_may_have_done_by_half_is_in_doubt() {
        let said = |code: &str| SendFailure::from(SlackClientError::ApiError(SlackClientApiError::new(code.to_owned())));
        assert!(matches!(said("fatal_error"), SendFailure::Doubtful { .. }));
        assert!(matches!(said("ratelimited"), SendFailure::Retry { .. }));
        assert!(matches!(said("token_revoked"), SendFailure::Refused { .. }));
    }
}
