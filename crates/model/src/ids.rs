//! Identities. Newtypes, so that a monitor's id is never passed where a user's is meant.

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::FieldError;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
            utoipa::ToSchema,
        )]
        #[serde(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::from_str(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    };
}

uuid_id!(
    /// A monitor; UUID v7 made by the users service.
    MonitorId
);
uuid_id!(
    /// A workspace; every row of configuration belongs to one.
    WorkspaceId
);
uuid_id!(
    /// A person's account.
    UserId
);
uuid_id!(
    /// A notification channel.
    ChannelId
);
uuid_id!(
    /// An incident; UUID v5 of the monitor and the slot that opened it, so that a replay finds the same one.
    IncidentId
);

// Every result has one, so it is kept without an allocation up to 24 bytes.
/// A named vantage point: 1–32 of `a-z 0-9 -`, starting with a letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, example = "local")]
pub struct Region(CompactString);

impl Region {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Region {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.is_empty() || text.len() > 32 || !text.starts_with(|c: char| c.is_ascii_lowercase()) || !text.chars().all(legal) {
            return Err(FieldError::new(
                "region",
                format!("{text:?} is not a region name: use 1 to 32 of a-z, 0-9 and '-', starting with a letter"),
            ));
        }
        Ok(Self(text.into()))
    }
}

impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(RegionVisitor)
    }
}

/// Reads the name where it stands: a region is in every result, so it is not copied twice.
struct RegionVisitor;

impl serde::de::Visitor<'_> for RegionVisitor {
    type Value = Region;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a region")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Region, E> {
        text.parse().map_err(E::custom)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A share of a region's monitors that one pinger owns at a time; 0 ≤ shard < [`crate::schedule::SHARDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shard(pub u16);

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
