-- What was asked about one person's data, until it is done; whose it was is not kept then.
CREATE TABLE privacy_requests (
    tenant_id   text        NOT NULL,
    id          uuid        NOT NULL,
    -- `count`: what would be erased?
    kind        text        NOT NULL CHECK (kind IN ('count', 'erase')),
    person      jsonb,
    state       text        NOT NULL DEFAULT 'queued'
                CHECK (state IN ('queued', 'running', 'done', 'failed')),
    reason      text,
    -- The part of the work that is at its turn, and what that part notes for itself.
    part        text,
    place       jsonb,
    -- How many records of which kind were found.
    found       jsonb       NOT NULL DEFAULT '{}',
    -- What a person has to know or do, as constants and ids.
    notes       jsonb       NOT NULL DEFAULT '[]',
    failures    integer     NOT NULL DEFAULT 0,
    due_at      timestamptz NOT NULL,
    created_at  timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    CHECK ((state IN ('queued', 'running')) = (finished_at IS NULL)),
    CHECK (finished_at IS NULL OR (person IS NULL AND place IS NULL))
);

CREATE INDEX privacy_requests_due ON privacy_requests (due_at) WHERE finished_at IS NULL;
CREATE INDEX privacy_requests_finished ON privacy_requests (finished_at)
 WHERE finished_at IS NOT NULL;
