//! slack-morphism's transport over our own egress: guarded addresses, one deadline, no retries behind
//! our back, `Retry-After` handed on.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use egress::{Egress, HttpRequest, PostFailure};
use futures::future::{BoxFuture, FutureExt, ready};
use http::{HeaderMap, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use slack_morphism::errors::{
    SlackClientApiError, SlackClientError, SlackClientHttpError, SlackClientSystemError, SlackRateLimitError, map_serde_error,
};
use slack_morphism::multipart_form::FileMultipartData;
use slack_morphism::prelude::ValueStruct;
use slack_morphism::{
    ClientResult, SlackClientApiCallContext, SlackClientHttpConnector, SlackClientId, SlackClientSecret, SlackEnvelopeMessage,
};
use url::Url;

use super::ATTEMPT;

/// Of an answer that is not Slack's, so much is told.
const WORDS: usize = 120;
/// A page of history with its blocks; of what others write, too, whose messages may be long.
const MAX_ANSWER: usize = 16 << 20;

/// Carries Slack's API over [`Egress`].
#[derive(Debug, Clone)]
pub struct GuardedConnector {
    egress: Egress,
    api_url: String,
}

impl GuardedConnector {
    pub fn new(egress: Egress, api_url: &str) -> Self {
        Self { egress, api_url: api_url.trim_end_matches('/').to_owned() }
    }

    async fn post<RS: DeserializeOwned>(&self, url: Url, body: Vec<u8>, token: Option<String>) -> ClientResult<RS> {
        let mut headers = BTreeMap::from([("content-type".to_owned(), "application/json; charset=utf-8".to_owned())]);
        // Whoever has the URL of an incoming webhook needs no token.
        let webhook = token.is_none();
        if let Some(token) = token {
            headers.insert("authorization".to_owned(), format!("Bearer {token}"));
        }
        let answer = self.egress.post(url.as_str(), &headers, Bytes::from(body), Instant::now() + ATTEMPT).await.map_err(unanswered)?;
        if webhook {
            taken(answer.status, &answer.headers, &answer.body)?;
            return serde_json::from_str("{}").map_err(|error| map_serde_error(error, None));
        }
        read(answer.status, &answer.headers, &answer.body)
    }

    async fn get<RS: DeserializeOwned>(&self, url: Url, token: Option<String>) -> ClientResult<RS> {
        let headers = token.map(|token| ("authorization".to_owned(), format!("Bearer {token}"))).into_iter().collect();
        let request = HttpRequest {
            url: url.as_str(),
            method: Method::GET,
            headers: &headers,
            body: Bytes::new(),
            max_redirects: 0,
            verify_tls: true,
            keep_body: MAX_ANSWER,
            read_body: MAX_ANSWER,
        };
        let answer = self.egress.http(&request, Instant::now() + ATTEMPT).await;
        // Reading changes nothing, so a failed read is never in doubt.
        let answer = answer.map_err(|failure| unanswered(PostFailure { failure, doubtful: false }))?;
        read(answer.status, &answer.headers, &answer.body)
    }
}

fn unanswered(failure: PostFailure) -> SlackClientError {
    SlackClientError::SystemError(SlackClientSystemError::new().with_cause(Box::new(failure)))
}

fn unsupported<'a, T: Send + 'a>() -> BoxFuture<'a, ClientResult<T>> {
    let error = SlackClientSystemError::new().with_message("this call is not used here".to_owned());
    ready(Err(SlackClientError::SystemError(error))).boxed()
}

/// An incoming webhook answers with the word `ok`, some that imitate it with a JSON object. Anything else under a 200 is the
/// page of somebody on the way, a proxy that wants a login first, say: the message is surely not there.
fn taken(status: u16, headers: &HeaderMap, body: &[u8]) -> ClientResult<()> {
    let text = successful(status, headers, body)?;
    if text.trim() == "ok" {
        return Ok(());
    }
    let Ok(Value::Object(answer)) = serde_json::from_str(&text) else {
        let words: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).take(WORDS).collect();
        let message = format!("answered {status} with {words:?} instead of \"ok\": this was not Slack, a proxy perhaps");
        return Err(SlackClientError::SystemError(SlackClientSystemError::new().with_message(message)));
    };
    let code = match answer.get("error") {
        None | Some(Value::Null) if answer.get("ok") != Some(&Value::Bool(false)) => return Ok(()),
        Some(Value::String(code)) => code.clone(),
        _ => text.chars().take(WORDS).collect(),
    };
    Err(SlackClientError::ApiError(SlackClientApiError::new(code)))
}

