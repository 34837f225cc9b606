-- One database per service, which nobody but its owner enters. For development only.
CREATE ROLE causeway_auth LOGIN PASSWORD 'development-only';
CREATE DATABASE causeway_auth OWNER causeway_auth;
REVOKE ALL ON DATABASE causeway_auth FROM PUBLIC;
CREATE ROLE causeway_mail LOGIN PASSWORD 'development-only';
CREATE DATABASE causeway_mail OWNER causeway_mail;
REVOKE ALL ON DATABASE causeway_mail FROM PUBLIC;
CREATE ROLE causeway_calendar LOGIN PASSWORD 'development-only';
CREATE DATABASE causeway_calendar OWNER causeway_calendar;
REVOKE ALL ON DATABASE causeway_calendar FROM PUBLIC;
CREATE ROLE causeway_contacts LOGIN PASSWORD 'development-only';
CREATE DATABASE causeway_contacts OWNER causeway_contacts;
REVOKE ALL ON DATABASE causeway_contacts FROM PUBLIC;
