//! `GET /api/monitors/{id}/timeline`.

use axum::Json;
use axum::extract::State;
use model::{Millis, MonitorId, Region};
use utoipa::IntoParams;

use crate::api::Timeline;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::history;
use crate::input::{Asked, FromParams, Id, Params, read_window, resolve_window};
use crate::routes::monitors;

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

impl FromParams for TimelineParams {
    fn read(params: &mut Params) -> Self {
        let (from, to) = read_window(params);
        Self { from, to, region: params.value("region", "region name"), buckets: params.number("buckets", 1, 500) }
    }
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
pub(crate) async fn timeline(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<MonitorId>,
    Asked(query): Asked<TimelineParams>,
) -> ApiResult<Json<Timeline>> {
    let monitor = monitors::find(&app, caller.workspace(), id).await?;
    let window = resolve_window(query.from, query.to, app.now());
    history::timeline(&app, &monitor, query.region.as_ref(), window, query.buckets.unwrap_or(96)).await.map(Json)
}
