-- What the migrations of this folder add up to; a test compares the two.

-- A Google identity, whoever connected it. Every secret column is sealed and names its key.
CREATE TABLE accounts (
    id uuid PRIMARY KEY,
    subject text NOT NULL UNIQUE CHECK (length(subject) BETWEEN 1 AND 255),
    email text NOT NULL,
    state text NOT NULL
        CHECK (state IN ('active', 'degraded', 'reauthorization_required', 'disconnected')),
    reason text,
    scopes text[] NOT NULL DEFAULT '{}',
    refresh_token bytea,
    refresh_key_id text,
    refresh_hash bytea,
    refresh_prefix_hash bytea,
    token_version bigint NOT NULL DEFAULT 0,
    access_token bytea,
    access_key_id text,
    access_expires_at timestamptz,
    access_version bigint NOT NULL DEFAULT 0,
    lease_id uuid,
    lease_until timestamptz,
    refused_at timestamptz,
    retry_at timestamptz,
    revoke_at timestamptz,
    revoke_attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((refresh_token IS NULL) = (refresh_key_id IS NULL)),
    CHECK ((access_token IS NULL) = (access_key_id IS NULL)),
    CHECK ((access_token IS NULL) = (access_expires_at IS NULL)),
    CHECK ((lease_id IS NULL) = (lease_until IS NULL)),
    -- Nothing is held of an account nobody is connected to any more.
    CHECK (state <> 'disconnected' OR (refresh_token IS NULL AND access_token IS NULL)),
    -- Whoever was refused once is asked again.
    CHECK (refused_at IS NULL OR retry_at IS NOT NULL)
);

CREATE INDEX accounts_retry_idx ON accounts (retry_at) WHERE retry_at IS NOT NULL;
CREATE INDEX accounts_revoke_idx ON accounts (revoke_at) WHERE revoke_at IS NOT NULL;
CREATE INDEX accounts_refresh_hash_idx ON accounts (refresh_hash)
    WHERE refresh_hash IS NOT NULL;
CREATE INDEX accounts_refresh_prefix_hash_idx ON accounts (refresh_prefix_hash)
    WHERE refresh_prefix_hash IS NOT NULL;

-- An account that one user of one tenant connected.
CREATE TABLE connections (
    tenant_id text NOT NULL,
    id uuid NOT NULL UNIQUE,
    user_id text NOT NULL,
    account_id uuid REFERENCES accounts (id),
    state text NOT NULL CHECK (state IN (
        'pending', 'active', 'degraded', 'reauthorization_required', 'disabled', 'disconnected'
    )),
    reason text,
    return_url text NOT NULL,
    -- Of the secret that only the browser which consented brings back to the CRM.
    confirmation_digest bytea,
    sequence bigint NOT NULL DEFAULT 0,
    connected_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CHECK (state IN ('pending', 'disconnected') OR account_id IS NOT NULL),
    CHECK (state IN ('pending', 'disconnected') OR connected_at IS NOT NULL),
    CHECK (state = 'pending' OR confirmation_digest IS NULL)
);

CREATE INDEX connections_user_idx ON connections (tenant_id, user_id, id);
CREATE INDEX connections_account_idx ON connections (account_id, id);
CREATE INDEX connections_pending_idx ON connections (updated_at) WHERE state = 'pending';

CREATE TABLE connection_products (
    tenant_id text NOT NULL,
    connection_id uuid NOT NULL,
    product text NOT NULL CHECK (product IN ('mail', 'calendar', 'contacts')),
    wanted text NOT NULL CHECK (wanted IN ('read', 'write')),
    access text CHECK (access IN ('read', 'write')),
    scopes text[] NOT NULL DEFAULT '{}',
    disconnected_at timestamptz,
    purged boolean NOT NULL DEFAULT false,
    -- When the person last consented to it: what asks for its end from before is too late.
    wanted_at timestamptz,
    PRIMARY KEY (tenant_id, connection_id, product),
    FOREIGN KEY (tenant_id, connection_id)
        REFERENCES connections (tenant_id, id) ON DELETE CASCADE,
    CHECK (disconnected_at IS NULL OR access IS NULL),
    CHECK (disconnected_at IS NOT NULL OR NOT purged)
);

-- Links that start a consent; the link carries the secret, the row its digest.
CREATE TABLE tickets (
    digest bytea PRIMARY KEY,
    tenant_id text NOT NULL,
    connection_id uuid NOT NULL,
    return_url text NOT NULL,
    wishes jsonb NOT NULL,
    login_hint text,
    expires_at timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, connection_id)
        REFERENCES connections (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX tickets_connection_idx ON tickets (tenant_id, connection_id);
CREATE INDEX tickets_expires_at_idx ON tickets (expires_at);

-- Consents under way at Google: the `state` and the browser that must bring it back.
CREATE TABLE consents (
    digest bytea PRIMARY KEY,
    browser_digest bytea NOT NULL,
    tenant_id text NOT NULL,
    connection_id uuid NOT NULL,
    return_url text NOT NULL,
    wishes jsonb NOT NULL,
    login_hint text,
    expires_at timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, connection_id)
        REFERENCES connections (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX consents_connection_idx ON consents (tenant_id, connection_id);
CREATE INDEX consents_expires_at_idx ON consents (expires_at);

-- How the refreshes of the last minutes ended: too many failures stop state changes.
CREATE TABLE refreshes (
    account_id uuid NOT NULL,
    at timestamptz NOT NULL,
    failed boolean NOT NULL
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000
);

CREATE INDEX refreshes_at_idx ON refreshes (at) INCLUDE (account_id, failed);
