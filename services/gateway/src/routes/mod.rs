//! The public routes: one endpoint a file, each with its documentation.
#![expect(unused_qualifications, reason = "the documentation macro writes out the paths of what it names")]

mod channels;
mod dead_letters;
mod history;
mod incidents;
mod meta;
mod monitors;
mod session;
mod stream;
mod system;

use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// Every route with its place in the document.
pub(crate) fn collect(document: OpenApi) -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(document)
        .routes(routes!(session::login::login))
        .routes(routes!(session::logout::logout))
        .routes(routes!(session::me::me))
        .routes(routes!(monitors::list::list, monitors::create::create))
        .routes(routes!(monitors::statuses::statuses))
        .routes(routes!(monitors::get::get, monitors::update::update, monitors::delete::delete))
        .routes(routes!(monitors::pause::pause))
        .routes(routes!(monitors::resume::resume))
        .routes(routes!(history::checks::checks))
        .routes(routes!(history::uptime::uptime))
        .routes(routes!(history::timeline::timeline))
        .routes(routes!(incidents::list::list))
        .routes(routes!(incidents::get::get))
        .routes(routes!(incidents::acknowledge::acknowledge))
        .routes(routes!(channels::list::list))
        .routes(routes!(stream::open::open))
        .routes(routes!(system::get::get))
        .routes(routes!(dead_letters::list::list))
        .routes(routes!(dead_letters::redrive::redrive))
        .routes(routes!(meta::health::health))
        .routes(routes!(meta::doc::doc))
}
