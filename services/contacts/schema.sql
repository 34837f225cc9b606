-- What the migrations of this folder add up to; a test compares the two.

-- The service's own copy of the connections that have contacts, as auth last told of them.
CREATE TABLE connections (
    tenant_id       text        NOT NULL,
    connection_id   uuid        NOT NULL,
    account_id      uuid        NOT NULL,
    user_id         text        NOT NULL,
    email           text        NOT NULL,
    access          text        NOT NULL CHECK (access IN ('read', 'write')),
    state           text        NOT NULL CHECK (state IN
                    ('active', 'degraded', 'disabled', 'reauthorization_required', 'disconnected')),
    reauthorize_url text,
    -- Of the newest event of auth's that was taken in: older ones change nothing.
    event_sequence  bigint      NOT NULL DEFAULT 0,
    -- Whether all that is held for it must go (it is shown no more) or is gone.
    purge           text        NOT NULL DEFAULT 'none' CHECK (purge IN ('none', 'wanted', 'done')),
    updated_at      timestamptz NOT NULL,
    -- Since when nothing may bring it back: the person was erased.
    erased_at       timestamptz,
    -- What the person and the tenant want of it; absent ones are the defaults.
    preferences     jsonb       NOT NULL DEFAULT '{}',
    preferences_version bigint  NOT NULL DEFAULT 0,
    -- Of the preferences by which people who are no contact were looked at last.
    looked_version  bigint      NOT NULL DEFAULT 0,
    -- When its address book was read in full for the first time: nothing is written before.
    read_at         timestamptz,
    -- When somebody said yes to what the first writing would do.
    confirmed_at    timestamptz,
    confirmed_by    text,
    PRIMARY KEY (tenant_id, connection_id)
);

CREATE INDEX connections_account ON connections (account_id);
CREATE INDEX connections_user ON connections (tenant_id, user_id);

-- What holds for all connections of a tenant: its region, the CRM's names of fields.
CREATE TABLE tenant_defaults (
    tenant_id text   PRIMARY KEY,
    defaults  jsonb  NOT NULL,
    version   bigint NOT NULL
);

