//! `GET /api/monitors/{id}/uptime`.

use http::StatusCode;
use model::{Millis, Region};
use utoipa::IntoParams;

use crate::api::UptimeWindow;

/// Which window.
#[derive(Debug, Clone, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UptimeParams {
    /// Start of the window, Unix ms; 24 hours before `to` when absent. At most 400 days before `to`.
    #[param(value_type = Option<i64>)]
    pub from: Option<Millis>,
    /// End of the window (exclusive), Unix ms; now when absent.
    #[param(value_type = Option<i64>)]
    pub to: Option<Millis>,
    /// Only this region.
    #[param(value_type = Option<String>)]
    pub region: Option<Region>,
}

#[utoipa::path(
    get,
    path = "/api/monitors/{id}/uptime",
    tag = "history",
    operation_id = "getUptime",
    summary = "Uptime and coverage over any window",
    params(("id" = Uuid, Path, description = "The monitor's id"), UptimeParams),
    responses((status = 200, description = "Counts and ratios", body = UptimeWindow)),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn uptime() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
