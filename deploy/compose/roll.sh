#!/bin/sh
# Replaces the containers of services without a gap: new ones first, then the old ones go.
#   sh deploy/compose/roll.sh
# What the old ones were asked they still answer: they drain before they end. The schema gets what
# the new code needs before, and what the old code would not have survived after.
set -eu
cd "$(dirname "$0")/../.."
services="auth mail calendar contacts"

migrate() { # PHASE
    for service in $services; do
        docker compose run --rm --no-deps --no-TTY "$service-migrate" \
            python -m "services.$service" migrate --phase "$1"
    done
}

up() { docker compose up --detach --no-deps --no-recreate --no-build --quiet-pull "$@"; }

migrate pre
for service in $(for one in $services; do echo "$one-web" "$one-worker"; done); do
    old=$(docker compose ps --quiet "$service")
    if [ -z "$old" ]; then # it joins with this release
        up --wait "$service"
        continue
    fi
    count=$(printf '%s\n' $old | wc -l)
    up --wait --scale "$service=$((count * 2))" "$service"
    for container in $old; do
        docker stop "$container" >/dev/null
        docker rm "$container" >/dev/null
    done
    up --scale "$service=$count" "$service"
done
migrate post
