//! Settings from the environment, read once; every mistake is collected, so that one start shows them all.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::SecretString;

/// The variables of one process, or of one service inside `upmesh up`.
///
/// Read all settings first, call [`Env::check`], then take the values:
///
/// ```
/// # fn main() -> Result<(), service::ConfigError> {
/// # let env = service::Env::from_pairs([("REDIS_URL", "redis://127.0.0.1:6379")]);
/// let url = env.required::<String>("REDIS_URL", "redis://127.0.0.1:6379");
/// let pool = env.or("REDIS_POOL", 8_usize);
/// env.check()?; // names every mistake so far
/// let (url, pool) = (url?, pool?);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Env(Arc<Inner>);

struct Inner {
    vars: HashMap<String, String>,
    mistakes: Mutex<Vec<Mistake>>,
}

/// One variable that is missing or unreadable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub name: String,
    /// What is wrong, without the value when it may be a secret.
    pub problem: String,
    /// A value that would do.
    pub example: Option<String>,
}

/// Everything that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(pub Vec<Mistake>);

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the environment needs attention:")?;
        for Mistake { name, problem, example } in &self.0 {
            write!(f, "\n  {name}: {problem}")?;
            if let Some(example) = example {
                write!(f, " (example: {name}={example})")?;
            }
        }
        Ok(())
    }
}

impl Env {
    /// The environment of this process.
    pub fn from_process() -> Self {
        Self::from_map(std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect())
    }

    /// An environment of one's own, for tests and for services inside one process.
    pub fn from_map(vars: HashMap<String, String>) -> Self {
        Self(Arc::new(Inner { vars, mistakes: Mutex::default() }))
    }

    /// [`Env::from_map`] from pairs.
    pub fn from_pairs<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::from_map(pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
    }

    /// A copy with one variable set; the original and its mistakes stay as they are.
    #[must_use]
    pub fn with(&self, name: &str, value: impl Into<String>) -> Self {
        let mut vars = self.0.vars.clone();
        vars.insert(name.to_owned(), value.into());
        Self::from_map(vars)
    }

