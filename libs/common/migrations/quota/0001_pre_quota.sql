-- Units of Google's quota that were leased, by scope and slot. A slot is named by the second
-- (since 1970) it begins at: of five seconds in scopes by the minute, of a Pacific day in others.
-- Leasing removes a scope's expired slots, so that a scope never has many rows.
CREATE TABLE quota_usage (
    scope text   NOT NULL,
    slot  bigint NOT NULL,
    used  bigint NOT NULL CHECK (used >= 0),
    PRIMARY KEY (scope, slot)
) WITH (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000
);

-- Until when Google itself does not want to be asked.
CREATE TABLE quota_pauses (
    scope text        PRIMARY KEY,
    until timestamptz NOT NULL
);
