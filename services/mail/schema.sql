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
-- They stand in message_addresses since 0002.
ALTER TABLE messages DROP COLUMN address_hashes;
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
-- What happened with the CRM's entities: one, however many of the tenant's mailboxes have a copy.
-- A row stays when its last copy goes, since the same mail may come again, under the same id.
CREATE TABLE activities (
    tenant_id   text        NOT NULL,
    id          uuid        NOT NULL,
    -- Of the last event told of it.
    sequence    bigint      NOT NULL,
    -- When Google accepted the copy that was here first; the links of all copies have it.
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
) WITH (fillfactor = 80);

-- The number a new activity begins with: raised when a backup is restored, since its ids are given
-- again to mail that comes again, and what was told of them after the backup is not known here.
CREATE TABLE activity_numbers (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    first  bigint  NOT NULL DEFAULT 1
);
INSERT INTO activity_numbers DEFAULT VALUES;

-- Which activity a message is a copy of; null: it concerns nobody.
ALTER TABLE messages ADD COLUMN activity_id uuid;

-- What was told before keeps its name: that of the message.
INSERT INTO activities (tenant_id, id, sequence, occurred_at)
SELECT tenant_id, id, activity_sequence, internal_date FROM messages WHERE activity_sequence > 0;
UPDATE messages m SET activity_id = m.id
 WHERE EXISTS (SELECT FROM message_links l
                WHERE l.tenant_id = m.tenant_id AND l.message_id = m.id);

CREATE INDEX messages_activity ON messages (tenant_id, activity_id) WHERE activity_id IS NOT NULL;
CREATE INDEX messages_linked ON messages (tenant_id, connection_id, internal_date DESC, id DESC)
 WHERE activity_id IS NOT NULL AND deleted_at IS NULL AND NOT traced;

-- The release before links a message, and counts its activity, without knowing of activities.
CREATE FUNCTION link_of_the_release_before() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE messages SET activity_id = id
     WHERE tenant_id = NEW.tenant_id AND id = NEW.message_id AND activity_id IS NULL;
    IF FOUND THEN
        INSERT INTO activities (tenant_id, id, sequence, occurred_at)
        SELECT tenant_id, id, activity_sequence, internal_date FROM messages
         WHERE tenant_id = NEW.tenant_id AND id = NEW.message_id
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER link_of_the_release_before AFTER INSERT ON message_links
   FOR EACH ROW EXECUTE FUNCTION link_of_the_release_before();

CREATE FUNCTION count_of_the_release_before() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    next bigint;
BEGIN
    UPDATE activities SET sequence = sequence + 1
     WHERE tenant_id = NEW.tenant_id AND id = NEW.id
    RETURNING sequence INTO next;
    NEW.activity_sequence := COALESCE(next, NEW.activity_sequence);
    RETURN NEW;
END
$$;
CREATE TRIGGER count_of_the_release_before BEFORE UPDATE OF activity_sequence ON messages
   FOR EACH ROW EXECUTE FUNCTION count_of_the_release_before();

-- How far colleagues see what of a mailbox concerns an entity: all of it, people and dates, nothing.
ALTER TABLE connections ADD COLUMN visibility text NOT NULL DEFAULT 'team'
      CHECK (visibility IN ('team', 'metadata', 'private'));

-- The one rule of who sees which mailbox, and what of it; `to_user` null: a service of the tenant.
-- own: all its mail is shown, and else only what concerns an entity; in_full: with its content.
CREATE FUNCTION shown_mailboxes(of_tenant text, to_user text)
RETURNS TABLE (tenant_id text, connection_id uuid, user_id text, visibility text,
               own boolean, in_full boolean)
LANGUAGE sql STABLE AS $$
SELECT c.tenant_id, c.connection_id, c.user_id, c.visibility,
       to_user IS NULL OR c.user_id = to_user,
       to_user IS NULL OR c.user_id = to_user OR c.visibility = 'team'
  FROM connections c
 WHERE c.tenant_id = of_tenant AND c.purge = 'none'
   AND (to_user IS NULL OR c.user_id = to_user OR c.visibility <> 'private')
$$;

-- Mailboxes whose activities are to be told again, newest first; all before this place are left.
CREATE TABLE retellings (
    tenant_id     text        NOT NULL,
    connection_id uuid        NOT NULL,
    before        timestamptz NOT NULL DEFAULT 'infinity',
    before_id     uuid        NOT NULL DEFAULT 'ffffffff-ffff-ffff-ffff-ffffffffffff',
    PRIMARY KEY (tenant_id, connection_id)
);
-- The release before is gone: nothing links without knowing of activities any more.
DROP TRIGGER link_of_the_release_before ON message_links;
DROP FUNCTION link_of_the_release_before();
DROP TRIGGER count_of_the_release_before ON messages;
DROP FUNCTION count_of_the_release_before();
-- It did not know either that what concerns nobody any more is no copy.
UPDATE messages m SET activity_id = NULL
 WHERE activity_id IS NOT NULL
   AND NOT EXISTS (SELECT FROM message_links l
                    WHERE l.tenant_id = m.tenant_id AND l.message_id = m.id);
ALTER TABLE messages DROP COLUMN activity_sequence;

-- Somebody's data was erased from it: what Google still has of it is never fetched again.
ALTER TABLE messages ADD COLUMN erased_at timestamptz;

-- Its user's data was erased: whatever comes late changes nothing.
ALTER TABLE connections ADD COLUMN erased_at timestamptz;
