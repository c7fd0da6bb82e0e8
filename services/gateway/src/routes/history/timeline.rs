//! `GET /api/monitors/{id}/timeline`.

use http::StatusCode;
use model::{Millis, Region};
use utoipa::IntoParams;

use crate::api::Timeline;

/// Which window, how finely.
#[derive(Debug, Clone, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TimelineParams {
    /// Start of the window, Unix ms; 24 hours before `to` when absent. At most 400 days before `to`.
    #[param(value_type = Option<i64>)]
    pub from: Option<Millis>,
    /// End of the window (exclusive), Unix ms; now when absent.
    #[param(value_type = Option<i64>)]
    pub to: Option<Millis>,
    /// Only this region.
    #[param(value_type = Option<String>)]
    pub region: Option<Region>,
    /// How many, 1 … 500; 96 when absent.
    #[param(minimum = 1, maximum = 500, default = 96)]
    pub buckets: Option<u32>,
}

#[utoipa::path(
    get,
    path = "/api/monitors/{id}/timeline",
    tag = "history",
    operation_id = "getTimeline",
    summary = "A window cut into equal buckets",
    params(("id" = Uuid, Path, description = "The monitor's id"), TimelineParams),
    responses((status = 200, description = "The buckets, without gaps", body = Timeline)),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn timeline() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
