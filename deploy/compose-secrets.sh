#!/bin/sh
# Makes the credentials of deploy/compose.yaml in deploy/secrets, once: a password or key that is there stays as it is.
#
#   deploy/compose-secrets.sh [FOLDER]
#
# It needs a Python that has Cutline: the one of `make install`, or another one by PYTHON. With nothing but the images:
#   PYTHON='docker run --rm -i --entrypoint python cutline-ingest' deploy/compose-secrets.sh
#
# The folder is the owner's alone; the files in it can be read by all, because Compose gives files of the host to
# processes of other users (65532) as they are. Nothing in it is ever committed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-"$here/secrets"}
python=${PYTHON:-"$here/../.venv/bin/python"}

mkdir -p "$folder"
chmod 0700 "$folder"
cd "$folder"

missing() {
    [ ! -s "$1" ]
}

# put FILE: standard input becomes the file, whole or not at all.
put() {
    cat > "$1.new"
    [ -s "$1.new" ] || { rm -f "$1.new"; echo "compose-secrets: nothing was made for $1" >&2; exit 1; }
    chmod 0444 "$1.new"
    mv -f "$1.new" "$1"
}

# 32 random bytes as hexadecimal digits: fit for URLs, JSON and configuration files.
password() {
    od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n'
}

for name in postgres-password s3-secret-key grafana-password nats-route-password; do
    if missing "$name"; then password | put "$name"; fi
done

printf 'postgresql://cutline:%s@postgres:5432/cutline' "$(cat postgres-password)" | put postgres-dsn

printf 'cutline' | put s3-access-key
put s3.json <<JSON
{
  "identities": [
    {
      "name": "cutline",
      "credentials": [{"accessKey": "cutline", "secretKey": "$(cat s3-secret-key)"}],
      "actions": ["Admin", "Read", "Write", "List", "Tagging"]
    }
  ]
}
JSON

# What the nodes of NATS show each other.
put nats-routes.conf <<CONF
cluster {
  name: cutline
  listen: "0.0.0.0:6222"
  authorization { user: route, password: "$(cat nats-route-password)" }
  routes: [
    "nats://route:$(cat nats-route-password)@nats-1:6222"
    "nats://route:$(cat nats-route-password)@nats-2:6222"
    "nats://route:$(cat nats-route-password)@nats-3:6222"
  ]
}
CONF

# A key for each user of NATS: the seed is the user's, the public half is the server's. sys is an operator's, for `nats server`.
# The variable may hold a command with arguments, so it is not quoted.
known=
for user in ingest-api ingest-admin ingest-housekeeping imaging mockup status topology sys; do
    if missing "nats-$user"; then
        # shellcheck disable=SC2086
        $python -c '
import os, nkeys
print(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER).decode(), end="")' < /dev/null | put "nats-$user"
    fi
    # shellcheck disable=SC2086
    public=$($python -c '
import sys, nkeys
print(nkeys.from_seed(bytearray(sys.stdin.buffer.read())).public_key.decode(), end="")' < "nats-$user")
    known="$known --nkey $user=$public"
done

# What each may do belongs to the release: made anew every time. Restart the nodes one by one to have it read.
# shellcheck disable=SC2086
$python -m cutline.messaging.permissions --format conf $known < /dev/null | put nats-users.conf

echo "the credentials are in $folder"
