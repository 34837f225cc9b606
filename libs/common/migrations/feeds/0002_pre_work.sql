-- What takes long is claimed apart from what must not wait.
ALTER TABLE signals ADD COLUMN background boolean NOT NULL DEFAULT false;
CREATE INDEX signals_due_apart ON signals (background, due_at);
DROP INDEX signals_due;

-- Events tell how a feed is doing; within one feed they have an order.
ALTER TABLE feeds ADD COLUMN sequence bigint NOT NULL DEFAULT 0;

-- Attempts at an item, counted before they are made: one that kills the process is found out.
CREATE TABLE item_attempts (
    tenant_id text    NOT NULL,
    feed_id   uuid    NOT NULL,
    item      text    NOT NULL,
    attempts  integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, feed_id, item),
    FOREIGN KEY (tenant_id, feed_id) REFERENCES feeds ON DELETE CASCADE
);

-- What is dead is dead once within its feed; of rows there are several of, the newest stays.
ALTER TABLE dead_items ADD COLUMN attempts integer NOT NULL DEFAULT 1;
DELETE FROM dead_items old USING dead_items newer
 WHERE newer.tenant_id = old.tenant_id AND newer.feed_id = old.feed_id
   AND newer.kind = old.kind AND newer.item = old.item
   AND (newer.created_at, newer.id) > (old.created_at, old.id);
CREATE UNIQUE INDEX dead_items_item ON dead_items (tenant_id, feed_id, kind, item)
 WHERE feed_id IS NOT NULL;

-- Set when a person asks for another try.
ALTER TABLE dead_items ADD COLUMN replay_at timestamptz;
CREATE INDEX dead_items_replay ON dead_items (tenant_id, feed_id, replay_at)
 WHERE replay_at IS NOT NULL;

-- A complete enumeration at Google while it is being taken: kept page by page, so that a run that
-- breaks off goes on where it was.
CREATE TABLE snapshot_items (
    tenant_id text   NOT NULL,
    feed_id   uuid   NOT NULL,
    item      text   NOT NULL,
    -- The order of the enumeration; items are worked on in it.
    position  bigint GENERATED ALWAYS AS IDENTITY,
    -- What the enumeration says of it: the labels of a message.
    marks     text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, feed_id, item),
    FOREIGN KEY (tenant_id, feed_id) REFERENCES feeds ON DELETE CASCADE
);

CREATE INDEX snapshot_items_position ON snapshot_items (tenant_id, feed_id, position);

-- What waits for a person's yes or no before it happens.
CREATE TABLE holds (
    tenant_id     text        NOT NULL,
    id            uuid        NOT NULL,
    connection_id uuid        NOT NULL,
    feed_id       uuid        NOT NULL,
    kind          text        NOT NULL,
    -- What it is about within the feed; one hold at a time is open for it.
    subject       text        NOT NULL DEFAULT '',
    affected      integer     NOT NULL,
    total         integer     NOT NULL,
    state         text        NOT NULL DEFAULT 'open'
                  CHECK (state IN ('open', 'approved', 'rejected')),
    created_at    timestamptz NOT NULL,
    decided_at    timestamptz,
    decided_by    text,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, feed_id) REFERENCES feeds ON DELETE CASCADE,
    CHECK ((state = 'open') = (decided_at IS NULL))
);

CREATE UNIQUE INDEX holds_open ON holds (tenant_id, feed_id, kind, subject) WHERE state = 'open';

-- Long work that somebody asked for; what works on it is a feed.
CREATE TABLE jobs (
    tenant_id     text        NOT NULL,
    id            uuid        NOT NULL,
    connection_id uuid        NOT NULL,
    feed_id       uuid,
    kind          text        NOT NULL,
    state         text        NOT NULL DEFAULT 'queued'
                  CHECK (state IN ('queued', 'running', 'held', 'done', 'failed')),
    reason        text,
    done          integer     NOT NULL DEFAULT 0,
    -- Null until it is known how much there is to do.
    total         integer,
    facts         jsonb       NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    PRIMARY KEY (tenant_id, id)
);

CREATE INDEX jobs_feed ON jobs (tenant_id, feed_id) WHERE finished_at IS NULL;
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
