//! `GET /api/monitors/{id}/checks`.

use axum::Json;
use axum::extract::State;
use model::{Millis, MonitorId, Region};
use utoipa::IntoParams;

use crate::api::CheckPage;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::history;
use crate::input::{Asked, Cursor, FromParams, Id, Params, read_window, resolve_window};
use crate::routes::monitors;

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
    #[param(value_type = Option<String>)]
    pub cursor: Option<history::CheckPosition>,
}

impl FromParams for ListChecks {
    fn read(params: &mut Params) -> Self {
        let (from, to) = read_window(params);
        Self {
            from,
            to,

            region: params.value("region", "region name"),
            limit: params.number("limit", 1, 1000),
            cursor: Cursor::read(params),
        }
    }
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
pub(crate) async fn checks(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<MonitorId>,
    Asked(query): Asked<ListChecks>,
) -> ApiResult<Json<CheckPage>> {
    let monitor = monitors::find(&app, caller.workspace(), id).await?;
    let (from, to) = resolve_window(query.from, query.to, app.now());
    let limit = usize::try_from(query.limit.unwrap_or(100)).unwrap_or(100);
    history::checks(&app, &monitor, query.region.as_ref(), (from, to), limit, query.cursor).await.map(Json)
}
