//! Cookies, foreign origins, headers and pages.

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::mesh::{Mesh, answer, now, spec};
use crate::users::{ADMIN, Users, VIEWER, session};

#[tokio::test]
async fn a_session_from_login_to_logout() {
    let mesh = Mesh::start().await;
    let credentials = json!({"email": "admin@upmesh.test", "password": "right"});
    let response = mesh.request(Method::POST, "/api/login").json(&credentials).send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    let cookie = response.headers()[SET_COOKIE].to_str().expect("text").to_owned();
    assert!(cookie.starts_with("sid=admin-token; HttpOnly; SameSite=Lax; Path=/; Max-Age="), "{cookie}");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let with_cookie = |method, path| mesh.request(method, path).header(COOKIE, format!("sid={ADMIN}"));
    let (status, me) = answer(with_cookie(Method::GET, "/api/me")).await;
    assert_eq!((status, &me["user"]["email"], &me["role"]), (200, &json!("p1@upmesh.test"), &json!("admin")));
    let response = with_cookie(Method::POST, "/api/logout").send().await.expect("an answer");
    assert_eq!(response.status(), 204);
    assert!(response.headers()[SET_COOKIE].to_str().expect("text").contains("Max-Age=0"));
    // At once in this process, and nobody else knows the token either.
    assert_eq!(answer(with_cookie(Method::GET, "/api/me")).await.0, 401);

    let (status, problem) = answer(mesh.request(Method::POST, "/api/login").json(&json!({"email": "a@b", "password": "wrong"}))).await;
    assert_eq!((status, &problem["status"]), (401, &json!(401)));
    let mut refused = 0;
    for _ in 0..40 {
        refused +=
            usize::from(answer(mesh.request(Method::POST, "/api/login").json(&json!({"email": "a@b", "password": "x"}))).await.0 == 429);
    }
    assert!(refused >= 5, "only {refused} of 40 attempts at once were held back");
}

#[tokio::test]
async fn under_https_the_session_is_in_a_cookie_that_no_other_host_can_set() {
    let mesh = Mesh::with(&[("PUBLIC_URL", "https://status.example.com")], Users::start().await).await;
    let credentials = json!({"email": "admin@upmesh.test", "password": "right"});
    let response = mesh.request(Method::POST, "/api/login").json(&credentials).send().await.expect("an answer");
    let cookie = response.headers()[SET_COOKIE].to_str().expect("text").to_owned();
    assert!(cookie.starts_with("__Host-sid=admin-token; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age="), "{cookie}");
    let with_cookie = |method, path, name| mesh.request(method, path).header(COOKIE, format!("{name}={ADMIN}"));
    assert_eq!(answer(with_cookie(Method::GET, "/api/me", "sid")).await.0, 401);
    assert_eq!(answer(with_cookie(Method::GET, "/api/me", "__Host-sid")).await.0, 200);
    let response = with_cookie(Method::POST, "/api/logout", "__Host-sid").send().await.expect("an answer");
    let ended = response.headers()[SET_COOKIE].to_str().expect("text").to_owned();
    assert!(ended.starts_with("__Host-sid=;") && ended.contains("Max-Age=0"), "{ended}");
}

#[tokio::test]
async fn tokens_that_nobody_holds_cost_users_only_so_many_questions() {
    let users = Users::start().await;
    let mesh = Mesh::with(&[], users.clone()).await;
    let copy = serde_json::from_value(session(VIEWER).expect("known")).expect("a session");
    mesh.cache().await.put_session(&hex::encode(Sha256::digest(VIEWER)), &copy, now()).await.expect("copied");
    let before = users.questions();
    let (mut unknown, mut held_back) = (0, 0);
    for n in 0..100 {
        match mesh.get_as(&format!("made-up-{n}"), "/api/me").await.0 {
            401 => unknown += 1,
            429 => held_back += 1,
            status => panic!("{status}"),
        }
    }
    assert!(held_back > 0, "all of 100 questions were asked");
    assert_eq!(users.questions() - before, unknown);
    assert_eq!(mesh.get_as(VIEWER, "/api/me").await.0, 200, "a session that Redis knows is not held back");
}

#[tokio::test]
async fn no_other_site_acts_through_a_browser() {
    let mesh = Mesh::start().await;
    let post = || mesh.request(Method::POST, "/api/monitors").header(COOKIE, format!("sid={ADMIN}")).json(&spec("m"));
    assert_eq!(answer(post().header("sec-fetch-site", "cross-site")).await.0, 403);
    assert_eq!(answer(post().header(ORIGIN, "https://evil.example")).await.0, 403);
    assert_eq!(answer(post().header(ORIGIN, "null")).await.0, 403);
    assert_eq!(answer(post().header("sec-fetch-site", "same-origin")).await.0, 201);
    // A form can send text/plain anywhere; it is not taken for JSON.
    let form = mesh.request(Method::POST, "/api/monitors").header(COOKIE, format!("sid={ADMIN}")).header(CONTENT_TYPE, "text/plain");
    assert_eq!(answer(form.body(spec("n").to_string())).await.0, 415);
    let login = mesh.request(Method::POST, "/api/login").header("sec-fetch-site", "cross-site");
    assert_eq!(answer(login.json(&json!({"email": "admin@upmesh.test", "password": "right"}))).await.0, 403);
    assert_eq!(answer(mesh.request(Method::POST, "/api/monitors").bearer_auth(VIEWER).json(&spec("v"))).await.0, 403);
}

#[tokio::test]
async fn every_answer_is_guarded() {
    let mesh = Mesh::start().await;
    for path in ["/", "/monitors/7", "/api/me", "/api/nothing", "/doc", "/reference", "/health", "/assets/gone.js"] {
        let response = mesh.request(Method::GET, path).send().await.expect("an answer");
        let headers = response.headers();
        let policy = headers["content-security-policy"].to_str().expect("text");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("script-src 'self';"), "{path}: {policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        if path.starts_with("/api") {
            assert_eq!(headers["content-type"], "application/problem+json", "{path}");
            assert_eq!(headers["cache-control"], "no-store", "{path}");
        }
    }
    assert_eq!(mesh.get("/doc").await.1["openapi"], "3.1.0");
    let reference = mesh.request(Method::GET, "/reference").send().await.expect("an answer").text().await.expect("text");
    assert!(!reference.contains("https://"), "the reference page loads something from elsewhere");
}
