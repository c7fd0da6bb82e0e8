-- Rebuilding history from the log (`upmesh replay`).

-- Which history stands. A flush names the one it was folded for and is refused by another, so that
-- nothing of what was in memory before a swap is merged into what came with it.
CREATE TABLE history_generation (
    one   boolean     PRIMARY KEY DEFAULT true CHECK (one),
    -- Also names the keys of live state in Redis; empty for the first.
    name  text        NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);
INSERT INTO history_generation (name) VALUES ('');

-- The generation that is being built, under the names of what it replaces: the flush that writes the
-- one writes the other, by search_path. Unlogged: derived, and of no use after a crash.
CREATE SCHEMA replay;
CREATE UNLOGGED TABLE replay.history_blocks (LIKE history_blocks INCLUDING ALL);
CREATE INDEX history_blocks_by_hour ON replay.history_blocks (hour);
CREATE UNLOGGED TABLE replay.history_days (LIKE history_days INCLUDING ALL);
