//! Who is asking.

use model::{Millis, Role, UserId, WorkspaceId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a person types to log in.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    #[schema(example = "admin@example.com", max_length = 254)]
    pub email: String,
    #[schema(format = Password, max_length = 1024)]
    pub password: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Person {
    pub id: UserId,
    pub email: String,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub name: String,
}

/// A fresh session. Browsers use the cookie that comes with it, scripts send `token` as a bearer token.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    pub user: Person,
    pub workspace: Workspace,
    pub role: Role,
    pub token: String,
    /// Unix ms.
    #[schema(value_type = i64)]
    pub expires_at: Millis,
}

/// The session in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    pub user: Person,
    pub workspace: Workspace,
    pub role: Role,
    /// Unix ms.
    #[schema(value_type = i64)]
    pub expires_at: Millis,
}

impl From<&model::Session> for Me {
    fn from(session: &model::Session) -> Self {
        let model::Session { user, workspace, role, expires_at } = session.clone();
        Self {
            user: Person { id: user.id, email: user.email, name: user.name },
            workspace: Workspace { id: workspace.id, name: workspace.name },
            role,
            expires_at,
        }
    }
}
