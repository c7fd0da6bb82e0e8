//! `GET /api/monitors`.

use http::StatusCode;

use crate::api::{MonitorPage, State};
use utoipa::IntoParams;

/// Which monitors.
#[derive(Debug, Clone, PartialEq, Eq, Hash, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListMonitors {
    /// How many, 1 … 200; 100 when absent.
    #[param(minimum = 1, maximum = 200, default = 100)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Part of the name or target, in any case.
    #[param(max_length = 200)]
    pub search: Option<String>,
    /// Only monitors in this state.
    #[param(inline)]
    pub state: Option<State>,
    /// Only monitors with this tag: `name` or `name:value`.
    #[param(max_length = 261)]
    pub tag: Option<String>,
}

#[utoipa::path(
    get,
    path = "/api/monitors",
    tag = "monitors",
    operation_id = "listMonitors",
    summary = "Monitors with their state now",
    params(ListMonitors),
    responses((status = 200, description = "A page of monitors, by name", body = MonitorPage)),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn list() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
