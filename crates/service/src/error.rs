//! The error of a service's start and of its tasks: any error, shown with its causes, and the exit code it deserves.

use std::fmt;

use crate::env::ConfigError;

type Boxed = Box<dyn std::error::Error + Send + Sync>;

/// Any error. `?` converts into it; its text holds the whole chain of causes.
pub struct Error(Boxed);

impl Error {
    /// An error that is only a sentence.
    pub fn msg(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// The settings that were wrong, if that is what stopped the start.
    pub fn config(&self) -> Option<&ConfigError> {
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(self.0.as_ref());
        while let Some(error) = next {
            if let Some(config) = error.downcast_ref() {
                return Some(config);
            }
            next = error.source();
        }
        None
    }

    /// The process's exit code, after sysexits.h: 78 (configuration) or 1.
    pub fn exit_code(&self) -> u8 {
        if self.config().is_some() { 78 } else { 1 }
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.to_string();
        f.write_str(&shown)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            // Many libraries repeat the cause in their own text; saying it twice hides it.
            if !shown.contains(&text) {
                write!(f, ": {text}")?;
                shown.push_str(&text);
            }
            next = cause.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot start")]
    struct Outer(#[source] ConfigError);

    #[test]
    fn a_config_error_is_found_beneath_other_errors_and_exits_with_78() {
        let env = crate::Env::from_pairs([("PORT", "many")]);
        let config = env.required::<u16>("PORT", "8080").unwrap_err();
        let error = Error::from(Outer(config));
        assert_eq!(error.exit_code(), 78);
        assert!(error.to_string().starts_with("cannot start: "), "{error}");
        assert_eq!(Error::msg("no").exit_code(), 1);
    }
}
