//! `GET /api/monitors`.

use axum::extract::State as Shared;
use axum::response::Response;
use http::HeaderMap;
use utoipa::IntoParams;

use crate::api::{MonitorPage, State};
use crate::app::App;
use crate::auth::{Caller, Secrets};
use crate::error::ApiResult;
use crate::input::{Asked, Cursor, FromParams, Params};
use crate::live::{self, Position, Selection};

/// Which monitors.
#[derive(Debug, Clone, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListMonitors {
    /// How many, 1 … 200; 100 when absent.
    #[param(minimum = 1, maximum = 200, default = 100)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    pub cursor: Option<Position>,
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

impl FromParams for ListMonitors {
    fn read(params: &mut Params) -> Self {
        let limit = params.number("limit", 1, 200);
        let cursor = Cursor::read(params);
        let search = params.text("search", 200);
        let state = params.value::<String>("state", "text").and_then(|text| state(params, &text));
        let tag = params.text("tag", 261);
        Self { limit, cursor, search, state, tag }
    }
}

fn state(params: &mut Params, text: &str) -> Option<State> {
    let known = serde_json::from_value(text.into()).ok();
    if known.is_none() {
        params.wrong("state", "is none of up, degraded, down, unknown, paused, pending");
    }
    known
}

impl ListMonitors {
    /// What the catalog is asked.
    pub(crate) fn selection(self, secrets: Secrets) -> Selection {
        let tag = self.tag.map(|tag| match tag.split_once(':') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (tag, None),
        });
        Selection {
            secrets,
            after: self.cursor,
            limit: usize::try_from(self.limit.unwrap_or(100)).unwrap_or(100),
            search: self.search.map(|text| text.to_lowercase()),
            state: self.state,
            tag,
        }
    }
}

#[utoipa::path(
    get,
    path = "/api/monitors",
    tag = "monitors",
    operation_id = "listMonitors",
    summary = "Monitors with their state now",
    description = "As with `getMonitor`, a viewer sees `__masked__` for what may be a secret, and finds nothing by it.",
    params(ListMonitors),
    responses((status = 200, description = "A page of monitors, by name", body = MonitorPage)),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn list(
    Shared(app): Shared<App>,
    caller: Caller,
    Asked(query): Asked<ListMonitors>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    Ok(live::list(&app, caller.workspace(), query.selection(caller.secrets())).await?.respond(&headers))
}
