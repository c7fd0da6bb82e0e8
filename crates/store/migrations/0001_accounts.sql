-- Accounts and configuration: what the users service owns.
-- Every row of configuration belongs to a workspace. Times are timestamptz with millisecond content.

-- Which database this is. A replica that meets another id knows its revisions mean nothing there.
CREATE TABLE mesh (
    singleton  boolean     PRIMARY KEY DEFAULT true CHECK (singleton),
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO mesh DEFAULT VALUES;

CREATE TABLE workspaces (
    id             uuid        PRIMARY KEY,
    name           text        NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
    -- How many monitors it may have at once.
    monitor_quota  integer     NOT NULL DEFAULT 100000 CHECK (monitor_quota >= 0),
    created_at     timestamptz NOT NULL
);

CREATE TABLE users (
    id                  uuid        PRIMARY KEY,
    -- Lower case; what people log in with.
    email               text        NOT NULL UNIQUE CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254),
    name                text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    -- PHC string (Argon2id).
    password_hash       text        NOT NULL,
    password_changed_at timestamptz NOT NULL,
    disabled_at         timestamptz,
    created_at          timestamptz NOT NULL
);

CREATE TABLE memberships (
    workspace_id uuid        NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    user_id      uuid        NOT NULL REFERENCES users ON DELETE CASCADE,
    role         text        NOT NULL CHECK (role IN ('admin', 'editor', 'viewer')),
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, user_id)
);
CREATE INDEX memberships_by_user ON memberships (user_id);

-- The truth about sessions; Redis holds short-lived copies. The token itself is nowhere.
CREATE TABLE sessions (
    token_sha256 bytea       PRIMARY KEY CHECK (length(token_sha256) = 32),
    user_id      uuid        NOT NULL REFERENCES users ON DELETE CASCADE,
    workspace_id uuid        NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    address      text        NOT NULL,
    created_at   timestamptz NOT NULL,
    -- Moved at most once an hour, so that reading a session is seldom a write.
    used_at      timestamptz NOT NULL,
    -- Absolute end, however busy.
    expires_at   timestamptz NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Failed logins per account, per address and per pair of them, within a window.
CREATE TABLE login_attempts (
    subject    text        PRIMARY KEY CHECK (length(subject) <= 400),
    attempts   integer     NOT NULL,
    window_end timestamptz NOT NULL
);
CREATE INDEX login_attempts_by_end ON login_attempts (window_end);

-- Position in the stream of changes of all monitors. Drawn only under the advisory lock of
-- store::monitors::lock_revisions, which is held until commit: revisions become visible in order.
CREATE SEQUENCE monitor_revision AS bigint CACHE 1;

CREATE TABLE monitors (
    id            uuid        PRIMARY KEY,
    workspace_id  uuid        NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    revision      bigint      NOT NULL UNIQUE,
    name          text        NOT NULL,
    -- model::MonitorSpec. Of a deleted monitor: the last one.
    spec          jsonb       NOT NULL,
    -- Every region it was ever checked from: these must hear of a change, be it a farewell.
    known_regions text[]      NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    -- A tombstone, kept so that deltas can tell of the deletion.
    deleted_at    timestamptz
);
CREATE UNIQUE INDEX monitors_name ON monitors (workspace_id, name) WHERE deleted_at IS NULL;

-- model::ScheduleSegment: from `starts_at` until the next one. "Slots due" is counted from these.
CREATE TABLE monitor_segments (
    monitor_id  uuid        NOT NULL REFERENCES monitors ON DELETE CASCADE,
    starts_at   timestamptz NOT NULL,
    interval_ms bigint      NOT NULL CHECK (interval_ms > 0),
    regions     text[]      NOT NULL,
    active      boolean     NOT NULL,
    PRIMARY KEY (monitor_id, starts_at)
);

-- Where alerts go. Settings are encrypted (XChaCha20-Poly1305, bound to workspace, row and column).
CREATE TABLE channels (
    id           uuid        PRIMARY KEY,
    workspace_id uuid        NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    kind         text        NOT NULL,
    -- Used by monitors that name no channel.
    is_default   boolean     NOT NULL DEFAULT false,
    -- From the environment (refreshed at every start) rather than from a person.
    from_env     boolean     NOT NULL DEFAULT false,
    settings     bytea       NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    UNIQUE (workspace_id, name)
);

-- Append-only: who did what. Never a secret, never a whole body.
CREATE TABLE audit_log (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL,
    workspace_id uuid        REFERENCES workspaces ON DELETE SET NULL,
    actor        text        NOT NULL,
    action       text        NOT NULL,
    object_id    uuid,
    detail       jsonb       NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_by_workspace ON audit_log (workspace_id, id DESC);

-- Records that must reach Kafka because their transaction committed. A relay takes whole lanes
-- (FOR UPDATE SKIP LOCKED), so several relays work at once and each key keeps its order.
CREATE TABLE outbox (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane        smallint    NOT NULL CHECK (lane BETWEEN 0 AND 15),
    -- Without the mesh's topic prefix.
    topic       text        NOT NULL,
    key         bytea       NOT NULL,
    value       bytea       NOT NULL,
    traceparent text,
    created_at  timestamptz NOT NULL
);
CREATE INDEX outbox_by_lane ON outbox (lane, id);
CREATE TABLE outbox_lanes (lane smallint PRIMARY KEY CHECK (lane BETWEEN 0 AND 15));
INSERT INTO outbox_lanes SELECT generate_series(0, 15);
