-- History: what the processor owns. One row per monitor, region and hour; see model::history.

-- The block holds (slot, outcome, latency) of every check of the hour; the columns beside it say the
-- same to those who have no decoder. Columns are ordered by alignment: a row costs its block + 83 bytes.
CREATE TABLE history_blocks (
    monitor_id  uuid        NOT NULL,
    hour        timestamptz NOT NULL,
    -- Of checks that were answered (up and degraded), µs; NULL where none was.
    p50_us      integer,
    p95_us      integer,
    p99_us      integer,
    max_us      integer,
    up          smallint    NOT NULL,
    degraded    smallint    NOT NULL,
    down        smallint    NOT NULL,
    unknown     smallint    NOT NULL,
    missed      smallint    NOT NULL,
    maintenance smallint    NOT NULL,
    region      text        NOT NULL,
    block       bytea       NOT NULL,
    PRIMARY KEY (monitor_id, hour, region)
) PARTITION BY RANGE (hour);
-- Never compressed: a block is dense already.
ALTER TABLE history_blocks ALTER COLUMN block SET STORAGE EXTERNAL;

-- One row per monitor, region and day (UTC), recomputed from the blocks, kept longer than these.
CREATE TABLE day_rollups (
    monitor_id  uuid    NOT NULL,
    day         date    NOT NULL,
    p50_us      integer,
    p95_us      integer,
    p99_us      integer,
    max_us      integer,
    up          integer NOT NULL,
    degraded    integer NOT NULL,
    down        integer NOT NULL,
    unknown     integer NOT NULL,
    missed      integer NOT NULL,
    maintenance integer NOT NULL,
    region      text    NOT NULL,
    PRIMARY KEY (monitor_id, day, region)
);
CREATE INDEX day_rollups_by_day ON day_rollups (day);

-- Which days changed since they were rolled up: due while rolled < touched.
CREATE TABLE history_days (
    day     date   PRIMARY KEY,
    touched bigint NOT NULL DEFAULT 1,
    rolled  bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- Makes the partition of one UTC day. Attaching takes a weaker lock than CREATE TABLE … PARTITION OF,
-- so readers and writers of other days go on. Safe to call from several processes at once.
CREATE FUNCTION ensure_history_partition(wanted date) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    partition text := 'history_blocks_' || to_char(wanted, 'YYYYMMDD');
    starts timestamptz := wanted::timestamp AT TIME ZONE 'UTC';
    ends timestamptz := (wanted + 1)::timestamp AT TIME ZONE 'UTC';
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('ensure_history_partition'));
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- Each row is updated with every flush of its hour: room in the page keeps the update out of the
    -- index, and frequent vacuums give the old versions' room to the next hour.
    EXECUTE format(
        'CREATE TABLE %I (LIKE history_blocks INCLUDING ALL, CONSTRAINT %I CHECK (hour >= %L AND hour < %L))
         WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 500)',
        partition, partition || '_day', starts, ends);
    EXECUTE format('ALTER TABLE history_blocks ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, starts, ends);
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', partition, partition || '_day');
    RETURN true;
END
$$;

-- Drops the partitions of days before `oldest`; says how many.
CREATE FUNCTION drop_history_before(oldest date) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    partition name;
    dropped integer := 0;
BEGIN
    FOR partition IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'history_blocks'::regclass
          AND c.relname ~ '^history_blocks_[0-9]{8}$'
          AND to_date(right(c.relname, 8), 'YYYYMMDD') < oldest
        ORDER BY c.relname
    LOOP
        EXECUTE format('DROP TABLE %I', partition);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM history_days WHERE day < oldest;
    RETURN dropped;
END
$$;
