//! `GET /api/incidents`.

use axum::Json;
use axum::extract::State;
use model::MonitorId;
use utoipa::IntoParams;

use crate::api::IncidentPage;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::history::{self, IncidentPosition};
use crate::input::{Asked, Cursor, FromParams, Params};

/// Which incidents.
#[derive(Debug, Clone, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListIncidents {
    /// Only of this monitor.
    #[param(value_type = Option<Uuid>)]
    pub monitor: Option<MonitorId>,
    /// `true`: only open ones (acknowledged or not); `false`: only resolved ones.
    pub open: Option<bool>,
    /// How many, 1 … 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    pub cursor: Option<IncidentPosition>,
}

impl FromParams for ListIncidents {
    fn read(params: &mut Params) -> Self {
        Self {
            monitor: params.value("monitor", "id"),
            open: params.value("open", "true or false"),
            limit: params.number("limit", 1, 200),
            cursor: Cursor::read(params),
        }
    }
}

#[utoipa::path(
    get,
    path = "/api/incidents",
    tag = "incidents",
    operation_id = "listIncidents",
    summary = "Incidents, newest first",
    params(ListIncidents),
    responses((status = 200, description = "A page of incidents", body = IncidentPage)),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn list(State(app): State<App>, caller: Caller, Asked(query): Asked<ListIncidents>) -> ApiResult<Json<IncidentPage>> {
    let limit = query.limit.unwrap_or(50);
    history::incidents(&app, caller.workspace(), query.monitor, query.open, limit, query.cursor).await.map(Json)
}
