//! A stub of the users service: two workspaces, four people, monitors in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use model::{Monitor, MonitorId, MonitorSpec, ScheduleSegment, WorkspaceId};
use serde_json::{Value, json};
use uuid::Uuid;

/// Tokens of the people: an admin, an editor and a viewer of one workspace, the admin of another.
pub const ADMIN: &str = "admin-token";
pub const EDITOR: &str = "editor-token";
pub const VIEWER: &str = "viewer-token";
pub const STRANGER: &str = "stranger-token";

pub fn workspace() -> WorkspaceId {
    Uuid::from_u128(0xa).into()
}

pub fn other_workspace() -> WorkspaceId {
    Uuid::from_u128(0xb).into()
}

#[derive(Default)]
struct Known {
    monitors: BTreeMap<MonitorId, Monitor>,
    deleted: Vec<(MonitorId, i64)>,
    revision: i64,
    ended: Vec<String>,
    questions: usize,
    channels: Vec<Value>,
    channel_questions: usize,
}

/// The stub; lives as long as the test's runtime.
#[derive(Clone)]
pub struct Users {
    known: Arc<Mutex<Known>>,
    pub url: String,
}

impl Users {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let users = Self { known: Arc::default(), url };
        let router = Router::new()
            .route("/internal/monitors", get(feed))
            .route("/internal/channels", get(channels))
            .route("/internal/login", post(login))
            .route("/internal/logout", post(logout))
            .route("/internal/sessions/resolve", post(resolve))
            .route("/internal/workspaces/{ws}/monitors", post(create))
            .route("/internal/workspaces/{ws}/monitors/{id}", get(read).put(update).delete(delete))
            .route("/internal/workspaces/{ws}/monitors/{id}/{verb}", post(switch))
            .with_state(users.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        users
    }

    /// How often it was asked who holds a token.
    pub fn questions(&self) -> usize {
        self.known.lock().expect("no panic").questions
    }

    /// Puts a channel there, with a secret in its settings.
    pub fn add_channel(&self, workspace: WorkspaceId, name: &str, default: bool) {
        let channel = json!({"id": Uuid::now_v7(), "workspace": workspace, "name": name, "default": default, "updated_at": 1,
            "kind": "slack_webhook", "settings": {"url": "https://hooks.slack.com/services/s3cret"}});
        self.known.lock().expect("no panic").channels.push(channel);
    }

    /// How often it was asked for the channels.
    pub fn channel_questions(&self) -> usize {
        self.known.lock().expect("no panic").channel_questions
    }

    /// Puts a monitor there, as if somebody had created it two hours ago.
    pub fn add(&self, workspace: WorkspaceId, spec: Value) -> Monitor {
        self.add_aged(workspace, spec, 7_200_000)
    }

    /// Puts a monitor there that was created so long ago.
    pub fn add_aged(&self, workspace: WorkspaceId, spec: Value, age: model::Millis) -> Monitor {
        let mut spec: MonitorSpec = serde_json::from_value(spec).expect("a spec");
        if spec.regions.is_empty() {
            spec.regions = vec![crate::mesh::local()];
        }
        let mut known = self.known.lock().expect("no panic");
        known.revision += 1;
        let created_at = model::Clock::now_ms(&model::SystemClock) - age;
        let segment = ScheduleSegment {
            from: created_at,
            interval_ms: i64::from(spec.interval_seconds) * 1000,
            regions: spec.regions.clone(),
            active: !spec.paused,
        };
        let monitor = Monitor {
            id: Uuid::now_v7().into(),
            workspace,
            revision: known.revision,
            created_at,
            updated_at: created_at,
            spec,
            segments: vec![segment],
        };
        known.monitors.insert(monitor.id, monitor.clone());
        monitor
    }
}

type Answer = (StatusCode, Json<Value>);

fn problem(status: StatusCode, detail: &str) -> Answer {
    (status, Json(json!({"type": "about:blank", "title": status.canonical_reason(), "status": status.as_u16(), "detail": detail})))
}

/// The session of a token.
pub fn session(token: &str) -> Option<Value> {
    let (person, workspace, role) = match token {
        ADMIN => (1, workspace(), "admin"),
        VIEWER => (2, workspace(), "viewer"),
        EDITOR => (4, workspace(), "editor"),
        STRANGER => (3, other_workspace(), "admin"),
        _ => return None,
    };
    Some(json!({
        "user": {"id": Uuid::from_u128(person), "email": format!("p{person}@upmesh.test"), "name": "P"},
        "workspace": {"id": workspace, "name": "W"}, "role": role, "expires_at": 4_000_000_000_000_i64
    }))
}

