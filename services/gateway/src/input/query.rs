//! Query strings: every mistake at once, unknown names included.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use http::request::Parts;
use service::{FieldProblem, Problem};

use crate::error::ApiError;

/// A query string read as `T`. Not named `Query`, which the documentation macro takes for axum's.
pub(crate) struct Asked<T>(pub T);

/// What a query string can be read as.
pub(crate) trait FromParams: Sized {
    /// Takes each parameter by name; mistakes are collected in `params`.
    fn read(params: &mut Params) -> Self;
}

impl<T: FromParams, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let mut params = Params::parse(parts.uri.query().unwrap_or_default());
        let value = T::read(&mut params);
        params.finish()?;
        Ok(Self(value))
    }
}

/// Parameters that were not read yet, and what was wrong with those that were.
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
    errors: Vec<FieldProblem>,
}

impl Params {
    fn parse(query: &str) -> Self {
        let pairs = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { pairs, known: Vec::new(), errors: Vec::new() }
    }

    fn take(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let position = self.pairs.iter().position(|(known, _)| known == name)?;
        let (_, value) = self.pairs.swap_remove(position);
        if self.pairs.iter().any(|(known, _)| known == name) {
            self.pairs.retain(|(known, _)| known != name);
            self.wrong(name, "is given more than once");
            return None;
        }
        // `?state=` is what forms send for "no choice".
        (!value.is_empty()).then_some(value)
    }

    /// A value that parses; `what` completes "is no …".
    pub(crate) fn value<T: FromStr<Err: Display>>(&mut self, name: &'static str, what: &str) -> Option<T> {
        let text = self.take(name)?;
        let value = text.parse().ok();
        if value.is_none() {
            self.wrong(name, format!("{:?} is no {what}", clip(&text)));
        }
        value
    }

    /// A whole number between bounds.
    pub(crate) fn number<T: FromStr<Err: Display> + PartialOrd + Display + Copy>(
        &mut self,
        name: &'static str,
        min: T,
        max: T,
    ) -> Option<T> {
        let value: T = self.value(name, &format!("whole number from {min} to {max}"))?;
        if value < min || value > max {
            self.wrong(name, format!("{value} is out of range: use {min} to {max}"));
            return None;
        }
        Some(value)
    }

    /// Text of at most `max` characters.
    pub(crate) fn text(&mut self, name: &'static str, max: usize) -> Option<String> {
        let text = self.take(name)?;
        if text.chars().count() > max {
            self.wrong(name, format!("is longer than {max} characters"));
            return None;
        }
        Some(text)
    }

    pub(crate) fn wrong(&mut self, name: &str, message: impl Into<String>) {
        self.errors.push(FieldProblem::new(name, message));
    }

    fn finish(mut self) -> Result<(), ApiError> {
        for (name, _) in self.pairs.iter().take(10) {
            let known = self.known.join(", ");
            self.errors.push(FieldProblem::new(clip(name), format!("is no parameter of this route: it takes {known}")));
        }
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::invalid(self.errors).into()) }
    }
}

fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(query: &str) -> Vec<String> {
        let mut params = Params::parse(query);
        let _ = (params.number("limit", 1_u32, 200), params.text("search", 5), params.value::<bool>("open", "boolean"));
        let _ = params.finish();
        let mut params = Params::parse(query);
        let _ = (params.number("limit", 1_u32, 200), params.text("search", 5), params.value::<bool>("open", "boolean"));
        for (name, _) in std::mem::take(&mut params.pairs) {
            params.wrong(&name, "unknown");
        }
        params.errors.into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn every_mistake_at_once() {
        assert!(errors("").is_empty());
        assert!(errors("limit=7&search=a%20b&open=true").is_empty());
        assert!(errors("limit=&open=").is_empty());
        assert_eq!(errors("limit=0"), ["limit"]);
        assert_eq!(errors("limit=99999999999999999999"), ["limit"]);
        assert_eq!(errors("limit=1.5&search=abcdef&open=maybe&sort=x"), ["limit", "search", "open", "sort"]);
        assert_eq!(errors("limit=1&limit=2"), ["limit"]);
    }
}
