-- Events on their way out, in the order they were appended. The relay deletes what the
-- broker confirmed, so the table is short unless the broker is away.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL UNIQUE,
    type text NOT NULL,
    body bytea NOT NULL,
    traceparent text,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (
    -- Rows live for milliseconds: the dead ones must not slow the next read.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 20000,
    autovacuum_vacuum_cost_delay = 0
);

-- What the broker refused for good: kept for a person, out of the way of the others.
CREATE TABLE outbox_dead (
    id bigint PRIMARY KEY,
    event_id uuid NOT NULL,
    type text NOT NULL,
    body bytea NOT NULL,
    traceparent text,
    created_at timestamptz NOT NULL,
    reason text NOT NULL,
    died_at timestamptz NOT NULL DEFAULT now()
);
