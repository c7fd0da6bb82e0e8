-- Our own trouble: prober sight per region, the operator's notices of it, what a message folds in, and
-- dead letters that were driven again.

-- model::sight::RegionSight, as of some offset of the topic `prober-status`.
CREATE TABLE region_sights (
    region     text        PRIMARY KEY,
    state      jsonb       NOT NULL,
    updated_at timestamptz NOT NULL
);

-- A region went blind, or sees again: an alert about ourselves, and no incident of anybody's.
CREATE TABLE notices (
    -- UUID v5 of (blindness, kind).
    id            uuid        PRIMARY KEY,
    -- UUID v5 of (region, since): the same at the beginning and the end.
    blindness_id  uuid        NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('opened', 'resolved')),
    workspace_id  uuid        NOT NULL,
    region        text        NOT NULL,
    reason        text        NOT NULL,
    since         timestamptz NOT NULL,
    -- Absent at the beginning.
    until         timestamptz,
    slots_unknown bigint      NOT NULL,
    at            timestamptz NOT NULL,
    UNIQUE (blindness_id, kind)
);
CREATE INDEX notices_by_time ON notices (at DESC);

-- A delivery tells of an alert or of a notice; incident_id is the blindness of a notice.
ALTER TABLE deliveries ALTER COLUMN alert_id DROP NOT NULL;
ALTER TABLE deliveries ADD COLUMN notice_id uuid REFERENCES notices ON DELETE CASCADE;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_of_one CHECK (num_nonnulls(alert_id, notice_id) = 1);
CREATE INDEX deliveries_by_notice ON deliveries (notice_id) WHERE notice_id IS NOT NULL;

-- What else a message tells: incidents of the same monitor that were over before any of it was sent.
ALTER TABLE deliveries ADD COLUMN earlier_times integer NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN earlier_ms bigint NOT NULL DEFAULT 0;

-- Dead letters that went back to their topic. The row is claimed before the record is produced, so that
-- none is driven twice.
CREATE TABLE dead_letter_redrives (
    -- Of the dead-letter topic.
    topic       text        NOT NULL,
    partition   integer     NOT NULL,
    -- "offset" is a word of SQL.
    position    bigint      NOT NULL,
    -- Of which log.
    cluster_id  text        NOT NULL,
    redriven_by text        NOT NULL,
    redriven_at timestamptz NOT NULL,
    -- Absent while it is not known whether Kafka took it.
    acked_at    timestamptz,
    PRIMARY KEY (cluster_id, topic, partition, position)
);
