-- Somebody ends the connection: what is taken out of Google first, and until when at most.
ALTER TABLE connections ADD COLUMN leave jsonb;

CREATE INDEX connections_leaving ON connections (tenant_id, connection_id) WHERE leave IS NOT NULL;
