//! `GET /api/system/dead-letters`.

use axum::Json;
use axum::extract::State;
use utoipa::IntoParams;

use crate::api::DeadLetterPage;
use crate::app::App;
use crate::auth::Admin;
use crate::error::{ApiError, ApiResult};
use crate::input::{Asked, FromParams, Params};
use crate::mesh;

/// Which dead letters.
#[derive(Debug, Clone, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListDeadLetters {
    /// The topic they came from; `monitoring-results` when absent.
    pub topic: Option<String>,
    /// How many, 1 … 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
}

impl FromParams for ListDeadLetters {
    fn read(params: &mut Params) -> Self {
        Self { topic: params.text("topic", 100), limit: params.number("limit", 1, 200) }
    }
}

#[utoipa::path(
    get,
    path = "/api/system/dead-letters",
    tag = "system",
    operation_id = "listDeadLetters",
    summary = "Records that no reader could read, newest first (admins only)",
    params(ListDeadLetters),
    responses((status = 200, description = "The newest of one topic", body = DeadLetterPage)),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn list(State(app): State<App>, _: Admin, Asked(query): Asked<ListDeadLetters>) -> ApiResult<Json<DeadLetterPage>> {
    let log = super::log(&app)?;
    let topic = query.topic.as_deref().unwrap_or("monitoring-results");
    let topic = log.topic(topic).ok_or_else(|| ApiError::field("topic", "is no topic of the mesh"))?;
    let limit = usize::try_from(query.limit.unwrap_or(50)).unwrap_or(50);
    mesh::list(log, app.primary(), topic, limit).await.map(Json)
}
