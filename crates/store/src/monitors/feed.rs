//! The stream of changes the replicas follow. Revisions are drawn under a lock held until commit
//! ([`super::write`]), so whoever read up to a revision has seen everything before it.

use model::{Monitor, MonitorId, Region};
use uuid::Uuid;

use super::{Row, Seal};
use crate::{Store, StoreError};

/// What changed after a revision.
#[derive(Debug)]
pub struct FeedPage {
    /// Which database the revisions count in.
    pub source: Uuid,
    /// Known up to here.
    pub revision: i64,
    pub monitors: Vec<Monitor>,
    /// Gone, or gone from the region asked for, with the revision that says so.
    pub deleted: Vec<(MonitorId, i64)>,
    pub more: bool,
}

/// At most `limit` changes after `since`; `since` 0 is a snapshot and leaves out what is gone.
pub async fn feed(store: &Store, seal: &dyn Seal, since: i64, region: Option<&Region>, limit: i64) -> Result<FeedPage, StoreError> {
    let region = region.map(|region| region.as_str().to_owned());
    // Read before the page: a change that commits between the two is above it and comes next time.
    let head = sqlx::query!(r#"SELECT id, (SELECT coalesce(max(revision), 0) FROM monitors) AS "revision!" FROM mesh"#)
        .fetch_one(store.pool())
        .await?;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT m.id, m.workspace_id, m.revision, m.spec, m.created_at, m.updated_at, m.deleted_at,
                  (SELECT coalesce(jsonb_agg(jsonb_build_object('from', (extract(epoch FROM s.starts_at) * 1000)::bigint,
                          'interval_ms', s.interval_ms, 'regions', s.regions, 'active', s.active) ORDER BY s.starts_at), '[]')
                   FROM monitor_segments s WHERE s.monitor_id = m.id) AS "segments!"
           FROM monitors m
           WHERE m.revision > $1 AND m.revision <= $2 AND ($3::text IS NULL OR $3 = ANY (m.known_regions)) AND ($1 > 0 OR m.deleted_at IS NULL)
           ORDER BY m.revision LIMIT $4"#,
        since,
        head.revision,
        region,
        limit
    )
    .fetch_all(store.pool())
    .await?;
    let more = i64::try_from(rows.len()).unwrap_or(i64::MAX) >= limit;
    let revision = if more { rows.last().map_or(head.revision, |row| row.revision) } else { head.revision.max(since) };
    let (mut monitors, mut deleted) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        let (id, at, gone) = (MonitorId(row.id), row.revision, row.deleted_at.is_some());
        if gone {
            deleted.push((id, at));
            continue;
        }
        let monitor = match row.into_monitor(seal) {
            Ok(monitor) => monitor,
            // One of which nothing can be known must not cost the others. Whoever follows keeps what it knew of it.
            Err(error @ StoreError::Sealed(_)) => {
                tracing::error!(%error, "a monitor is left out of the configuration");
                continue;
            }
            Err(error) => return Err(error),
        };
        if region.as_ref().is_none_or(|region| monitor.spec.regions.iter().any(|one| one.as_str() == region)) {
            monitors.push(monitor);
        } else if since > 0 {
            deleted.push((id, at));
        }
    }
    Ok(FeedPage { source: head.id, revision, monitors, deleted, more })
}
