//! `GET /api/monitors/{id}/checks`.

use http::StatusCode;
use model::{Millis, Region};
use utoipa::IntoParams;

use crate::api::CheckPage;

/// Which checks.
#[derive(Debug, Clone, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListChecks {
    /// Start of the window, Unix ms; 24 hours before `to` when absent.
    #[param(value_type = Option<i64>)]
    pub from: Option<Millis>,
    /// End of the window (exclusive), Unix ms; now when absent.
    #[param(value_type = Option<i64>)]
    pub to: Option<Millis>,
    /// Only this region.
    #[param(value_type = Option<String>)]
    pub region: Option<Region>,
    /// How many, 1 … 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

#[utoipa::path(
    get,
    path = "/api/monitors/{id}/checks",
    tag = "history",
    operation_id = "listChecks",
    summary = "Single checks, newest first",
    params(("id" = Uuid, Path, description = "The monitor's id"), ListChecks),
    responses((status = 200, description = "A page of checks", body = CheckPage)),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn checks() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
