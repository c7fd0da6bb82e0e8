//! The internal API: one endpoint a file.

mod channels;
mod input;
mod monitors;
mod sessions;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use service::Problem;

use crate::app::App;
use crate::internal_key;

pub(crate) fn router(app: App) -> Router {
    let one = "/internal/workspaces/{workspace}/monitors/{id}";
    Router::new()
        .route("/internal/login", post(sessions::login::handle))
        .route("/internal/logout", post(sessions::logout::handle))
        .route("/internal/sessions/resolve", post(sessions::resolve::handle))
        .route("/internal/channels", get(channels::list::handle))
        .route("/internal/monitors", get(monitors::feed::handle))
        .route("/internal/workspaces/{workspace}/monitors", get(monitors::list::handle).post(monitors::create::handle))
        .route(one, get(monitors::get::handle).put(monitors::update::handle).delete(monitors::delete::handle))
        .route(&format!("{one}/pause"), post(monitors::pause::pause))
        .route(&format!("{one}/resume"), post(monitors::pause::resume))
        .fallback(|| async { Problem::not_found("there is no such route") })
        .method_not_allowed_fallback(|| async { Problem::new(http::StatusCode::METHOD_NOT_ALLOWED, "the route does not take this method") })
        .layer(from_fn_with_state(app.clone(), internal_key::require))
        .with_state(app)
}
