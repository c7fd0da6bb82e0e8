//! Who is asking: people, workspaces, roles and the session that ties them together.

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::ids::{UserId, WorkspaceId};

/// What a person may do in a workspace; each role includes those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, people and channels included.
    Admin,
    /// Monitors, incidents, pages.
    Editor,
    /// Reads.
    Viewer,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
        }
    }

    /// Whether this role may do what `needed` may.
    pub fn allows(self, needed: Self) -> bool {
        let rank = |role| match role {
            Self::Viewer => 0,
            Self::Editor => 1,
            Self::Admin => 2,
        };
        rank(self) >= rank(needed)
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "admin" => Ok(Self::Admin),
            "editor" => Ok(Self::Editor),
            "viewer" => Ok(Self::Viewer),
            other => Err(format!("{other:?} is no role: use admin, editor or viewer")),
        }
    }
}

/// A person, as others may see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UserInfo {
    pub id: UserId,
    pub email: String,
    pub name: String,
}

/// A workspace, as its members see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WorkspaceInfo {
    pub id: WorkspaceId,
    pub name: String,
}

/// A session that is in force: who, where, as what, until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Session {
    pub user: UserInfo,
    pub workspace: WorkspaceInfo,
    pub role: Role,
    /// Absolute end, in milliseconds since the Unix epoch.
    pub expires_at: Millis,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_includes_the_lesser_ones() {
        assert!(Role::Admin.allows(Role::Viewer) && Role::Editor.allows(Role::Editor));
        assert!(!Role::Viewer.allows(Role::Editor) && !Role::Editor.allows(Role::Admin));
        for role in [Role::Admin, Role::Editor, Role::Viewer] {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
    }
}
