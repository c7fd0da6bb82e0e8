//! The session's token on its way in and out.

use cookie::time::Duration;
use cookie::{Cookie, SameSite};
use http::{HeaderMap, HeaderValue, header};
use model::Millis;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// The cookie's name, and the one under https: browsers take `__Host-` only from this very host over TLS. Under a plain name
/// a page of a sibling domain could set a cookie of its own session and have a person work in it.
const NAME: &str = "sid";
const HOST_NAME: &str = "__Host-sid";
/// Tokens are 43 characters; what is much longer is none.
const MAX_LENGTH: usize = 128;

/// What a request came with.
#[derive(Clone)]
pub(crate) struct Token(SecretString);

impl Token {
    /// From `Authorization: Bearer`, else from the cookie. `secure` where the public URL is https.
    pub(crate) fn of(headers: &HeaderMap, secure: bool) -> Option<Self> {
        if headers.contains_key(header::AUTHORIZATION) {
            return Self::bearer(headers);
        }
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut found = cookies.flat_map(Cookie::split_parse).filter_map(Result::ok).filter(|cookie| cookie.name() == name(secure));
        found.find_map(|cookie| Self::new(cookie.value()))
    }

    /// From `Authorization: Bearer` alone: sent by a script, which no other site can make a browser do.
    pub(crate) fn bearer(headers: &HeaderMap) -> Option<Self> {
        let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| Self::new(token.trim())).flatten()
    }

    fn new(text: &str) -> Option<Self> {
        let plausible = !text.is_empty() && text.len() <= MAX_LENGTH && text.bytes().all(|byte| byte.is_ascii_graphic());
        plausible.then(|| Self(text.to_owned().into()))
    }

    pub(crate) fn secret(&self) -> SecretString {
        self.0.clone()
    }

    /// SHA-256 in hex: the name of the session everywhere but in the token itself.
    pub(crate) fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.0.expose_secret().as_bytes()))
    }
}

fn name(secure: bool) -> &'static str {
    if secure { HOST_NAME } else { NAME }
}

/// `Set-Cookie` for a new session.
pub(crate) fn cookie(token: &SecretString, expires_at: Millis, now: Millis, secure: bool) -> Option<HeaderValue> {
    let age = Duration::milliseconds((expires_at - now).max(0));
    header_value(Cookie::build((name(secure), token.expose_secret().to_owned())).max_age(age), secure)
}

/// `Set-Cookie` that ends one.
pub(crate) fn expired_cookie(secure: bool) -> Option<HeaderValue> {
    header_value(Cookie::build((name(secure), String::new())).max_age(Duration::ZERO), secure)
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
        let both = headers(&[(header::AUTHORIZATION, "bearer abc"), (header::COOKIE, "sid=def")]);
        assert_eq!(Token::of(&both, false).expect("a token").secret().expose_secret(), "abc");
        assert!(Token::bearer(&both).is_some());
        let cookie = headers(&[(header::COOKIE, "a=b; sid=def")]);
        let by_cookie = Token::of(&cookie, false).expect("a token");
        assert!(Token::bearer(&cookie).is_none() && by_cookie.secret().expose_secret() == "def");
        assert_eq!(by_cookie.hash(), "cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34");
    }

    #[test]
    fn under_https_only_the_cookie_that_no_other_host_can_set_counts() {
        let token = |text| Token::of(&headers(&[(header::COOKIE, text)]), true).map(|token| token.secret().expose_secret().to_owned());
        assert_eq!(token("sid=planted"), None);
        assert_eq!(token("sid=planted; __Host-sid=def").as_deref(), Some("def"));
    }

    #[test]
    fn what_is_none_is_none() {
        let long = format!("sid={}", "x".repeat(129));
        for (name, value) in
            [(header::COOKIE, "sid="), (header::COOKIE, "xsid=a"), (header::COOKIE, long.as_str()), (header::AUTHORIZATION, "Basic YTpi")]
        {
            assert!(Token::of(&headers(&[(name, value)]), false).is_none(), "{value}");
        }
        // A broken header is not a reason to fall back to the cookie.
        assert!(Token::of(&headers(&[(header::AUTHORIZATION, "Basic YTpi"), (header::COOKIE, "sid=def")]), false).is_none());
    }

    #[test]
    fn the_cookie_is_guarded() {
        let value = cookie(&"abc".into(), 61_000, 1_000, true).expect("a cookie");
        assert_eq!(value.to_str().expect("text"), "__Host-sid=abc; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60");
        let plain = cookie(&"abc".into(), 61_000, 1_000, false).expect("a cookie");
        assert_eq!(plain.to_str().expect("text"), "sid=abc; HttpOnly; SameSite=Lax; Path=/; Max-Age=60");
    }
}
