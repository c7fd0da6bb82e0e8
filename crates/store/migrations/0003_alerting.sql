-- Alerting: what the alerter owns. A transition, its deliveries, the state it left and the offset that
-- led to it commit in one transaction, so a crash at any point repeats nothing and loses nothing.

-- How far a consumer has come, beside its effects. Kafka's own commits are for lag tools only.
CREATE TABLE consumer_offsets (
    consumer    text        NOT NULL,
    topic       text        NOT NULL,
    partition   integer     NOT NULL CHECK (partition >= 0),
    -- Of which log. Offsets of another one mean nothing.
    cluster_id  text        NOT NULL,
    next_offset bigint      NOT NULL CHECK (next_offset >= 0),
    -- The fence: whoever took the partition last. A commit under an older epoch changes nothing.
    owner       uuid        NOT NULL,
    epoch       bigint      NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (consumer, topic, partition)
);

-- model::alerting::MonitorState, as of some offset of the partition.
CREATE TABLE alert_states (
    monitor_id uuid        PRIMARY KEY,
    -- Where its results came from last; a hint for loading, as the number of partitions may grow.
    partition  integer     NOT NULL,
    state      jsonb       NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX alert_states_by_partition ON alert_states (partition);

-- A confirmed period of not-up. The id is UUID v5 of the monitor and the slot that opened it.
CREATE TABLE incidents (
    id              uuid        PRIMARY KEY,
    monitor_id      uuid        NOT NULL,
    workspace_id    uuid        NOT NULL,
    -- As they were when the incident last changed.
    monitor_name    text        NOT NULL,
    target          text        NOT NULL,
    state           text        NOT NULL CHECK (state IN ('open', 'acknowledged', 'resolved')),
    -- Number of its last transition, from 1.
    sequence        integer     NOT NULL,
    -- The first failing slot, and the first passing one.
    opened_at       timestamptz NOT NULL,
    resolved_at     timestamptz,
    cause           text,
    detail          text,
    regions         text[]      NOT NULL,
    -- Why it ended without a recovery: paused, deleted.
    note            text,
    -- The wish (written by the gateway), and when the alerter made it so.
    acknowledged_by text,
    acknowledge_requested_at timestamptz,
    acknowledged_at timestamptz
);
CREATE INDEX incidents_by_workspace ON incidents (workspace_id, opened_at DESC, id);
CREATE INDEX incidents_by_monitor ON incidents (monitor_id, opened_at DESC);
CREATE INDEX incidents_unresolved ON incidents (workspace_id) WHERE resolved_at IS NULL;
CREATE INDEX incidents_to_acknowledge ON incidents (id) WHERE acknowledge_requested_at IS NOT NULL AND acknowledged_at IS NULL;

-- One transition of an incident; also the outbox of the topic `incident-events`.
CREATE TABLE alerts (
    -- UUID v5 of (incident, sequence): a consumer of the topic can drop a repeat.
    id            uuid        PRIMARY KEY,
    incident_id   uuid        NOT NULL REFERENCES incidents ON DELETE CASCADE,
    kind          text        NOT NULL CHECK (kind IN ('opened', 'acknowledged', 'reminded', 'escalated', 'resolved')),
    sequence      integer     NOT NULL,
    slot          timestamptz NOT NULL,
    at            timestamptz NOT NULL,
    -- Key (monitor id) and value of the Kafka record.
    record_key    bytea       NOT NULL,
    record        bytea       NOT NULL,
    traceparent   text,
    -- Who is publishing it, until when; and when Kafka acknowledged it.
    lease_until   timestamptz,
    published_at  timestamptz,
    UNIQUE (incident_id, sequence)
);
CREATE INDEX alerts_unpublished ON alerts (at) WHERE published_at IS NULL;

-- One alert to one channel.
CREATE TABLE deliveries (
    -- UUID v5 of (alert, channel).
    id              uuid        PRIMARY KEY,
    alert_id        uuid        NOT NULL REFERENCES alerts ON DELETE CASCADE,
    incident_id     uuid        NOT NULL,
    channel_id      uuid        NOT NULL,
    channel_kind    text        NOT NULL,
    channel_name    text        NOT NULL,
    kind            text        NOT NULL,
    sequence        integer     NOT NULL,
    -- folded: over before it was sent, so the recovery's message tells it. dead: given up, see last_error.
    state           text        NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'folded', 'dead')),
    due_at          timestamptz NOT NULL,
    -- Decided while the alerter was catching up on this partition: waits until it has caught up, so
    -- that what is over by then is told in one message.
    held_partition  integer,
    -- While sending: by whom, until when. A lease that ran out means the sender died: in doubt.
    owner           uuid,
    lease_until     timestamptz,
    attempts        integer     NOT NULL DEFAULT 0,
    -- A request was written and no answer came: the message may have arrived.
    doubtful        boolean     NOT NULL DEFAULT false,
    -- This recovery also tells of the incident's beginning, which was never delivered.
    tells_opening   boolean     NOT NULL DEFAULT false,
    last_error      text,
    created_at      timestamptz NOT NULL,
    sent_at         timestamptz,
    -- Where the message is, on channels that say so (Slack bot: channel id and ts).
    message_channel text,
    message_ts      text
);
CREATE INDEX deliveries_by_alert ON deliveries (alert_id);
CREATE INDEX deliveries_by_incident ON deliveries (incident_id, channel_id, sequence);
CREATE INDEX deliveries_by_place ON deliveries (channel_id, created_at DESC) WHERE message_channel IS NOT NULL;
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state IN ('pending', 'sending');
CREATE INDEX deliveries_held ON deliveries (held_partition) WHERE held_partition IS NOT NULL;

-- The log people can read: every attempt with its end. No end: the sender died.
CREATE TABLE delivery_attempts (
    delivery_id uuid        NOT NULL REFERENCES deliveries ON DELETE CASCADE,
    attempt     integer     NOT NULL,
    started_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    -- sent, retry, doubtful, dead, found (the channel already had it)
    outcome     text,
    error       text,
    PRIMARY KEY (delivery_id, attempt)
);
