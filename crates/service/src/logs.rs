//! One JSON object a line, complete by itself: time, level, service, message, the event's fields and those of its spans.

use std::fmt;

use opentelemetry::trace::TraceContextExt;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Target of the span that names the service. It lives as long as a task, so it belongs in logs, never in a trace.
pub(crate) const SERVICE_SPAN: &str = "service::task";

pub(crate) struct Json;

impl<S> FormatEvent<S, JsonFields> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, JsonFields>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Map::new();
        for span in ctx.event_scope().into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
            if let Some(formatted) = span.extensions().get::<FormattedFields<JsonFields>>()
                && let Ok(Value::Object(of_span)) = serde_json::from_str(formatted)
            {
                fields.extend(of_span);
            }
        }
        event.record(&mut Collect(&mut fields));
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut line = Map::new();
        line.insert("time".to_owned(), time.into());
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        for first in ["service", "message"] {
            if let Some(value) = fields.remove(first) {
                line.insert(first.to_owned(), value);
            }
        }
        line.insert("target".to_owned(), event.metadata().target().into());
        let context = opentelemetry::Context::current();
        let span = context.span();
        if span.span_context().is_valid() {
            line.insert("trace_id".to_owned(), span.span_context().trace_id().to_string().into());
        }
        // A field may not replace what every line has.
        for (name, value) in fields {
            line.entry(name).or_insert(value);
        }
        writeln!(writer, "{}", Value::Object(line))
    }
}

struct Collect<'a>(&'a mut Map<String, Value>);

impl Collect<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().trim_start_matches("r#").to_owned(), value.into());
    }
}

impl Visit for Collect<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}
