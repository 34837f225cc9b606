-- Events whose effect is committed, by consumer; housekeeping removes the old ones.
CREATE TABLE inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
) WITH (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.05
);

CREATE INDEX inbox_seen_at_idx ON inbox (seen_at);
