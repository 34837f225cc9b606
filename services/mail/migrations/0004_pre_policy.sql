-- What is kept of a mailbox's mail, beside `policy`: see services/mail/domain/preferences.py.
ALTER TABLE connections
      ADD COLUMN preferences jsonb NOT NULL DEFAULT '{}',
      -- Rises when the policy or the preferences change.
      ADD COLUMN preferences_version bigint NOT NULL DEFAULT 0,
      -- Since when, and by whom, reading is paused; apart from what auth says of the connection.
      ADD COLUMN paused_at timestamptz,
      ADD COLUMN paused_by text,
      -- Since when all of the tenant's mailboxes are paused.
      ADD COLUMN tenant_paused_at timestamptz,
      DROP CONSTRAINT connections_policy_check,
      ADD CONSTRAINT connections_policy_check CHECK (policy IN ('all', 'known', 'none'));

-- Tenants whose mailboxes are paused, those to come included.
CREATE TABLE paused_tenants (
    tenant_id text        PRIMARY KEY,
    paused_at timestamptz NOT NULL,
    paused_by text        NOT NULL
);

-- How much is kept of a message. Of a trace `nothing` says that it has no hashes either.
ALTER TABLE messages
      ADD COLUMN kept text NOT NULL DEFAULT 'whole'
      CHECK (kept IN ('whole', 'snippet', 'metadata', 'trace', 'nothing'));

-- Settings that changed: all mail of a mailbox is to be held against them, from `after` on.
CREATE TABLE keep_work (
    tenant_id     text        NOT NULL,
    connection_id uuid        NOT NULL,
    phase         text        NOT NULL DEFAULT 'reduce'
                  CHECK (phase IN ('reduce', 'raise', 'entities', 'links')),
    after         text        NOT NULL DEFAULT '',
    -- Rises whenever it begins anew.
    version       bigint      NOT NULL DEFAULT 1,
    done          bigint      NOT NULL DEFAULT 0,
    total         bigint,
    removed       bigint      NOT NULL DEFAULT 0,
    reduced       bigint      NOT NULL DEFAULT 0,
    raised        bigint      NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, connection_id)
);

-- Addresses, by keyed hash, that were suggested as contacts: none is twice.
CREATE TABLE contact_suggestions (
    tenant_id    text        NOT NULL,
    hash         bytea       NOT NULL,
    suggested_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, hash)
);
