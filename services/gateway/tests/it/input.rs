//! Bad input at every route of the OpenAPI document: a problem that names the field, never a 5xx.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::mesh::{Mesh, answer, spec};
use crate::users::{self, ADMIN, STRANGER, Users};

struct Route {
    method: Method,
    path: String,
    guarded: bool,
    with_body: bool,
    parameters: Vec<String>,
}

fn routes() -> Vec<Route> {
    let document = serde_json::to_value(gateway::openapi()).expect("JSON");
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let parameters = operation["parameters"].as_array().into_iter().flatten().filter(|parameter| parameter["in"] == "query");
            routes.push(Route {
                method: method.to_uppercase().parse().expect("a method"),
                path: path.clone(),
                guarded: operation["security"] != json!([{}]),
                with_body: operation["requestBody"].is_object(),
                parameters: parameters.map(|parameter| parameter["name"].as_str().expect("a name").to_owned()).collect(),
            });
        }
    }
    assert!(routes.len() >= 19, "only {} routes", routes.len());
    routes
}

fn assert_problem((status, body): &(u16, Value), expected: u16, context: &str) {
    assert_eq!(*status, expected, "{context}: {body}");
    assert_eq!(body["status"], json!(expected), "{context}: {body}");
    assert!(body["title"].is_string() && body["type"].is_string(), "{context}: {body}");
}

async fn seeded() -> (Mesh, String) {
    let users = Users::start().await;
    let monitor = users.add(users::workspace(), spec("m"));
    (Mesh::with(&[], users).await, monitor.id.to_string())
}

#[tokio::test]
async fn nobody_comes_in_without_a_session() {
    let (mesh, id) = seeded().await;
    for route in routes().iter().filter(|route| route.guarded) {
        let path = route.path.replace("{id}", &id);
        for token in [None, Some("guessed"), Some("a b"), Some(&*"x".repeat(5000))] {
            let mut request = mesh.request(route.method.clone(), &path).json(&json!({}));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let found = answer(request).await;
            assert_problem(&found, 401, &format!("{} {path}", route.method));
        }
    }
}

#[tokio::test]
async fn foreign_and_unknown_things_are_not_found() {
    let (mesh, id) = seeded().await;
    for route in routes().iter().filter(|route| route.path.contains("{id}")) {
        for (token, id) in [(STRANGER, id.as_str()), (ADMIN, &*Uuid::new_v4().to_string())] {
            let path = route.path.replace("{id}", id);
            let found = answer(mesh.request(route.method.clone(), &path).bearer_auth(token).json(&spec("x"))).await;
            assert_problem(&found, 404, &format!("{} {path}", route.method));
        }
        for id in ["7", "nonsense", "%00", "..%2f..%2fetc", &"9".repeat(4000)] {
            let path = route.path.replace("{id}", id);
            let found = answer(mesh.request(route.method.clone(), &path).bearer_auth(ADMIN).json(&spec("x"))).await;
            assert_problem(&found, 422, &format!("{} {path}", route.method));
            assert_eq!(found.1["errors"][0]["field"], "id");
        }
    }
}

#[tokio::test]
async fn every_parameter_is_judged() {
    let (mesh, id) = seeded().await;
    for route in routes() {
        let path = route.path.replace("{id}", &id);
        for parameter in &route.parameters {
            let bad: &[&str] = match parameter.as_str() {
                "limit" | "buckets" => &["0", "-1", "2147483648", "99999999999999999999", "1e3", "NaN", "x", "1.5"],
                "from" | "to" => &["-1", "0", "9223372036854775807", "99999999999999999999", "now", "NaN"],
                "region" => &["A", "a b", "'; DROP TABLE incidents; --"],
                "cursor" => &["x", "bnVsbA", "e30", "%ff%fe"],
                "state" => &["UP", "green", "'"],
                "monitor" => &["7", "x"],
                "open" => &["1", "yes", "TRUE"],
                _ => &[],
            };
            let long = "y".repeat(3000);
            for value in bad.iter().copied().chain([long.as_str()]) {
                let found = answer(mesh.request(route.method.clone(), &format!("{path}?{parameter}={value}")).bearer_auth(ADMIN)).await;
                assert_problem(&found, 422, &format!("{path}?{parameter}={}", &value[..value.len().min(40)]));
                assert_eq!(found.1["errors"][0]["field"], json!(parameter));
            }
        }
        if !route.parameters.is_empty() {
            let found = answer(mesh.request(route.method.clone(), &format!("{path}?sort=id;--")).bearer_auth(ADMIN)).await;
            assert_problem(&found, 422, &path);
            assert_eq!(found.1["errors"][0]["field"], "sort");
        }
    }
    for (query, field) in [("from=1800000000000&to=1700000000000", "from"), ("from=1600000000000&to=1700000000000", "from")] {
        let found = mesh.get(&format!("/api/monitors/{id}/uptime?{query}")).await;
        assert_problem(&found, 422, query);
        assert_eq!(found.1["errors"][0]["field"], field);
    }
}