async fn feed(State(users): State<Users>) -> Json<Value> {
    let known = users.known.lock().expect("no panic");
    let monitors: Vec<_> = known.monitors.values().collect();
    let deleted: Vec<_> = known.deleted.iter().map(|(id, revision)| json!({"id": id, "revision": revision})).collect();
    Json(json!({"source": Uuid::from_u128(9), "revision": known.revision, "monitors": monitors, "deleted": deleted, "more": false}))
}

async fn channels(State(users): State<Users>) -> Json<Value> {
    let mut known = users.known.lock().expect("no panic");
    known.channel_questions += 1;
    Json(json!(known.channels))
}

async fn login(Json(body): Json<Value>) -> Answer {
    match (body["email"].as_str(), body["password"].as_str()) {
        (Some("admin@upmesh.test"), Some("right")) => {
            let mut answer = session(ADMIN).expect("known");
            answer["token"] = json!(ADMIN);
            (StatusCode::OK, Json(answer))
        }
        _ => problem(StatusCode::UNAUTHORIZED, "e-mail address or password is wrong"),
    }
}

async fn logout(State(users): State<Users>, Json(body): Json<Value>) -> StatusCode {
    users.known.lock().expect("no panic").ended.push(body["token"].as_str().unwrap_or_default().to_owned());
    StatusCode::NO_CONTENT
}

async fn resolve(State(users): State<Users>, Json(body): Json<Value>) -> Answer {
    let token = body["token"].as_str().unwrap_or_default();
    let mut known = users.known.lock().expect("no panic");
    known.questions += 1;
    let ended = known.ended.iter().any(|ended| ended == token);
    drop(known);
    match session(token).filter(|_| !ended) {
        Some(session) => (StatusCode::OK, Json(session)),
        None => problem(StatusCode::UNAUTHORIZED, "no such session"),
    }
}

async fn create(State(users): State<Users>, Path(ws): Path<WorkspaceId>, Json(spec): Json<Value>) -> Answer {
    let Ok(parsed) = serde_json::from_value::<MonitorSpec>(spec.clone()) else { return problem(StatusCode::BAD_REQUEST, "no spec") };
    wrong(&parsed).unwrap_or_else(|| (StatusCode::CREATED, Json(json!(users.add(ws, spec)))))
}

fn wrong(spec: &MonitorSpec) -> Option<Answer> {
    let errors = model::monitor::validate(spec);
    let mut body = problem(StatusCode::UNPROCESSABLE_ENTITY, "some fields need attention");
    body.1.0["errors"] = json!(errors);
    (!errors.is_empty()).then_some(body)
}

async fn read(State(users): State<Users>, Path((ws, id)): Path<(WorkspaceId, MonitorId)>) -> Answer {
    match users.known.lock().expect("no panic").monitors.get(&id).filter(|monitor| monitor.workspace == ws) {
        Some(monitor) => (StatusCode::OK, Json(json!(monitor))),
        None => problem(StatusCode::NOT_FOUND, "there is no such monitor in this workspace"),
    }
}

fn change(users: &Users, ws: WorkspaceId, id: MonitorId, change: impl FnOnce(&mut Monitor)) -> Answer {
    let mut known = users.known.lock().expect("no panic");
    let revision = known.revision + 1;
    let Some(monitor) = known.monitors.get_mut(&id).filter(|monitor| monitor.workspace == ws) else {
        return problem(StatusCode::NOT_FOUND, "there is no such monitor in this workspace");
    };
    change(monitor);
    monitor.revision = revision;
    let answer = (StatusCode::OK, Json(json!(monitor)));
    known.revision = revision;
    answer
}

async fn update(State(users): State<Users>, Path((ws, id)): Path<(WorkspaceId, MonitorId)>, Json(spec): Json<MonitorSpec>) -> Answer {
    wrong(&spec).unwrap_or_else(|| {
        change(&users, ws, id, |monitor| {
            let regions = std::mem::take(&mut monitor.spec.regions);
            monitor.spec = spec;
            if monitor.spec.regions.is_empty() {
                monitor.spec.regions = regions;
            }
        })
    })
}

async fn switch(State(users): State<Users>, Path((ws, id, verb)): Path<(WorkspaceId, MonitorId, String)>) -> Answer {
    change(&users, ws, id, |monitor| monitor.spec.paused = verb == "pause")
}

async fn delete(State(users): State<Users>, Path((ws, id)): Path<(WorkspaceId, MonitorId)>) -> Answer {
    let mut known = users.known.lock().expect("no panic");
    if known.monitors.get(&id).is_none_or(|monitor| monitor.workspace != ws) {
        return problem(StatusCode::NOT_FOUND, "there is no such monitor in this workspace");
    }
    known.monitors.remove(&id);
    known.revision += 1;
    let revision = known.revision;
    known.deleted.push((id, revision));
    (StatusCode::NO_CONTENT, Json(Value::Null))
}
