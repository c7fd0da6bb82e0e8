//! The OpenAPI document, made from the routes themselves, so that it cannot promise what is not there.

use utoipa::OpenApi;
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};

use crate::{api, routes};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Upmesh",
        description = "Monitors, their state and history, incidents and live updates.\n\nErrors are `application/problem+json` and name the field. Times are Unix milliseconds, latencies microseconds. Log in with `POST /api/login`: browsers get a cookie, scripts send the token as `Authorization: Bearer`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/")),
    tags(
        (name = "session", description = "Logging in and out"),
        (name = "monitors", description = "What is checked, and its state now"),
        (name = "history", description = "What was seen, at full resolution"),
        (name = "incidents", description = "Confirmed periods of not-up"),
        (name = "system", description = "The mesh itself, and live updates"),
    ),
    components(schemas(
        api::ProblemBody, api::Hello, api::LiveEvent, api::ResultsEvent, api::VerdictsEvent, api::ConfigEvent
    )),
)]
pub(crate) struct Document;

/// The document of all public routes, the same on every run.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, mut document) = routes::collect(Document::openapi()).split_for_parts();
    if let Some(components) = document.components.as_mut() {
        let cookie = ApiKeyValue::with_description("sid", "`__Host-sid` where the public URL is https");
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
    for (path, item) in &mut document.paths.paths {
        let operations = [
            (HttpMethod::Get, &mut item.get),
            (HttpMethod::Post, &mut item.post),
            (HttpMethod::Put, &mut item.put),
            (HttpMethod::Delete, &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                add_problems(path, &method, operation);
            }
        }
    }
    document
}

/// The document as a file: pretty, with a newline at the end.
pub fn openapi_json() -> Result<String, serde_json::Error> {
    openapi().to_pretty_json().map(|text| text + "\n")
}

/// The errors that follow from an operation's shape, so that no route has to repeat them.
fn add_problems(path: &str, method: &HttpMethod, operation: &mut Operation) {
    let unsafe_method = !matches!(method, HttpMethod::Get);
    let with_input = operation.request_body.is_some() || operation.parameters.is_some();
    let guarded = operation.security.iter().flatten().any(|scheme| *scheme != SecurityRequirement::default());
    if guarded {
        problem(operation, "401", "No session, or it has ended");
    }
    if unsafe_method && path.starts_with("/api") {
        problem(operation, "403", "The role does not allow it, or the request comes from another site");
    }
    if path.contains('{') {
        problem(operation, "404", "There is no such thing in this workspace");
    }
    if operation.request_body.is_some() {
        problem(operation, "400", "The body is no JSON");
        problem(operation, "413", "The body is too large");
        problem(operation, "415", "The content type is not application/json");
    }
    if with_input {
        problem(operation, "422", "An input is wrong; `errors` names each field");
    }
    if path.starts_with("/api") {
        problem(operation, "503", "A part of the mesh that is needed does not answer; try again");
    }
}

fn problem(operation: &mut Operation, status: &str, description: &str) {
    let content = ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name("Problem")))).build();
    let response = ResponseBuilder::new().description(description).content("application/problem+json", content).build();
    operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(response));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_in_the_repository_is_this_one() {
        let kept = include_str!("../../../docs/openapi.json");
        assert!(kept == openapi_json().expect("a document"), "run: cargo run -p gateway --example openapi -- docs/openapi.json");
    }

    #[test]
    fn every_operation_is_named_guarded_and_says_how_it_fails() {
        let document = serde_json::to_value(openapi()).expect("JSON");
        let mut names = std::collections::HashSet::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                let name = operation["operationId"].as_str().expect("a name");
                assert!(names.insert(name.to_owned()), "{name} names two operations");
                assert!(operation["security"].is_array(), "{method} {path} does not say who may call it");
                let open =
                    operation["security"].as_array().is_some_and(|schemes| schemes.iter().all(|scheme| scheme == &serde_json::json!({})));
                assert!(open || operation["responses"]["401"].is_object(), "{method} {path} has no 401");
            }
        }
    }
}
