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