#[tokio::test]
async fn every_body_is_judged() {
    let (mesh, id) = seeded().await;
    for route in routes().iter().filter(|route| route.with_body) {
        let path = route.path.replace("{id}", &id);
        let send = |body: Vec<u8>, content_type: &'static str| {
            let request = mesh.request(route.method.clone(), &path).header("content-type", content_type).body(body);
            answer(if route.guarded { request.bearer_auth(ADMIN) } else { request })
        };
        let context = format!("{} {path}", route.method);
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            assert_problem(&send(b"{}".to_vec(), content_type).await, 415, &context);
        }
        for rubbish in [&b""[..], b"{", b"nothing", b"\xff\xfe", b"{\"a\":\"\\ud800\"}", b"{}{}"] {
            let found = send(rubbish.to_vec(), "application/json").await;
            assert!(matches!(found.0, 400 | 422), "{context} {}: {}", String::from_utf8_lossy(rubbish), found.1);
            assert_problem(&found, found.0, &context);
        }
        for wrong in [json!({}), json!([]), json!(null), json!(7), json!({"owner_id": 1}), json!({"name": {"a": 1}, "email": 7})] {
            let found = send(wrong.to_string().into_bytes(), "application/json").await;
            assert_problem(&found, 422, &format!("{context} {wrong}"));
            assert!(found.1["errors"][0]["field"].is_string(), "{context} {wrong}: {}", found.1);
        }
        let deep = format!("{}{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
        let found = send(deep.into_bytes(), "application/json").await;
        assert!(matches!(found.0, 400 | 422), "{context}: {}", found.1);
        assert_problem(&send(vec![b' '; 2 << 20], "application/json").await, 413, &context);
    }
    for (body, field) in [
        (json!({"name": "x", "probe": {"kind": "http", "url": "ftp://a.b"}}), "probe.url"),
        (json!({"name": "x", "probe": {"kind": "http", "url": "http://a.b"}, "interval_seconds": 0}), "interval_seconds"),
        (json!({"name": "x", "probe": {"kind": "http", "url": "http://a.b"}, "interval_seconds": -1}), "interval_seconds"),
        (json!({"name": "x", "probe": {"kind": "http", "url": "http://a.b"}, "interval_seconds": 1e99}), "interval_seconds"),
        (json!({"name": "x", "probe": {"kind": "http", "url": "http://a.b"}, "workspace": Uuid::nil()}), "workspace"),
        (json!({"name": "x", "probe": {"kind": "http"}}), "probe.url"),
    ] {
        let found = mesh.send(Method::POST, "/api/monitors", &body).await;
        assert_problem(&found, 422, &body.to_string());
        assert_eq!(found.1["errors"][0]["field"], field, "{body}");
    }
}

#[tokio::test]
async fn wrong_methods_and_paths_are_told_apart() {
    let (mesh, id) = seeded().await;
    for (method, path) in [
        (Method::PATCH, format!("/api/monitors/{id}")),
        (Method::DELETE, "/api/monitors".to_owned()),
        (Method::PUT, "/api/login".to_owned()),
    ] {
        let found = answer(mesh.request(method, &path).bearer_auth(ADMIN).json(&json!({}))).await;
        assert_problem(&found, 405, &path);
    }
    for path in ["/api", "/api/", "/api/nothing", "/api/monitors/", "/api/../etc/passwd", "/doc/x"] {
        let found = mesh.get(path).await;
        assert!(found.0 == 404 || path.contains(".."), "{path}: {}", found.1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_answered_and_not_cut_off() {
    let mesh = Mesh::start().await;
    for n in 0..20 {
        let request = mesh.request(Method::POST, "/api/monitors").bearer_auth(ADMIN).header("content-type", "application/json");
        let sent = request.body(vec![b' '; 3 << 20]).send().await.unwrap_or_else(|error| panic!("{n}: {error:?}"));
        assert_eq!((sent.status().as_u16(), sent.headers()["content-type"].to_str().ok()), (413, Some("application/problem+json")));
    }
}
