-- Every key of every person who is read is looked up: entries that wait to be filed would be walked
-- each time.
ALTER INDEX contacts_emails SET (fastupdate = off);
ALTER INDEX contacts_phones SET (fastupdate = off);
ALTER INDEX people_emails SET (fastupdate = off);
ALTER INDEX people_phones SET (fastupdate = off);
SELECT gin_clean_pending_list(one)
  FROM unnest(ARRAY['contacts_emails', 'contacts_phones',
                    'people_emails', 'people_phones']::regclass[]) AS one;
-- With a condition that the keys' indexes have as well, it is taken for a way to what they find as
-- long as Postgres knows nothing of the table.
DROP INDEX contacts_owner;
CREATE INDEX contacts_owner ON contacts (tenant_id, owner_user_id, id);
