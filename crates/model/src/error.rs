//! What is wrong with an input, by field, in words that say what to change.

use serde::{Deserialize, Serialize};

/// One mistake in an input. `field` is the JSON path (`probe.url`, `assertions[2].pattern`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, utoipa::ToSchema)]
#[error("{field}: {message}")]
pub struct FieldError {
    pub field: String,
    pub message: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}
