-- The write ledger: one row per change that goes out to Google.
CREATE TABLE writes (
    tenant_id     text        NOT NULL,
    id            uuid        NOT NULL,
    -- Changes asked for together share it.
    group_id      uuid        NOT NULL,
    connection_id uuid        NOT NULL,
    kind          text        NOT NULL,
    -- What is changed; writes of one item go out in the order of `position`, one at a time.
    item          text        NOT NULL,
    position      bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    -- What Google last answered of the item; null: nothing is known.
    base          jsonb,
    desired       jsonb       NOT NULL,
    -- Steps that are done, and what is needed to find out about the one that may be.
    progress      jsonb       NOT NULL DEFAULT '{}',
    answer        jsonb,
    state         text        NOT NULL DEFAULT 'queued' CHECK (state IN
                  ('queued', 'sending', 'done', 'failed', 'unknown', 'conflict', 'cancelled')),
    reason        text,
    attempts      integer     NOT NULL DEFAULT 0,
    due_at        timestamptz NOT NULL,
    -- Under which lease it is being sent, and until when Google may act on the request.
    epoch         bigint,
    deadline      timestamptz,
    created_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    PRIMARY KEY (tenant_id, id),
    CHECK ((state = 'sending') = (epoch IS NOT NULL)),
    CHECK ((epoch IS NULL) = (deadline IS NULL)),
    CHECK ((state IN ('queued', 'sending')) = (finished_at IS NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX writes_open ON writes (tenant_id, connection_id, position)
 WHERE finished_at IS NULL;
CREATE INDEX writes_item ON writes (tenant_id, connection_id, item, position);
CREATE INDEX writes_group ON writes (tenant_id, group_id, position);
CREATE INDEX writes_finished ON writes (finished_at) WHERE finished_at IS NOT NULL;
