CREATE EXTENSION IF NOT EXISTS btree_gin;

-- How many days of mail from before the connection are taken in.
ALTER TABLE connections ADD COLUMN backfill_days integer NOT NULL DEFAULT 30
      CHECK (backfill_days BETWEEN 0 AND 3650);
-- From when on the mailbox should be here in full; null until it was read for the first time.
ALTER TABLE connections ADD COLUMN complete_since timestamptz;

ALTER TABLE messages
      ADD COLUMN body_html text,
      -- The text without quoted history and signature.
      ADD COLUMN new_text text,
      -- What the Date header says, which is the sender's word.
      ADD COLUMN sent_at timestamptz,
      ADD COLUMN calendar jsonb,
      ADD COLUMN report jsonb,
      -- Weights: A subject, B sender, C recipients, D text.
      ADD COLUMN search tsvector,
      -- Of the last activity event told of this message.
      ADD COLUMN activity_sequence bigint NOT NULL DEFAULT 0,
      ADD CHECK (NOT traced OR (body_html IS NULL AND new_text IS NULL AND calendar IS NULL
                                AND report IS NULL AND search IS NULL));

CREATE INDEX messages_search ON messages USING gin (tenant_id, search)
 WHERE deleted_at IS NULL AND NOT traced;
CREATE INDEX messages_deleted ON messages (deleted_at) WHERE deleted_at IS NOT NULL;

-- Whom every message concerns, by keyed hash, so that an entity that appears later finds its mail.
CREATE TABLE message_addresses (
    tenant_id     text  NOT NULL,
    hash          bytea NOT NULL,
    message_id    uuid  NOT NULL,
    connection_id uuid  NOT NULL,
    PRIMARY KEY (tenant_id, hash, message_id),
    FOREIGN KEY (tenant_id, message_id) REFERENCES messages ON DELETE CASCADE
);

CREATE INDEX message_addresses_message ON message_addresses (tenant_id, message_id);
CREATE INDEX message_addresses_connection
    ON message_addresses (tenant_id, connection_id, hash, message_id);

INSERT INTO message_addresses (tenant_id, hash, message_id, connection_id)
SELECT tenant_id, unnest(address_hashes), id, connection_id FROM messages
    ON CONFLICT DO NOTHING;
ALTER TABLE messages ALTER COLUMN address_hashes DROP NOT NULL;

-- Messages that concern an entity of the CRM: its activities.
CREATE TABLE message_links (
    tenant_id   text        NOT NULL,
    entity_type text        NOT NULL,
    entity_id   text        NOT NULL,
    message_id  uuid        NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, entity_type, entity_id, message_id),
    FOREIGN KEY (tenant_id, message_id) REFERENCES messages ON DELETE CASCADE
);

CREATE INDEX message_links_newest
    ON message_links (tenant_id, entity_type, entity_id, occurred_at DESC, message_id DESC);
CREATE INDEX message_links_message ON message_links (tenant_id, message_id);

-- An entity that changed: its mail in one mailbox is to be found (or let go), from `after` on.
CREATE TABLE link_work (
    tenant_id     text        NOT NULL,
    connection_id uuid        NOT NULL,
    entity_type   text        NOT NULL,
    entity_id     text        NOT NULL,
    version       bigint      NOT NULL,
    after         uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    state         text        NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'held', 'approved')),
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, entity_type, entity_id)
);

CREATE INDEX link_work_due ON link_work (tenant_id, connection_id, created_at)
 WHERE state <> 'held';

-- Names of labels; messages carry ids, so that a rename touches none of them.
CREATE TABLE labels (
    tenant_id     text NOT NULL,
    connection_id uuid NOT NULL,
    google_id     text NOT NULL,
    name          text NOT NULL,
    type          text NOT NULL CHECK (type IN ('system', 'user')),
    PRIMARY KEY (tenant_id, connection_id, google_id)
);
