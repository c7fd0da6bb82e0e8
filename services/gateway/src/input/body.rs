//! JSON bodies: content type, size, syntax and shape each have their own answer.

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{StatusCode, header};
use serde::de::DeserializeOwned;
use service::{FieldProblem, Problem};

use crate::error::{ApiError, ApiResult};

/// A JSON body of type `T`.
pub(crate) struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !is_json(content_type) {
            return Err(
                Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("send application/json, not {:?}", clip(content_type))).into()
            );
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| unreadable(&rejection))?;
        parse(&bytes).map(Self)
    }
}

/// `application/json`, with or without parameters.
fn is_json(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

fn unreadable(rejection: &BytesRejection) -> ApiError {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than this route takes").into(),
        _ => Problem::bad_request("the body ended before it was complete").into(),
    }
}

/// Reads JSON. A mistake of syntax is 400, of shape 422 with the path of the field.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> ApiResult<T> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        misread(&path, error.inner())
    })?;
    reader.end().map_err(|error| misread(".", &error))?;
    Ok(value)
}

fn misread(path: &str, error: &serde_json::Error) -> ApiError {
    use serde_json::error::Category;
    match error.classify() {
        Category::Data => {
            let message = error.to_string();
            // The position in the text means little to a program that built it.
            let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
            Problem::invalid(vec![FieldProblem::new(field(path, message), clip(message))]).into()
        }
        Category::Syntax | Category::Eof | Category::Io => Problem::bad_request(format!("the body is no JSON: {error}")).into(),
    }
}

/// The path of the field at fault: a missing or unknown field is named in the message, not in the path.
fn field(path: &str, message: &str) -> String {
    let named =
        ["missing field `", "unknown field `"].iter().find_map(|start| message.strip_prefix(start)?.split('`').next()).unwrap_or_default();
    match (path, named) {
        // The whole body.
        (".", "") => "body".to_owned(),
        (".", named) => clip(named),
        (path, named) if named.is_empty() || path.ends_with(&format!(".{named}")) || path == named => clip(path),
        (path, named) => clip(&format!("{path}.{named}")),
    }
}

/// Enough to recognise, not enough to flood.
fn clip(text: &str) -> String {
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use model::MonitorSpec;

    use super::*;

    async fn fields(body: &str) -> (StatusCode, Vec<String>) {
        let Err(error) = parse::<MonitorSpec>(body.as_bytes()) else { return (StatusCode::OK, Vec::new()) };
        let response = error.into_response();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.expect("a body");
        let problem: Problem = serde_json::from_slice(&body).expect("a problem");
        (status, problem.errors.into_iter().map(|error| error.field).collect())
    }

    #[tokio::test]
    async fn a_mistake_names_its_field() {
        let (unprocessable, bad) = (StatusCode::UNPROCESSABLE_ENTITY, StatusCode::BAD_REQUEST);
        let probe = r#""probe":{"kind":"http","url":"http://a.b"}"#;
        for (body, status, field) in [
            (format!("{{{probe}}}"), unprocessable, Some("name")),
            (format!(r#"{{"name":7,{probe}}}"#), unprocessable, Some("name")),
            (format!(r#"{{"name":"a",{probe},"owner":1}}"#), unprocessable, Some("owner")),
            (format!(r#"{{"name":"a",{probe},"interval_seconds":-1}}"#), unprocessable, Some("interval_seconds")),
            (format!(r#"{{"name":"a",{probe},"regions":["A B"]}}"#), unprocessable, Some("regions[0]")),
            (r#"{"name":"a","probe":{"kind":"gopher"}}"#.to_owned(), unprocessable, Some("probe.kind")),
            (r#"{"name":"a","probe":{"kind":"http"}}"#.to_owned(), unprocessable, Some("probe.url")),
            ("[]".to_owned(), unprocessable, Some("body")),
            ("{".to_owned(), bad, None),
            (format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)), unprocessable, Some("[0]")),
            (format!(r#"{{"name":"a",{probe}}} x"#), bad, None),
        ] {
            let (found, named) = fields(&body).await;
            assert_eq!((found, named.first().map(String::as_str)), (status, field), "{}", &body[..body.len().min(200)]);
        }
        assert_eq!(fields(&format!(r#"{{"name":"a",{probe}}}"#)).await.0, StatusCode::OK);
    }

    #[test]
    fn content_types() {
        assert!(is_json("application/json") && is_json("Application/JSON; charset=utf-8"));
        assert!(!is_json("text/plain") && !is_json("") && !is_json("application/jsonp"));
    }
}
