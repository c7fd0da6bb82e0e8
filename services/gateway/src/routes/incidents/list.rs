//! `GET /api/incidents`.

use http::StatusCode;
use model::MonitorId;
use utoipa::IntoParams;

use crate::api::IncidentPage;

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
    pub cursor: Option<String>,
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
pub(crate) async fn list() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
