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
