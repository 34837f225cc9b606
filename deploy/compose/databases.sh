#!/bin/sh
# Run once by the postgres image, on an empty volume: each service its role and its database.
# Run again, it makes those of services that have joined:
#   docker compose exec postgres sh /docker-entrypoint-initdb.d/databases.sh
set -eu
user=${POSTGRES_USER:-postgres}
for service in auth mail calendar contacts; do
    known=$(psql --username "$user" --dbname postgres --tuples-only --no-align \
        --command "SELECT 1 FROM pg_database WHERE datname = '$service'")
    [ -z "$known" ] || continue
    password=$(cat "/run/secrets/${service}_database_password")
    psql --set ON_ERROR_STOP=1 --username "$user" --dbname postgres \
        --set name="$service" --set password="$password" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done
