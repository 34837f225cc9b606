-- Who is a lead, a deal, a contact: the CRM's entities as it last told of them.
CREATE TABLE entities (
    tenant_id     text        NOT NULL,
    entity_type   text        NOT NULL,
    entity_id     text        NOT NULL,
    -- Of the newest change that was taken in: older ones change nothing.
    version       bigint      NOT NULL,
    name          text        NOT NULL DEFAULT '',
    phones        text[]      NOT NULL DEFAULT '{}',
    owner_user_id text,
    -- Set: a tombstone, which keeps the version.
    deleted_at    timestamptz,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, entity_type, entity_id)
);

CREATE INDEX entities_deleted ON entities (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE entity_addresses (
    tenant_id   text NOT NULL,
    -- Folded as addresses are compared.
    address     text NOT NULL,
    entity_type text NOT NULL,
    entity_id   text NOT NULL,
    PRIMARY KEY (tenant_id, address, entity_type, entity_id),
    FOREIGN KEY (tenant_id, entity_type, entity_id) REFERENCES entities ON DELETE CASCADE
);

CREATE INDEX entity_addresses_entity ON entity_addresses (tenant_id, entity_type, entity_id);
