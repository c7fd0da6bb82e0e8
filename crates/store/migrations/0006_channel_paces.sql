-- How fast a channel is written to: kept here, so that several alerters write to it no faster than one.

CREATE TABLE channel_paces (
    channel_id uuid        PRIMARY KEY,
    -- Nobody sends to it before then, by PostgreSQL's clock.
    until      timestamptz NOT NULL DEFAULT 'epoch',
    -- When the messages of the last seconds went out, Unix ms; older ones may be missing.
    sent       bigint[]    NOT NULL DEFAULT '{}',
    -- Messages for many alerts with none for a single one between them.
    together   integer     NOT NULL DEFAULT 0
);
