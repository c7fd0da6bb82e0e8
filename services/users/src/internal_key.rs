//! Who may call: other services, by `Authorization: Bearer <INTERNAL_API_KEY>`. Two keys are accepted while one is rotated.

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use directory::INTERNAL_KEY_PROBLEM;
use secrecy::{ExposeSecret, SecretString};
use service::Problem;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::app::App;
use crate::settings::strong;

/// Digests of the accepted keys.
#[derive(Clone)]
pub(crate) struct InternalKeys(Vec<[u8; 32]>);

impl InternalKeys {
    /// One key, or two separated by a comma.
    pub(crate) fn parse(keys: &SecretString) -> Result<Self, String> {
        let keys: Vec<SecretString> = keys.expose_secret().split(',').map(|key| key.trim().to_owned().into()).collect();
        if keys.len() > 2 {
            return Err("holds more than two keys".to_owned());
        }
        keys.iter()
            .map(|key| strong(key).map(|()| Sha256::digest(key.expose_secret().as_bytes()).into()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Digests are compared, in constant time and all of them, so that neither length nor place shows.
    fn accept(&self, key: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        self.0.iter().fold(Choice::from(0), |found, accepted| found | accepted.ct_eq(&digest)).into()
    }
}

pub(crate) async fn require(State(app): State<App>, request: Request, next: Next) -> Response {
    let key = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if key.is_some_and(|key| app.internal_keys.accept(key)) {
        return next.run(request).await;
    }
    let mut problem =
        Problem::new(StatusCode::FORBIDDEN, "the internal API key is missing or wrong: set the same INTERNAL_API_KEY for every service");
    INTERNAL_KEY_PROBLEM.clone_into(&mut problem.kind);
    problem.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_keys_are_accepted_and_nothing_else() {
        let (old, new) = ("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210");
        let keys = InternalKeys::parse(&format!("{new}, {old}").into()).expect("keys");
        assert!(keys.accept(old) && keys.accept(new));
        assert!(!keys.accept("") && !keys.accept(&old[..31]) && !keys.accept(&format!("{new},{old}")));
        assert!(InternalKeys::parse(&format!("{new},{old},{old}").into()).is_err());
        assert!(InternalKeys::parse(&format!("{new},").into()).is_err());
    }
}
