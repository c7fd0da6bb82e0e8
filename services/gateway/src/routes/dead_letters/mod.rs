pub(crate) mod list;
pub(crate) mod redrive;

use service::Problem;

use crate::app::App;
use crate::error::ApiResult;
use crate::mesh::Log;

/// The log, where this gateway was told how to reach it.
fn log(app: &App) -> ApiResult<&std::sync::Arc<Log>> {
    app.log().ok_or_else(|| Problem::unavailable("this gateway does not know Kafka: set KAFKA_BROKERS").into())
}
