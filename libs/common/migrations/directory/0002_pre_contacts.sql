-- Contacts are entities too, and who tells of them numbers otherwise than the CRM does: by contact,
-- and by the contact's events. Compared only among these; `version` stays the CRM's.
ALTER TABLE entities
    ADD COLUMN told_by       uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    ADD COLUMN told_sequence bigint      NOT NULL DEFAULT 0,
    -- When it happened: an id of the CRM's may go from one contact to another.
    ADD COLUMN told_at       timestamptz NOT NULL DEFAULT '-infinity';
