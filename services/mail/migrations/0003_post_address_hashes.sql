-- They stand in message_addresses since 0002.
ALTER TABLE messages DROP COLUMN address_hashes;
