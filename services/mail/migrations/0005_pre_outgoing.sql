-- Messages on their way out: drafts, what is to be sent, and what became of it.
CREATE TABLE outgoing (
    tenant_id     text        NOT NULL,
    -- Also of the message it becomes.
    id            uuid        NOT NULL,
    connection_id uuid        NOT NULL,
    created_by    text        NOT NULL,
    state         text        NOT NULL CHECK (state IN
                  ('draft', 'queued', 'sent', 'failed', 'unknown', 'cancelled', 'discarded')),
    reason        text,
    send_at       timestamptz,
    version       integer     NOT NULL DEFAULT 1,
    sequence      bigint      NOT NULL DEFAULT 0,
    head          jsonb       NOT NULL,
    body_text     text,
    body_html     text,
    entities      jsonb       NOT NULL DEFAULT '[]',
    recipients    integer     NOT NULL,
    size          bigint      NOT NULL,
    -- Gmail's ids: of the thread, of the draft while it is there, of the message it became.
    thread_id     text,
    draft_id      text,
    google_id     text,
    -- Of a draft: what both sides last had.
    agreed        jsonb,
    created_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    PRIMARY KEY (tenant_id, id),
    CHECK ((state IN ('draft', 'queued')) = (ended_at IS NULL))
);

CREATE INDEX outgoing_newest ON outgoing (tenant_id, connection_id, id DESC);
-- What counts towards Google's limit of a day.
CREATE INDEX outgoing_counted ON outgoing (connection_id, created_at);
CREATE INDEX outgoing_ended ON outgoing (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE outgoing_attachments (
    tenant_id    text    NOT NULL,
    outgoing_id  uuid    NOT NULL,
    place        integer NOT NULL,
    filename     text    NOT NULL,
    content_type text    NOT NULL,
    size         bigint  NOT NULL,
    sha256       bytea   NOT NULL,
    PRIMARY KEY (tenant_id, outgoing_id, place),
    FOREIGN KEY (tenant_id, outgoing_id) REFERENCES outgoing ON DELETE CASCADE
);

-- The content of attachments until they are sent.
CREATE TABLE outgoing_chunks (
    tenant_id   text    NOT NULL,
    outgoing_id uuid    NOT NULL,
    place       integer NOT NULL,
    number      integer NOT NULL,
    content     bytea   NOT NULL,
    PRIMARY KEY (tenant_id, outgoing_id, place, number),
    FOREIGN KEY (tenant_id, outgoing_id, place) REFERENCES outgoing_attachments ON DELETE CASCADE
);
ALTER TABLE outgoing_chunks ALTER COLUMN content SET STORAGE EXTERNAL;

-- Links that somebody asked for: no address explains them, and none takes them away.
ALTER TABLE message_links ADD COLUMN explicit boolean NOT NULL DEFAULT false;

-- Whom a mailbox may send as (address, name), as Google last said; null: it was never asked.
ALTER TABLE connections ADD COLUMN send_as jsonb;

-- The CRM itself sent it: it is kept whatever is kept else.
ALTER TABLE messages ADD COLUMN sent_by_crm boolean NOT NULL DEFAULT false;
