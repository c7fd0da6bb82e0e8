//! `GET /internal/channels`: every channel, secrets in the clear.

use axum::Json;
use axum::extract::State;
use directory::wire::Channel;
use store::{channels, to_millis};

use crate::app::App;
use crate::channels::open;
use crate::error::RouteError;

pub(crate) async fn handle(State(app): State<App>) -> Result<Json<Vec<Channel>>, RouteError> {
    let rows = channels::all(&app.store).await?;
    let opened = rows.into_iter().filter_map(|row| {
        let (id, workspace) = (row.id.into(), row.workspace_id.into());
        match open(&app.cipher, workspace, id, &row.settings) {
            Ok(settings) => {
                Some(Channel { id, workspace, name: row.name, default: row.is_default, updated_at: to_millis(row.updated_at), settings })
            }
            Err(error) => {
                // One that cannot be opened must not silence the others.
                tracing::error!(%error, channel = row.name, "a channel is left out");
                None
            }
        }
    });
    Ok(Json(opened.collect()))
}
