-- Answers already given under an Idempotency-Key, so that a repeated request happens once.
-- The key itself is not kept: only its hash, and the answer sealed with it.
CREATE TABLE idempotency_keys (
    tenant_id    text        NOT NULL,
    scope        bytea       NOT NULL,
    request_hash bytea       NOT NULL,
    answer       bytea,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, scope)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
