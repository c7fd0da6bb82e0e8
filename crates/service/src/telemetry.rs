//! Logs to standard error, spans to OTLP when `OTEL_EXPORTER_OTLP_ENDPOINT` is set.

use std::io::IsTerminal;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, dynamic_filter_fn};
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::{Context, Filter, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::{Env, Error, logs, trace};

/// Quiet where libraries are chatty; `RUST_LOG` replaces it.
const DEFAULT_FILTER: &str = "info,rdkafka=warn,sqlx=warn,hyper=warn,reqwest=warn,opentelemetry=warn,tokio_cron_scheduler=warn";
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Ends with the process; [`Telemetry::shutdown`] sends the spans that wait.
pub struct Telemetry {
    provider: SdkTracerProvider,
}

/// Sets the process's subscriber and propagator. Once per process.
pub fn init(name: &'static str, env: &Env) -> Result<Telemetry, Error> {
    let format = env.or("LOG_FORMAT", if std::io::stderr().is_terminal() { "text" } else { "json" }.to_owned())?;
    if !["json", "text"].contains(&format.as_str()) {
        return Err(env.reject("LOG_FORMAT", "is neither json nor text", Some("json")).into());
    }
    let filter = EnvFilter::try_new(env.get("RUST_LOG").unwrap_or(DEFAULT_FILTER))
        .map_err(|error| env.reject("RUST_LOG", error, Some("info,pinger=debug")))?;
    let provider = provider(name, env)?;
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("upmesh"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(only_spans());
    let registry = tracing_subscriber::registry().with(spans);
    let output = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // The filter outermost: only then is its level known to the macros, and what lies below it (rdkafka traces
    // every message it drops) costs a comparison instead of a question to each layer.
    let result = if format == "json" {
        registry.with(output.fmt_fields(JsonFields::new()).event_format(logs::Json)).with(filter).try_init()
    } else {
        registry.with(output.with_target(false).with_ansi(std::io::stderr().is_terminal())).with(filter).try_init()
    };
    result.map_err(|error| Error::msg(format!("logging cannot start: {error}")))?;
    Ok(Telemetry { provider })
}

/// Spans, and of them not the one that names the service. The answer must not be remembered for a callsite: a question
/// without an event behind it (`log_enabled!`, which rdkafka asks for each client it makes) leaves its "no" on the thread,
/// and a span whose answer is remembered is not asked for again but takes that "no" for its own.
fn only_spans<S: Subscriber>() -> impl Filter<S> {
    dynamic_filter_fn(|metadata: &Metadata<'_>, _: &Context<'_, S>| metadata.is_span() && metadata.target() != logs::SERVICE_SPAN)
}

impl Telemetry {
    /// Sends what waits, for at most a few seconds. Blocks.
    pub fn shutdown(self) {
        // An unreachable collector must not change how a service ends.
        let _ = self.provider.shutdown_with_timeout(EXPORT_TIMEOUT);
    }
}

/// Without an endpoint nothing is sampled, but trace ids still exist and travel through Kafka, so that any one service
/// can be traced alone.
fn provider(name: &'static str, env: &Env) -> Result<SdkTracerProvider, Error> {
    let Some(endpoint) = env.get("OTEL_EXPORTER_OTLP_ENDPOINT") else {
        return Ok(SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff).build());
    };
    let ratio = env.or("OTEL_TRACES_SAMPLER_ARG", 1.0_f64)?;
    let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    // A blocking client may neither be made nor dropped on the runtime's threads; the exporter runs on its own.
    let client = std::thread::spawn(|| reqwest::blocking::Client::builder().no_proxy().timeout(EXPORT_TIMEOUT).build())
        .join()
        .map_err(|_| Error::msg("the OTLP client panicked"))??;
    let exporter = SpanExporter::builder().with_http().with_http_client(client).with_endpoint(url).with_timeout(EXPORT_TIMEOUT).build()?;
    trace::set_exported();
    let service = env.get("OTEL_SERVICE_NAME").unwrap_or(name).to_owned();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))))
        .with_resource(Resource::builder().with_service_name(service).build())
        .build())
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::Registry;

    use super::*;

    #[test]
    fn a_span_is_traced_though_somebody_only_asked_whether_to_log() {
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        let provider = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOn).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test")).with_filter(only_spans::<Registry>());
        let subscriber = tracing_subscriber::registry().with(layer).with(EnvFilter::new("info"));
        tracing::subscriber::with_default(subscriber, || {
            assert!(!tracing::enabled!(tracing::Level::DEBUG));
            let _ = tracing::enabled!(tracing::Level::INFO);
            assert!(tracing::info_span!("check").in_scope(trace::current).is_some());
        });
    }
}
