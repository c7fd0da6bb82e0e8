//! `GET /api/monitors/{id}/uptime`.

use axum::Json;
use axum::extract::State;
use model::{Millis, MonitorId, Region};
use utoipa::IntoParams;

use crate::api::UptimeWindow;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::history;
use crate::input::{Asked, FromParams, Id, Params, read_window, resolve_window};
use crate::routes::monitors;

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

impl FromParams for UptimeParams {
    fn read(params: &mut Params) -> Self {
        let (from, to) = read_window(params);
        Self { from, to, region: params.value("region", "region name") }
    }
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
pub(crate) async fn uptime(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<MonitorId>,
    Asked(query): Asked<UptimeParams>,
) -> ApiResult<Json<UptimeWindow>> {
    let monitor = monitors::find(&app, caller.workspace(), id).await?;
    let window = resolve_window(query.from, query.to, app.now());
    history::uptime(&app, &monitor, query.region.as_ref(), window).await.map(Json)
}
