//! The shape of every error (RFC 9457).

use model::FieldError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// A stable word for programs.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    pub kind: String,
    #[schema(example = "Unprocessable Content")]
    pub title: String,
    #[schema(example = 422)]
    pub status: u16,
    /// One sentence for people.
    pub detail: String,
    /// What is wrong, by field.
    #[serde(default)]
    pub errors: Vec<FieldError>,
}
