-- The service's own copy of the connections that have mail, as auth last told of them.
CREATE TABLE connections (
    tenant_id       text        NOT NULL,
    connection_id   uuid        NOT NULL,
    account_id      uuid        NOT NULL,
    user_id         text        NOT NULL,
    email           text        NOT NULL,
    access          text        NOT NULL CHECK (access IN ('read', 'write')),
    policy          text        NOT NULL CHECK (policy IN ('all', 'known')),
    state           text        NOT NULL CHECK (state IN
                    ('active', 'degraded', 'disabled', 'reauthorization_required', 'disconnected')),
    reauthorize_url text,
    -- Of the newest event of auth's that was taken in: older ones change nothing.
    event_sequence  bigint      NOT NULL DEFAULT 0,
    -- Whether all that is held for it must go (it is shown no more) or is gone.
    purge           text        NOT NULL DEFAULT 'none' CHECK (purge IN ('none', 'wanted', 'done')),
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, connection_id)
);

CREATE INDEX connections_account ON connections (account_id);
CREATE INDEX connections_user ON connections (tenant_id, user_id);

-- A watch belongs to the Google account: several tenants may have connected the same one.
CREATE TABLE watches (
    account_id    uuid        PRIMARY KEY,
    topic         text,
    history_id    bigint,
    expires_at    timestamptz,
    renew_at      timestamptz NOT NULL DEFAULT '-infinity',
    lease_until   timestamptz NOT NULL DEFAULT '-infinity',
    failure       text,
    -- At marked_at the mailbox stood at marked_history_id.
    marked_history_id bigint,
    marked_at     timestamptz
) WITH (fillfactor = 80);

CREATE TABLE messages (
    tenant_id         text        NOT NULL,
    id                uuid        NOT NULL,
    connection_id     uuid        NOT NULL,
    google_id         text        NOT NULL,
    thread_id         text        NOT NULL,
    internal_date     timestamptz NOT NULL,
    -- Only a trace is kept: ids, date and keyed hashes of the addresses.
    traced            boolean     NOT NULL,
    address_hashes    bytea[]     NOT NULL DEFAULT '{}',
    direction         text        CHECK (direction IN ('inbound', 'outbound')),
    sender            jsonb,
    recipients        jsonb,
    subject           text,
    snippet           text,
    body_text         text,
    rfc822_message_id text,
    in_reply_to       text,
    reference_ids     text[],
    attachments       jsonb,
    size              bigint,
    labels            text[]      NOT NULL DEFAULT '{}',
    -- The last history record whose labels are in `labels`.
    label_history_id  bigint      NOT NULL,
    -- Of the last event told of this message.
    sequence          bigint      NOT NULL DEFAULT 0,
    deleted_at        timestamptz,
    stored_at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, connection_id, google_id),
    CHECK (NOT traced OR (subject IS NULL AND body_text IS NULL AND sender IS NULL
                          AND recipients IS NULL AND snippet IS NULL AND attachments IS NULL)),
    CHECK (traced OR direction IS NOT NULL)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);

CREATE INDEX messages_newest ON messages (tenant_id, connection_id, internal_date DESC, id DESC)
 WHERE deleted_at IS NULL AND NOT traced;
CREATE INDEX messages_thread ON messages (tenant_id, connection_id, thread_id)
 WHERE deleted_at IS NULL AND NOT traced;
