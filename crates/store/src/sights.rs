//! Prober sight per region, and the operator's notices of it: one transaction with the offset that led
//! to them, under the same fence as incidents.

use model::sight::{BlindReason, RegionSight};
use model::{ChannelId, Millis, Region, WorkspaceId, known_word};
use serde::Deserialize as _;
use uuid::Uuid;

use crate::error::set_aside;
use crate::incidents::{Committed, OffsetRow};
use crate::{Store, StoreError, Transaction, from_millis, to_millis};

/// A region went blind, or sees again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRow {
    pub id: Uuid,
    pub blindness: Uuid,
    /// opened or resolved.
    pub kind: &'static str,
    pub workspace: WorkspaceId,
    pub region: Region,
    pub reason: &'static str,
    pub since: Millis,
    pub until: Option<Millis>,
    pub slots_unknown: u64,
    pub deliveries: Vec<NoticeDelivery>,
}

/// One notice to one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeDelivery {
    pub id: Uuid,
    pub channel: ChannelId,
    pub channel_kind: &'static str,
    pub channel_name: String,
    pub due_at: Millis,
}

/// Everything one commit writes.
#[derive(Debug, Clone)]
pub struct SightCommit<'a> {
    pub consumer: &'a str,
    pub topic: &'a str,
    pub owner: Uuid,
    pub now: Millis,
    /// When its notices are made, by the clock that all alerters share: a message's age is reckoned by that one.
    pub made_at: Millis,
    pub offsets: Vec<OffsetRow>,
    pub regions: Vec<(Region, RegionSight)>,
    pub notices: Vec<NoticeRow>,
}

impl Store {
    /// What is known of all regions. Where that cannot be read, a blindness that was told goes on, so that its end is told, too.
    pub async fn region_sights(&self) -> Result<Vec<(Region, RegionSight)>, StoreError> {
        let rows = sqlx::query!("SELECT region, state, updated_at FROM region_sights").fetch_all(self.pool()).await?;
        let (mut read, mut lost) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in rows {
            let Ok(region) = row.region.parse::<Region>().map_err(|error| set_aside("region_sights", &row.region, error)) else { continue };
            match RegionSight::deserialize(row.state) {
                Ok(state) => read.push((region, state)),
                Err(error) => {
                    tracing::error!(%region, %error, "region_sights holds what cannot be read; a blindness that was told goes on");
                    lost.push((region, to_millis(row.updated_at)));
                }
            }
        }
        for (region, at) in lost {
            let open = sqlx::query!(
                r#"SELECT since, reason FROM notices opened WHERE kind = 'opened' AND region = $1
                   AND NOT EXISTS (SELECT 1 FROM notices ended WHERE ended.blindness_id = opened.blindness_id AND ended.kind = 'resolved')
                   ORDER BY since DESC LIMIT 1"#,
                region.as_str(),
            )
            .fetch_optional(self.pool())
            .await?;
            if let Some(open) = open {
                let reason = known_word(&open.reason).unwrap_or(BlindReason::Network);
                read.push((region, RegionSight::from_blindness(to_millis(open.since), reason, at)));
            }
        }
        Ok(read)
    }

    /// Writes everything or nothing; may be repeated after an error of unknown outcome.
    pub async fn commit_sights(&self, commit: &SightCommit<'_>) -> Result<Committed, StoreError> {
        let mut tx = self.begin().await?;
        let fenced = crate::incidents::fence(&mut tx, commit.consumer, commit.topic, commit.owner, &commit.offsets).await?;
        if !fenced.is_empty() {
            tx.rollback().await?;
            return Ok(Committed::Fenced(fenced));
        }
        for (region, state) in &commit.regions {
            // A state always serialises: its keys are strings.
            let state = serde_json::to_value(state).unwrap_or_default();
            sqlx::query!(
                r#"INSERT INTO region_sights (region, state, updated_at) VALUES ($1, $2, $3)
                   ON CONFLICT (region) DO UPDATE SET state = EXCLUDED.state, updated_at = EXCLUDED.updated_at"#,
                region.as_str(),
                state,
                from_millis(commit.now),
            )
            .execute(&mut *tx)
            .await?;
        }
        for notice in &commit.notices {
            write_notice(&mut tx, notice, commit.made_at).await?;
        }
        tx.commit().await?;
        Ok(Committed::Done)
    }

    /// Since when each region that is blind is so.
    pub async fn blind_regions(&self) -> Result<Vec<(Region, Millis)>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT region, since FROM notices opened WHERE kind = 'opened'
               AND NOT EXISTS (SELECT 1 FROM notices ended WHERE ended.blindness_id = opened.blindness_id AND ended.kind = 'resolved')"#
        )
        .fetch_all(self.pool())
        .await?;
        let read = rows.into_iter().filter_map(|row| {
            let region = row.region.parse().map_err(|error| set_aside("notices", &row.region, error)).ok()?;
            Some((region, to_millis(row.since)))
        });
        Ok(read.collect())
    }
}

async fn write_notice(tx: &mut Transaction, row: &NoticeRow, made_at: Millis) -> Result<(), StoreError> {
    sqlx::query!(
        r#"INSERT INTO notices (id, blindness_id, kind, workspace_id, region, reason, since, until, slots_unknown, at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING"#,
        row.id,
        row.blindness,
        row.kind,
        row.workspace.0,
        row.region.as_str(),
        row.reason,
        from_millis(row.since),
        row.until.map(from_millis),
        i64::try_from(row.slots_unknown).unwrap_or(i64::MAX),
        from_millis(made_at),
    )
    .execute(&mut **tx)
    .await?;
    for delivery in &row.deliveries {
        sqlx::query!(
            r#"INSERT INTO deliveries (id, notice_id, incident_id, channel_id, channel_kind, channel_name, kind, sequence, state,
                   due_at, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', $9, $10) ON CONFLICT DO NOTHING"#,
            delivery.id,
            row.id,
            row.blindness,
            delivery.channel.0,
            delivery.channel_kind,
            delivery.channel_name,
            row.kind,
            if row.kind == "opened" { 1 } else { 2 },
            from_millis(delivery.due_at),
            from_millis(made_at),
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}
