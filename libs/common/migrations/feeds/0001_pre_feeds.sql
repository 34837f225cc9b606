-- A feed is one thing with its own cursor: a mailbox, a calendar, an address book.
CREATE TABLE feeds (
    tenant_id     text        NOT NULL,
    id            uuid        NOT NULL,
    connection_id uuid        NOT NULL,
    account_id    uuid        NOT NULL,
    kind          text        NOT NULL,
    resource      text        NOT NULL,
    fingerprint   text        NOT NULL DEFAULT '',
    cursor        text,
    state         text        NOT NULL DEFAULT 'active'
                  CHECK (state IN ('active', 'degraded', 'paused', 'closed')),
    reason        text,
    lease_epoch   bigint      NOT NULL DEFAULT 0,
    lease_until   timestamptz,
    failures      integer     NOT NULL DEFAULT 0,
    last_sync_at  timestamptz,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, connection_id, kind, resource),
    CHECK (state IN ('active', 'closed') OR reason IS NOT NULL)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

-- Its signal says when it should run. A push raises it and takes no lock that a page commit holds.
CREATE TABLE signals (
    tenant_id  text        NOT NULL,
    feed_id    uuid        NOT NULL,
    address    text        NOT NULL,
    generation bigint      NOT NULL DEFAULT 0,
    due_at     timestamptz NOT NULL,
    not_before timestamptz NOT NULL DEFAULT '-infinity',
    running    boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, feed_id),
    FOREIGN KEY (tenant_id, feed_id) REFERENCES feeds ON DELETE CASCADE
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

CREATE INDEX signals_address ON signals (address);
CREATE INDEX signals_due ON signals (due_at);

-- What could not be taken in, kept for a person to look at and replay.
-- tenant_id and feed_id are null when the item could not even be attributed.
CREATE TABLE dead_items (
    id         uuid        PRIMARY KEY,
    tenant_id  text,
    feed_id    uuid,
    kind       text        NOT NULL,
    item       text        NOT NULL,
    cause      text        NOT NULL,
    payload    bytea,
    created_at timestamptz NOT NULL
);

CREATE INDEX dead_items_feed ON dead_items (tenant_id, feed_id, created_at);
