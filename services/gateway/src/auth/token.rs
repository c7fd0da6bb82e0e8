//! The session's token on its way in and out.

use cookie::time::Duration;
use cookie::{Cookie, SameSite};
use http::{HeaderMap, HeaderValue, header};
use model::Millis;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// The cookie's name.
const NAME: &str = "sid";
/// Tokens are 43 characters; what is much longer is none.
const MAX_LENGTH: usize = 128;

/// What a request came with.
#[derive(Clone)]
pub(crate) struct Token {
    secret: SecretString,
    /// Sent by a script, which no other site can make a browser do.
    pub bearer: bool,
}

impl Token {
    /// From `Authorization: Bearer`, else from the cookie.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            return scheme.eq_ignore_ascii_case("bearer").then(|| Self::new(token.trim(), true)).flatten();
        }
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut found = cookies.flat_map(Cookie::split_parse).filter_map(Result::ok).filter(|cookie| cookie.name() == NAME);
        found.find_map(|cookie| Self::new(cookie.value(), false))
    }

    fn new(text: &str, bearer: bool) -> Option<Self> {
        let plausible = !text.is_empty() && text.len() <= MAX_LENGTH && text.bytes().all(|byte| byte.is_ascii_graphic());
        plausible.then(|| Self { secret: text.to_owned().into(), bearer })
    }

    pub(crate) fn secret(&self) -> SecretString {
        self.secret.clone()
    }

    /// SHA-256 in hex: the name of the session everywhere but in the token itself.
    pub(crate) fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.secret.expose_secret().as_bytes()))
    }
}

/// `Set-Cookie` for a new session. `secure` where the public URL is https.
pub(crate) fn cookie(token: &SecretString, expires_at: Millis, now: Millis, secure: bool) -> Option<HeaderValue> {
    let age = Duration::milliseconds((expires_at - now).max(0));
    header_value(Cookie::build((NAME, token.expose_secret().to_owned())).max_age(age), secure)
}

/// `Set-Cookie` that ends one.
pub(crate) fn expired_cookie(secure: bool) -> Option<HeaderValue> {
    header_value(Cookie::build((NAME, String::new())).max_age(Duration::ZERO), secure)
}

fn header_value(cookie: cookie::CookieBuilder<'_>, secure: bool) -> Option<HeaderValue> {
    let cookie = cookie.path("/").http_only(true).same_site(SameSite::Lax).secure(secure).build();
    let mut value = HeaderValue::from_str(&cookie.to_string()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().expect("a header"))).collect()
    }

    #[test]
    fn a_token_comes_by_header_or_cookie() {
        let by_header = Token::of(&headers(&[(header::AUTHORIZATION, "bearer abc"), (header::COOKIE, "sid=def")])).expect("a token");
        assert!(by_header.bearer && by_header.secret().expose_secret() == "abc");
        let by_cookie = Token::of(&headers(&[(header::COOKIE, "a=b; sid=def")])).expect("a token");
        assert!(!by_cookie.bearer && by_cookie.secret().expose_secret() == "def");
        assert_eq!(by_cookie.hash(), "cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34");
    }

    #[test]
    fn what_is_none_is_none() {
        let long = format!("sid={}", "x".repeat(129));
        for (name, value) in
            [(header::COOKIE, "sid="), (header::COOKIE, "xsid=a"), (header::COOKIE, long.as_str()), (header::AUTHORIZATION, "Basic YTpi")]
        {
            assert!(Token::of(&headers(&[(name, value)])).is_none(), "{value}");
        }
        // A broken header is not a reason to fall back to the cookie.
        assert!(Token::of(&headers(&[(header::AUTHORIZATION, "Basic YTpi"), (header::COOKIE, "sid=def")])).is_none());
    }

    #[test]
    fn the_cookie_is_guarded() {
        let value = cookie(&"abc".into(), 61_000, 1_000, true).expect("a cookie");
        assert_eq!(value.to_str().expect("text"), "sid=abc; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60");
        assert!(!expired_cookie(false).expect("a cookie").to_str().expect("text").contains("Secure"));
    }
}
