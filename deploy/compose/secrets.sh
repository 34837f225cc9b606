#!/bin/sh
# Makes the secrets of docker-compose.yml, each in a file of its own; what is there is kept.
#   sh deploy/compose/secrets.sh [DIRECTORY]
# Containers read them as another user: the files may be read by all, the directory is closed.
set -eu
cd "${1:-$(dirname "$0")/secrets}" 2>/dev/null || {
    mkdir -p "${1:-$(dirname "$0")/secrets}"
    cd "${1:-$(dirname "$0")/secrets}"
}
umask 022
chmod 700 .

random() { od -An -vtx1 -N32 /dev/urandom | tr -d ' \n'; }
key() { head -c 32 /dev/urandom | base64 | tr -d '\n'; }
keep() { # NAME VALUE: a half-written secret never has the name
    [ -s "$1" ] && return
    printf '%s\n' "$2" >".$1.new"
    mv ".$1.new" "$1"
}

keep postgres_password "$(random)"
keep rabbitmq_password "$(random)"
for service in auth mail calendar contacts; do
    keep "${service}_database_password" "$(random)"
    name=$(printf %s "$service" | tr '[:lower:]' '[:upper:]')
    keep "CAUSEWAY_${name}_DATABASE_URL" \
        "postgresql://$service:$(cat ${service}_database_password)@postgres:5432/$service"
done
keep CAUSEWAY_AMQP_URL "amqp://causeway:$(cat rabbitmq_password)@rabbitmq:5672/"
keep rabbitmq.conf "default_user = causeway
default_pass = $(cat rabbitmq_password)"
keep CAUSEWAY_SERVICE_KEY "$(random)"
keep CAUSEWAY_CALLER_KEY "$(random)"
keep CAUSEWAY_SEALING_KEYS "1:$(key)"
keep CAUSEWAY_MAIL_HASH_KEY "$(key)"
keep GOOGLE_CLIENT_SECRET "$(random)" # of the emulator: replace it by your project's
