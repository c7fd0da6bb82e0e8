//! The keys of secrets at rest, for `upmesh keys`: what is sealed under which, sealing anew, giving up what no key opens.
//! Asks for PostgreSQL and `SECRET_KEY` alone, and may run beside any number of users services.

mod forget;

use model::{MonitorId, WorkspaceId};
use serde::Serialize;
use service::{Env, Error};
use store::monitors::{self, Opened, Standing};
use store::{Store, StoreError, channels};

use crate::channels::{CipherError, opened, seal_bytes};
use crate::cipher::Cipher;
use crate::settings;

#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Cipher(#[from] CipherError),
}

/// The keys of `SECRET_KEY`, and the rows they are for.
pub struct Keys {
    store: Store,
    cipher: Cipher,
}

/// How many rows are kept in which way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Sealed under the key that seals.
    pub current: u64,
    /// Sealed under the second key.
    pub former: u64,
    /// Sealed under neither.
    pub neither: u64,
    /// Not sealed, though there is what may be a secret.
    pub clear: u64,
    /// Not sealed, as there is nothing to seal.
    pub nothing_to_seal: u64,
    /// Of a shape that this version does not know.
    pub unreadable: u64,
}

/// Every row, by how it is kept.
#[derive(Debug, Default, Serialize)]
pub struct Census {
    /// Whether `SECRET_KEY` holds a second key.
    pub two_keys: bool,
    pub monitors: Counts,
    pub channels: Counts,
    /// The monitors that no key opens.
    pub lost: Vec<Lost>,
    /// The channels that no key opens, by name.
    pub lost_channels: Vec<String>,
}

/// A monitor whose secrets no key opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lost {
    pub id: MonitorId,
    pub workspace: WorkspaceId,
    pub name: String,
}

/// How many rows were sealed anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resealed {
    pub monitors: u64,
    pub channels: u64,
}

impl Keys {
    /// Reads `DATABASE_URL` and `SECRET_KEY`. Connects when first asked.
    pub fn read(env: &Env) -> Result<Self, Error> {
        let (database, cipher) = (::settings::database(env), settings::cipher(env));
        env.check()?;
        Ok(Self { store: Store::connect(&database?, "upmesh keys", 2)?, cipher: cipher? })
    }

    /// Looks at every row and changes none.
    pub async fn census(&self) -> Result<Census, KeysError> {
        let mut census = Census { two_keys: self.cipher.is_changing(), ..Census::default() };
        let mut after = None;
        loop {
            let rows = monitors::page(&self.store, &self.cipher, after, false).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.id);
            for row in rows {
                let counts = &mut census.monitors;
                match row.standing {
                    Standing::Current => counts.current += 1,
                    Standing::Former(_) => counts.former += 1,
                    Standing::Clear(_) => counts.clear += 1,
                    Standing::Plain => counts.nothing_to_seal += 1,
                    Standing::Unreadable => counts.unreadable += 1,
                    Standing::Shut => {
                        counts.neither += 1;
                        census.lost.push(Lost { id: row.id, workspace: row.workspace, name: row.name });
                    }
                }
            }
        }
        for row in channels::all(&self.store).await? {
            match opened(&self.cipher, &row) {
                Some(Opened::Clear(_)) => census.channels.current += 1,
                Some(Opened::Old(_)) => census.channels.former += 1,
                Some(Opened::Keyless) | None => {
                    census.channels.neither += 1;
                    census.lost_channels.push(row.name);
                }
            }
        }
        Ok(census)
    }

    /// Seals under the first key what the second opens, and what is in clear; leaves alone what neither opens. Ended half-way
    /// it has done a part, and the next run does the rest.
    pub async fn reseal(&self) -> Result<Resealed, KeysError> {
        let (mut done, mut after) = (Resealed::default(), None);
        loop {
            let rows = monitors::page(&self.store, &self.cipher, after, false).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.id);
            done.monitors += monitors::reseal(&self.store, &self.cipher, &rows).await?;
        }
        for row in channels::all(&self.store).await? {
            let Some(Opened::Old(clear)) = opened(&self.cipher, &row) else { continue };
            let sealed = seal_bytes(&self.cipher, row.workspace_id.into(), row.id.into(), &clear)?;
            done.channels += u64::from(channels::reseal(&self.store, row.id.into(), &row.settings, &sealed).await?);
        }
        Ok(done)
    }
}