    /// A copy without the variable.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut vars = self.0.vars.clone();
        vars.remove(name);
        Self::from_map(vars)
    }

    /// A copy with the variable set where it is missing or empty.
    #[must_use]
    pub fn with_default(&self, name: &str, value: impl Into<String>) -> Self {
        if self.get(name).is_some() { self.clone() } else { self.with(name, value) }
    }

    /// The raw value; unset and empty are the same (compose files pass empty strings).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.vars.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// A setting the service cannot run without; `example` is shown when it is missing or wrong.
    pub fn required<T: FromStr<Err: fmt::Display>>(&self, name: &str, example: &str) -> Result<T, ConfigError> {
        match self.get(name) {
            Some(value) => self.parse(name, value, Some(example)),
            None => Err(self.mistake(name, "is not set", Some(example))),
        }
    }

    /// A setting that may be absent.
    pub fn optional<T: FromStr<Err: fmt::Display>>(&self, name: &str) -> Result<Option<T>, ConfigError> {
        self.get(name).map(|value| self.parse(name, value, None)).transpose()
    }

    /// A setting with a default, which also serves as the example.
    pub fn or<T: FromStr<Err: fmt::Display> + fmt::Display>(&self, name: &str, default: T) -> Result<T, ConfigError> {
        match self.get(name) {
            Some(value) => self.parse(name, value, Some(&default.to_string())),
            None => Ok(default),
        }
    }

    /// A list separated by commas; absent means empty.
    pub fn list<T: FromStr<Err: fmt::Display>>(&self, name: &str) -> Result<Vec<T>, ConfigError> {
        let items = self.get(name).unwrap_or_default().split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(|item| self.parse(name, item, None)).collect()
    }

    /// A secret, from `NAME` or from the file named by `NAME_FILE`.
    pub fn secret(&self, name: &str, example: &str) -> Result<SecretString, ConfigError> {
        match self.secret_optional(name)? {
            Some(secret) => Ok(secret),
            None => Err(self.mistake(name, &format!("is not set, nor is {name}_FILE"), Some(example))),
        }
    }

    /// A secret that may be absent.
    pub fn secret_optional(&self, name: &str) -> Result<Option<SecretString>, ConfigError> {
        if let Some(value) = self.get(name) {
            return Ok(Some(value.into()));
        }
        let file_name = format!("{name}_FILE");
        let Some(path) = self.get(&file_name) else { return Ok(None) };
        match std::fs::read_to_string(path) {
            Ok(text) if text.trim().is_empty() => Err(self.mistake(&file_name, &format!("{path} is empty"), None)),
            Ok(text) => Ok(Some(text.trim().into())),
            Err(error) => Err(self.mistake(&file_name, &format!("cannot read {path}: {error}"), None)),
        }
    }

    /// Records a mistake that only the service can see (a port in use, two settings that contradict).
    pub fn reject(&self, name: &str, problem: impl fmt::Display, example: Option<&str>) -> ConfigError {
        self.mistake(name, &problem.to_string(), example)
    }

    /// Fails with every mistake seen so far.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mistakes = self.0.mistakes.lock().unwrap_or_else(PoisonError::into_inner);
        if mistakes.is_empty() { Ok(()) } else { Err(ConfigError(mistakes.clone())) }
    }

    fn parse<T: FromStr<Err: fmt::Display>>(&self, name: &str, value: &str, example: Option<&str>) -> Result<T, ConfigError> {
        // The value itself is not repeated: a URL may hold a password.
        value.parse().map_err(|error| self.mistake(name, &format!("cannot be read: {error}"), example))
    }

    fn mistake(&self, name: &str, problem: &str, example: Option<&str>) -> ConfigError {
        let mistake = Mistake { name: name.to_owned(), problem: problem.to_owned(), example: example.map(str::to_owned) };
        let mut mistakes = self.0.mistakes.lock().unwrap_or_else(PoisonError::into_inner);
        if !mistakes.contains(&mistake) {
            mistakes.push(mistake.clone());
        }
        ConfigError(vec![mistake])
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Env({} variables)", self.0.vars.len())
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn every_mistake_is_listed_with_name_and_example() {
        let env = Env::from_pairs([("PORT", "eighty"), ("EMPTY", " ")]);
        assert!(env.required::<String>("REDIS_URL", "redis://127.0.0.1").is_err());
        assert!(env.or("PORT", 80_u16).is_err());
        assert!(env.secret("KEY", "openssl rand -hex 32").is_err());
        assert!(env.required::<String>("EMPTY", "x").is_err());
        let shown = env.check().unwrap_err().to_string();
        assert!(shown.contains("REDIS_URL: is not set (example: REDIS_URL=redis://127.0.0.1)"), "{shown}");
        assert!(shown.contains("PORT: cannot be read: invalid digit found in string (example: PORT=80)"), "{shown}");
        assert!(shown.contains("KEY: is not set, nor is KEY_FILE"), "{shown}");
        assert!(shown.contains("EMPTY: is not set"), "{shown}");
    }

    #[test]
    fn a_wrong_value_is_never_repeated_because_it_may_hold_a_password() {
        let env = Env::from_pairs([("KEY", "hunter2")]);
        assert!(!env.required::<u16>("KEY", "1").unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn a_secret_may_come_from_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, "s3cret\n").unwrap();
        let env = Env::from_pairs([("KEY_FILE", path.to_str().unwrap())]);
        assert_eq!(env.secret("KEY", "x").unwrap().expose_secret(), "s3cret");
        assert!(Env::from_pairs([("KEY_FILE", "/does/not/exist")]).secret("KEY", "x").is_err());
    }

    #[test]
    fn defaults_lists_and_copies() {
        let env = Env::from_pairs([("REGIONS", "eu, us,,ap"), ("N", "3")]);
        assert_eq!(env.list::<String>("REGIONS").unwrap(), ["eu", "us", "ap"]);
        assert_eq!(env.or("N", 1).unwrap(), 3);
        assert_eq!(env.with("N", "4").or("N", 1).unwrap(), 4);
        assert_eq!(env.without("N").or("N", 1).unwrap(), 1);
        assert_eq!(env.with_default("N", "9").or("N", 1).unwrap(), 3);
        assert_eq!(env.optional::<u8>("ABSENT").unwrap(), None);
    }
}
