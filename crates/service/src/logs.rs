//! One JSON object a line, complete by itself: time, level, service, message, the event's fields and those of its spans.

use std::fmt::{self, Write as _};

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
        // Records of the `log` crate carry their origin in fields; their target says enough.
        let target = fields.remove("log.target").unwrap_or_else(|| event.metadata().target().into());
        fields.retain(|name, _| !name.starts_with("log."));
        let mut line = Line::begin(&time, event.metadata().level().as_str());
        for first in ["service", "message"] {
            if let Some(value) = fields.remove(first) {
                line.field(first, &value);
            }
        }
        line.field("target", &target);
        let context = opentelemetry::Context::current();
        let span = context.span();
        if span.span_context().is_valid() {
            line.field("trace_id", &span.span_context().trace_id().to_string().into());
        }
        // A field may not say again what every line has.
        for (name, value) in fields.iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
            line.field(name, value);
        }
        writeln!(writer, "{}}}", line.0)
    }
}

/// What a line says about itself, first and in this order, so that a log can be read by eye too.
const OWN: [&str; 5] = ["time", "level", "target", "trace_id", "service"];

/// A JSON object written field by field; a map would sort it.
struct Line(String);

impl Line {
    fn begin(time: &str, level: &str) -> Self {
        Self(format!(r#"{{"time":"{time}","level":"{level}""#))
    }

    fn field(&mut self, name: &str, value: &Value) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, ",{}:{value}", Value::from(name));
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Buffer {
        type Writer = Self;
        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn a_line_reads_alone_with_the_fields_of_its_spans() {
        let buffer = Buffer::default();
        let layer = tracing_subscriber::fmt::layer().fmt_fields(JsonFields::new()).event_format(Json).with_writer(buffer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let _service = tracing::error_span!(target: SERVICE_SPAN, "service", service = "pinger").entered();
            let _check = tracing::info_span!("check", monitor = "shop").entered();
            tracing::warn!(attempt = 2, level = "fake", "a \"quoted\" line");
        });
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["service"], "pinger");
        assert_eq!(line["monitor"], "shop");
        assert_eq!(line["attempt"], 2);
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "a \"quoted\" line");
        assert!(text.starts_with(r#"{"time":""#) && text.ends_with("}\n"), "{text}");
    }
}
