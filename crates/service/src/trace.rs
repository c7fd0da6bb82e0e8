//! W3C trace context across processes: HTTP headers and Kafka record headers carry the same `traceparent` line.

use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::propagation::{Extractor, Injector};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Name of the header, in HTTP and in Kafka.
pub const TRACEPARENT: &str = "traceparent";

static EXPORTED: AtomicBool = AtomicBool::new(false);

/// Whether spans go to a collector. Where thousands of spans a second would be made for nobody, ask first.
pub fn exported() -> bool {
    EXPORTED.load(Ordering::Relaxed)
}

pub(crate) fn set_exported() {
    EXPORTED.store(true, Ordering::Relaxed);
}

/// The `traceparent` of the current span; `None` outside any span.
pub fn current() -> Option<String> {
    let mut header = One(None);
    opentelemetry::global::get_text_map_propagator(|propagator| propagator.inject_context(&Span::current().context(), &mut header));
    header.0
}

/// Makes `span` continue the trace that `traceparent` names. Call it before the span is entered; a line that cannot be
/// read changes nothing.
pub fn follow(span: &Span, traceparent: &str) {
    let header = One(Some(traceparent.to_owned()));
    let parent = opentelemetry::global::get_text_map_propagator(|propagator| propagator.extract(&header));
    // Fails only where the span is not recorded, and then there is nothing to continue.
    let _ = span.set_parent(parent);
}

struct One(Option<String>);

impl Injector for One {
    fn set(&mut self, key: &str, value: String) {
        if key == TRACEPARENT {
            self.0 = Some(value);
        }
    }
}

impl Extractor for One {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.as_deref().filter(|_| key == TRACEPARENT)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn a_trace_continues_across_a_header_even_when_nothing_is_sampled() {
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        let provider = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let sent = tracing::info_span!("check").in_scope(current).unwrap();
            assert_eq!(sent.len(), 55, "{sent}");
            let span = tracing::info_span!("fold");
            follow(&span, &sent);
            let received = span.in_scope(current).unwrap();
            assert_eq!(sent[3..35], received[3..35], "one trace id");
            follow(&tracing::info_span!("bad"), "nonsense");
        });
    }
}