-- Contacts as the CRM has them.
CREATE TABLE contacts (
    tenant_id     text        NOT NULL,
    id            uuid        NOT NULL,
    -- Null: the tenant's, nobody's in particular.
    owner_user_id text,
    -- What mail and calendar know it as; null: it is in nobody's CRM yet, and its owner's alone.
    entity_id     text,
    -- Rises with every change.
    version       bigint      NOT NULL DEFAULT 1,
    -- Of the newest event that was told.
    sequence      bigint      NOT NULL DEFAULT 0,
    -- Of the newest change of the CRM's that was taken in.
    crm_version   bigint      NOT NULL DEFAULT 0,
    card          jsonb       NOT NULL,
    -- When our side changed which field last.
    changed       jsonb       NOT NULL DEFAULT '{}',
    -- What it is shown and found by.
    name          text        NOT NULL,
    emails        text[]      NOT NULL DEFAULT '{}',
    phones        text[]      NOT NULL DEFAULT '{}',
    search        text        NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    deleted_at    timestamptz,
    -- It is one with another since.
    merged_into   uuid,
    PRIMARY KEY (tenant_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

CREATE UNIQUE INDEX contacts_entity ON contacts (tenant_id, entity_id)
 WHERE entity_id IS NOT NULL;
CREATE INDEX contacts_owner ON contacts (tenant_id, owner_user_id, id);
CREATE INDEX contacts_emails ON contacts USING gin (emails) WITH (fastupdate = off)
 WHERE deleted_at IS NULL;
CREATE INDEX contacts_phones ON contacts USING gin (phones) WITH (fastupdate = off)
 WHERE deleted_at IS NULL;
CREATE INDEX contacts_deleted ON contacts (deleted_at) WHERE deleted_at IS NOT NULL;

-- People as one address book has them, imported or not.
CREATE TABLE people (
    tenant_id      text        NOT NULL,
    connection_id  uuid        NOT NULL,
    resource       text        NOT NULL,
    account_id     uuid        NOT NULL,
    -- Which contact it is; null: none (not imported, or a person has to choose).
    contact_id     uuid,
    etag           text        NOT NULL,
    -- When Google says it changed last: what is older comes late.
    google_updated timestamptz,
    -- What both sides last agreed on.
    base           jsonb       NOT NULL,
    -- Items of fields as Google has them, whatever we know of them.
    person         jsonb       NOT NULL,
    emails         text[]      NOT NULL DEFAULT '{}',
    phones         text[]      NOT NULL DEFAULT '{}',
    -- Resource names of its groups.
    groups         text[]      NOT NULL DEFAULT '{}',
    -- We have created it.
    made_by_us     boolean     NOT NULL DEFAULT false,
    seen_at        timestamptz NOT NULL,
    -- It is gone at Google.
    gone_at        timestamptz,
    -- Since when it is left alone, and nothing of it taken in: the person was erased.
    erased_at      timestamptz,
    PRIMARY KEY (tenant_id, connection_id, resource)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

CREATE UNIQUE INDEX people_contact ON people (tenant_id, contact_id, connection_id)
 WHERE contact_id IS NOT NULL AND gone_at IS NULL;
-- Who was read under another name.
CREATE INDEX people_source
 ON people (tenant_id, connection_id, (person #>> '{metadata,sources,0,id}'))
 WHERE gone_at IS NULL;
CREATE INDEX people_account ON people (tenant_id, account_id, resource);
CREATE INDEX people_emails ON people USING gin (emails) WITH (fastupdate = off)
 WHERE gone_at IS NULL;
CREATE INDEX people_phones ON people USING gin (phones) WITH (fastupdate = off)
 WHERE gone_at IS NULL;
CREATE INDEX people_gone ON people (gone_at) WHERE gone_at IS NOT NULL;

-- Groups of contacts; a person's own, as labels are.
CREATE TABLE groups (
    tenant_id     text        NOT NULL,
    id            uuid        NOT NULL,
    owner_user_id text        NOT NULL,
    name          text        NOT NULL,
    version       bigint      NOT NULL DEFAULT 1,
    sequence      bigint      NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    deleted_at    timestamptz,
    PRIMARY KEY (tenant_id, id)
);

CREATE UNIQUE INDEX groups_name ON groups (tenant_id, owner_user_id, lower(name))
 WHERE deleted_at IS NULL;
CREATE INDEX groups_deleted ON groups (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE group_members (
    tenant_id  text        NOT NULL,
    group_id   uuid        NOT NULL,
    contact_id uuid        NOT NULL,
    added_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, group_id, contact_id)
);

CREATE INDEX group_members_contact ON group_members (tenant_id, contact_id);

-- Labels as Google has them, its own (`system`) among them, which are no groups of ours.
CREATE TABLE labels (
    tenant_id      text        NOT NULL,
    connection_id  uuid        NOT NULL,
    resource       text        NOT NULL,
    group_id       uuid,
    kind           text        NOT NULL CHECK (kind IN ('user', 'system')),
    -- What both sides last agreed on.
    name           text        NOT NULL,
    etag           text        NOT NULL,
    google_updated timestamptz,
    members        integer     NOT NULL DEFAULT 0,
    seen_at        timestamptz NOT NULL,
    gone_at        timestamptz,
    PRIMARY KEY (tenant_id, connection_id, resource)
);

CREATE UNIQUE INDEX labels_group ON labels (tenant_id, group_id, connection_id)
 WHERE group_id IS NOT NULL AND gone_at IS NULL;

-- How a contact is addressed, by occasion.
CREATE TABLE nicknames (
    tenant_id  text        NOT NULL,
    id         uuid        NOT NULL,
    contact_id uuid        NOT NULL,
    text       text        NOT NULL,
    tone       text        NOT NULL CHECK (tone IN ('formal', 'informal', 'campaign')),
    keywords   text[]      NOT NULL DEFAULT '{}',
    context    text        NOT NULL DEFAULT '',
    is_default boolean     NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE INDEX nicknames_contact ON nicknames (tenant_id, contact_id);
CREATE UNIQUE INDEX nicknames_default ON nicknames (tenant_id, contact_id, tone) WHERE is_default;

-- What a person has to choose: fields that both sides changed, or which contact somebody is.
CREATE TABLE conflicts (
    tenant_id     text        NOT NULL,
    id            uuid        NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('fields', 'match')),
    connection_id uuid        NOT NULL,
    resource      text        NOT NULL,
    -- Of fields: whose. Of a match: null.
    contact_id    uuid,
    -- Of a match: who it could be.
    candidates    uuid[]      NOT NULL DEFAULT '{}',
    base          jsonb       NOT NULL DEFAULT '{}',
    ours          jsonb       NOT NULL DEFAULT '{}',
    theirs        jsonb       NOT NULL DEFAULT '{}',
    state         text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resolved')),
    choice        jsonb,
    sequence      bigint      NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    resolved_at   timestamptz,
    resolved_by   text,
    PRIMARY KEY (tenant_id, id),
    CHECK ((state = 'open') = (resolved_at IS NULL))
);

CREATE UNIQUE INDEX conflicts_open ON conflicts (tenant_id, connection_id, resource, kind)
 WHERE state = 'open';

-- Connections whose contacts are looked over, one after the other, for what has to be written.
CREATE TABLE push_work (
    tenant_id     text    NOT NULL,
    connection_id uuid    NOT NULL,
    -- The last contact that is done; null: none is.
    place         uuid,
    -- Write anew what seems to be as it should.
    forced        boolean NOT NULL,
    -- Only members of this group.
    group_id      uuid,
    -- Only count what would be written.
    dry           boolean NOT NULL,
    -- What was counted so far.
    counts        jsonb   NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, connection_id, dry)
);

-- What went which way, and how it ended.
CREATE TABLE sync_logs (
    tenant_id     text        NOT NULL,
    id            uuid        NOT NULL,
    connection_id uuid        NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('contact', 'group')),
    direction     text        NOT NULL CHECK (direction IN ('from_google', 'to_google')),
    action        text        NOT NULL CHECK (action IN ('create', 'update', 'delete')),
    status        text        NOT NULL CHECK (status IN ('success', 'error', 'skipped')),
    -- The contact's or the group's.
    item_id       uuid,
    resource      text,
    -- A short constant.
    error         text,
    at            timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE INDEX sync_logs_connection ON sync_logs (tenant_id, connection_id, id);
CREATE INDEX sync_logs_age ON sync_logs (at);
