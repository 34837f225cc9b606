-- Somebody's data was erased from it: what Google still has of it is never fetched again.
ALTER TABLE messages ADD COLUMN erased_at timestamptz;

-- Its user's data was erased: whatever comes late changes nothing.
ALTER TABLE connections ADD COLUMN erased_at timestamptz;
