#!/bin/sh
# Run once by the postgres image, on an empty volume: each service its role and its database.
set -eu
for service in auth mail; do
    password=$(cat "/run/secrets/${service}_database_password")
    psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
        --set name="$service" --set password="$password" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done