/// Slack's API answers with JSON (`ok`, `error`).
fn read<RS: DeserializeOwned>(status: u16, headers: &HeaderMap, body: &[u8]) -> ClientResult<RS> {
    let text = successful(status, headers, body)?;
    let envelope: SlackEnvelopeMessage = serde_json::from_str(&text).map_err(|error| map_serde_error(error, None))?;
    match envelope.error {
        Some(code) => Err(SlackClientError::ApiError(SlackClientApiError::new(code))),
        None => serde_json::from_str(&text).map_err(|error| map_serde_error(error, None)),
    }
}

/// The body of an answer whose status is one of success.
fn successful<'a>(status: u16, headers: &HeaderMap, body: &'a [u8]) -> ClientResult<Cow<'a, str>> {
    let text = String::from_utf8_lossy(body);
    if status == StatusCode::TOO_MANY_REQUESTS.as_u16() {
        return Err(SlackClientError::RateLimitError(SlackRateLimitError::new().opt_retry_after(retry_after(headers))));
    }
    if !(200..300).contains(&status) {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        return Err(SlackClientError::HttpError(SlackClientHttpError::new(status).with_http_response_body(text.into_owned())));
    }
    Ok(text)
}

/// `Retry-After` in seconds; Slack sends no dates.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(3600)))
}

impl SlackClientHttpConnector for GuardedConnector {
    fn create_method_uri_path(&self, method: &str) -> ClientResult<Url> {
        Ok(format!("{}/{method}", self.api_url).parse()?)
    }

    fn http_get_uri<'a, RS>(&'a self, url: Url, context: SlackClientApiCallContext<'a>) -> BoxFuture<'a, ClientResult<RS>>
    where
        RS: for<'de> serde::Deserialize<'de> + Send + 'a,
    {
        let token = context.token.map(|token| token.token_value.value().clone());
        self.get(url, token).boxed()
    }

    fn http_post_uri<'a, RQ, RS>(
        &'a self,
        url: Url,
        request: &'a RQ,
        context: SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, ClientResult<RS>>
    where
        RQ: serde::Serialize + Send + Sync,
        RS: for<'de> serde::Deserialize<'de> + Send + 'a,
    {
        let token = context.token.map(|token| token.token_value.value().clone());
        match serde_json::to_vec(request) {
            Ok(body) => self.post(url, body, token).boxed(),
            Err(error) => ready(Err(map_serde_error(error, None))).boxed(),
        }
    }

    fn http_get_with_client_secret<'a, RS>(
        &'a self,
        _url: Url,
        _id: &'a SlackClientId,
        _secret: &'a SlackClientSecret,
    ) -> BoxFuture<'a, ClientResult<RS>>
    where
        RS: for<'de> serde::Deserialize<'de> + Send + 'a,
    {
        unsupported()
    }

    fn http_post_uri_multipart_form<'a, 'p, RS, PT, TS>(
        &'a self,
        _url: Url,
        _file: Option<FileMultipartData<'p>>,
        _params: &'p PT,
        _context: SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, ClientResult<RS>>
    where
        RS: for<'de> serde::Deserialize<'de> + Send + 'a,
        PT: IntoIterator<Item = (&'p str, Option<TS>)> + Clone,
        TS: AsRef<str> + 'p + Send,
    {
        unsupported()
    }

    fn http_post_uri_binary<'a, 'p, RS>(
        &'a self,
        _url: Url,
        _content_type: String,
        _data: &'a [u8],
        _context: SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, ClientResult<RS>>
    where
        RS: for<'de> serde::Deserialize<'de> + Send + 'a,
    {
        unsupported()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::SendFailure;

    fn webhook(body: &str) -> Result<(), SendFailure> {
        taken(200, &HeaderMap::new(), body.as_bytes()).map_err(SendFailure::from)
    }

    #[test]
    fn a_webhook_has_the_message_only_where_it_says_so() {
        for answer in ["ok", "ok\n", r#"{"ok":true}"#, r#"{"success":true,"error":null}"#] {
            assert_eq!(webhook(answer), Ok(()), "{answer}");
        }
        for answer in ["", "<html><body>Log in</body></html>", "okay", "null", r#"["ok"]"#] {
            let Err(SendFailure::Retry { after: None, error }) = webhook(answer) else { panic!("{answer}") };
            assert!(error.contains("answered 200"), "{error}");
        }
        let Err(SendFailure::Retry { error, .. }) = webhook("<html>\n  Log in") else { panic!("a page is no delivery") };
        assert!(error.contains("<html> Log in"), "what came is told: {error}");
        let refused = SendFailure::Refused { error: "Slack says no_service".to_owned() };
        assert_eq!(webhook(r#"{"ok":false,"error":"no_service"}"#), Err(refused));
        assert!(matches!(webhook(r#"{"ok":false}"#), Err(SendFailure::Refused { .. })));
    }
}
