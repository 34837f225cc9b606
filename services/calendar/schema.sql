-- What the migrations of this folder add up to; a test compares the two.

-- The service's own copy of the connections that have a calendar, as auth last told of them.
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
    -- From when on calendars are taken in; null: none was opened yet.
    complete_since  timestamptz,
    -- Somebody ends it: what is taken out of Google first, and until when at most.
    leave           jsonb,
    PRIMARY KEY (tenant_id, connection_id)
);

CREATE INDEX connections_account ON connections (account_id);
CREATE INDEX connections_user ON connections (tenant_id, user_id);
CREATE INDEX connections_leaving ON connections (tenant_id, connection_id) WHERE leave IS NOT NULL;

-- What holds for all connections of a tenant: templates, variables of the company, its zone.
CREATE TABLE tenant_defaults (
    tenant_id text   PRIMARY KEY,
    defaults  jsonb  NOT NULL,
    version   bigint NOT NULL
);

-- The calendars that a person's list shows.
CREATE TABLE calendars (
    tenant_id     text        NOT NULL,
    id            uuid        NOT NULL,
    connection_id uuid        NOT NULL,
    google_id     text        NOT NULL,
    summary       text        NOT NULL,
    zone          text,
    access_role   text        NOT NULL,
    is_primary    boolean     NOT NULL,
    has_meet      boolean     NOT NULL,
    hidden        boolean     NOT NULL,
    color         text,
    -- Whether it is read; null: nobody has said, and the primary one is.
    chosen        boolean,
    -- It went from the person's list.
    gone_at       timestamptz,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE UNIQUE INDEX calendars_google ON calendars (tenant_id, connection_id, google_id);

-- That Google tells of a calendar is arranged once for an account: several tenants may have it.
CREATE TABLE watches (
    account_id  uuid        NOT NULL,
    google_id   text        NOT NULL,
    renew_at    timestamptz NOT NULL DEFAULT '-infinity',
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    failure     text,
    PRIMARY KEY (account_id, google_id)
) WITH (fillfactor = 80);

-- Channels have a row before Google hears of them, and keep it until they end: there is no list
-- of them at Google.
CREATE TABLE channels (
    id          uuid        PRIMARY KEY,
    account_id  uuid        NOT NULL,
    google_id   text        NOT NULL,
    -- Null until Google has named it.
    resource_id text,
    state       text        NOT NULL CHECK (state IN
                ('intended', 'watching', 'superseded', 'stopped')),
    -- Of the newest notice.
    last_number bigint      NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX channels_calendar ON channels (account_id, google_id);
CREATE INDEX channels_expiry ON channels (expires_at);

-- Events as one calendar has them: single ones, masters of series, and exceptions.
CREATE TABLE events (
    tenant_id     text        NOT NULL,
    id            uuid        NOT NULL,
    connection_id uuid        NOT NULL,
    calendar_id   uuid        NOT NULL,
    google_id     text        NOT NULL,
    -- Which meeting it is a copy of: its series, and where in it an exception belongs.
    series_id     uuid        NOT NULL,
    occurrence    text        NOT NULL DEFAULT '',
    master_id     text,
    etag          text        NOT NULL,
    google_updated timestamptz,
    status        text        NOT NULL,
    -- What can be found in a window: first and last instant, of a series all of it.
    starts_at     timestamptz NOT NULL,
    ends_at       timestamptz NOT NULL,
    -- Folded addresses of who takes part.
    people        text[]      NOT NULL DEFAULT '{}',
    body          jsonb       NOT NULL,
    created_at    timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    deleted_at    timestamptz,
    PRIMARY KEY (tenant_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

CREATE UNIQUE INDEX events_google ON events (tenant_id, calendar_id, google_id);
CREATE INDEX events_meeting ON events (tenant_id, series_id, occurrence);
CREATE INDEX events_window ON events (tenant_id, connection_id, ends_at, starts_at)
 WHERE deleted_at IS NULL;
CREATE INDEX events_master ON events (tenant_id, calendar_id, master_id)
 WHERE master_id IS NOT NULL;
CREATE INDEX events_people ON events USING gin (people);
CREATE INDEX events_deleted ON events (deleted_at) WHERE deleted_at IS NOT NULL;

-- One row for all copies of a meeting: what was told of it last, and as which number.
CREATE TABLE meetings (
    tenant_id         text   NOT NULL,
    series_id         uuid   NOT NULL,
    occurrence        text   NOT NULL,
    sequence          bigint NOT NULL DEFAULT 0,
    -- Of the facts that were told; null: nothing is, or it was cancelled.
    digest            bytea,
    activity_sequence bigint NOT NULL DEFAULT 0,
    -- Of the activity that was told; null: it concerns nobody.
    activity_digest   bytea,
    PRIMARY KEY (tenant_id, series_id, occurrence)
) WITH (fillfactor = 80);

-- Which meeting concerns which entity of the CRM.
CREATE TABLE meeting_links (
    tenant_id   text        NOT NULL,
    entity_type text        NOT NULL,
    entity_id   text        NOT NULL,
    series_id   uuid        NOT NULL,
    occurrence  text        NOT NULL,
    starts_at   timestamptz NOT NULL,
    -- The CRM named it itself; no address has to say so.
    named       boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, entity_type, entity_id, series_id, occurrence)
);

CREATE INDEX meeting_links_meeting ON meeting_links (tenant_id, series_id, occurrence);
CREATE INDEX meeting_links_entity ON meeting_links (tenant_id, entity_type, entity_id, starts_at);

-- Entities whose meetings are to be looked for, connection by connection.
CREATE TABLE link_work (
    tenant_id     text NOT NULL,
    connection_id uuid NOT NULL,
    entity_type   text NOT NULL,
    entity_id     text NOT NULL,
    addresses     text[] NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, entity_type, entity_id)
);

-- Connections whose appointments are to be mirrored, or looked at again, one after the other.
CREATE TABLE mirror_work (
    tenant_id     text        NOT NULL,
    connection_id uuid        NOT NULL,
    starts_at     timestamptz NOT NULL,
    ends_at       timestamptz NOT NULL,
    -- The last one that is done; null: none is.
    place         text,
    -- Write anew what seems to be as it should.
    forced        boolean     NOT NULL,
    PRIMARY KEY (tenant_id, connection_id)
);

-- Appointments of the CRM, mirrored into the calendar of whoever keeps them.
CREATE TABLE appointments (
    tenant_id      text        NOT NULL,
    appointment_id text        NOT NULL,
    version        bigint      NOT NULL,
    user_id        text        NOT NULL,
    body           jsonb       NOT NULL,
    status         text        NOT NULL,
    starts_at      timestamptz NOT NULL,
    ends_at        timestamptz NOT NULL,
    -- Where it is mirrored; null: nowhere (yet).
    connection_id  uuid,
    calendar_id    uuid,
    google_id      text,
    -- Counts the events that were made for it: one that was cancelled is not revived.
    generation     integer     NOT NULL DEFAULT 0,
    -- The fields of the event as they were last wished for.
    wished         jsonb,
    -- What the person made of them in Google and was told of.
    sequence       bigint      NOT NULL DEFAULT 0,
    -- Why it is not mirrored.
    reason         text,
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, appointment_id)
);

CREATE INDEX appointments_event ON appointments (tenant_id, calendar_id, google_id)
 WHERE google_id IS NOT NULL;
CREATE INDEX appointments_user ON appointments (tenant_id, user_id, starts_at);

-- Fields that both sides changed, each to another value, until a person has chosen.
CREATE TABLE conflicts (
    tenant_id      text        NOT NULL,
    id             uuid        NOT NULL,
    connection_id  uuid        NOT NULL,
    calendar_id    uuid        NOT NULL,
    google_id      text        NOT NULL,
    appointment_id text,
    base           jsonb       NOT NULL,
    ours           jsonb       NOT NULL,
    theirs         jsonb       NOT NULL,
    state          text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resolved')),
    choice         jsonb,
    sequence       bigint      NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    resolved_at    timestamptz,
    resolved_by    text,
    PRIMARY KEY (tenant_id, id),
    CHECK ((state = 'open') = (resolved_at IS NULL))
);

CREATE UNIQUE INDEX conflicts_open ON conflicts (tenant_id, calendar_id, google_id)
 WHERE state = 'open';

-- Reminders of our own: each is told once.
CREATE TABLE reminders (
    tenant_id     text        NOT NULL,
    id            uuid        NOT NULL,
    connection_id uuid        NOT NULL,
    calendar_id   uuid        NOT NULL,
    google_id     text        NOT NULL,
    occurrence    text        NOT NULL DEFAULT '',
    minutes       integer     NOT NULL,
    starts_at     timestamptz NOT NULL,
    due_at        timestamptz NOT NULL,
    told_at       timestamptz,
    PRIMARY KEY (tenant_id, id)
);

CREATE UNIQUE INDEX reminders_key
    ON reminders (tenant_id, calendar_id, google_id, occurrence, minutes);
CREATE INDEX reminders_due ON reminders (due_at) WHERE told_at IS NULL;

-- What went which way, and how it ended.
CREATE TABLE sync_logs (
    tenant_id     text        NOT NULL,
    id            uuid        NOT NULL,
    connection_id uuid        NOT NULL,
    calendar_id   uuid,
    direction     text        NOT NULL CHECK (direction IN ('from_google', 'to_google')),
    action        text        NOT NULL CHECK (action IN ('create', 'update', 'delete')),
    status        text        NOT NULL CHECK (status IN ('success', 'error', 'skipped')),
    event_id      text,
    google_id     text,
    appointment_id text,
    -- A short constant.
    error         text,
    at            timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE INDEX sync_logs_connection ON sync_logs (tenant_id, connection_id, id);
CREATE INDEX sync_logs_age ON sync_logs (at);
