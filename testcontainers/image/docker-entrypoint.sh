#!/bin/sh
# What the official image's entrypoint does for a server of tests: makes the
# database when there is none, with a temporary server, and becomes the server.
set -eu
case ${1:-postgres} in
postgres | -*) ;;
*) exec "$@" ;;
esac
[ "${1:-}" = postgres ] || set -- postgres "$@"

user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
as_postgres() { setpriv --reuid=70 --regid=70 --clear-groups "$@"; }

mkdir -p "$PGDATA" /var/run/postgresql
chmod 700 "$PGDATA"
chown 70:70 "$PGDATA" /var/run/postgresql

if [ ! -s "$PGDATA/PG_VERSION" ]; then
	: "${POSTGRES_PASSWORD:?is needed for the superuser}"
	printf '%s\n' "$POSTGRES_PASSWORD" >/tmp/password
	chown 70:70 /tmp/password
	as_postgres initdb --username="$user" --pwfile=/tmp/password --encoding=UTF8 --locale=C \
		--auth-local=trust --auth-host=scram-sha-256 --no-sync >/dev/null
	rm /tmp/password
	echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
	if [ "$database" != postgres ]; then
		echo "CREATE DATABASE \"$database\"" | as_postgres postgres --single -D "$PGDATA" postgres >/dev/null
	fi
	# Who waits for the official image waits for this line twice.
	echo "initialized: database system is ready to accept connections, after a restart" >&2
fi
exec setpriv --reuid=70 --regid=70 --clear-groups "$@"
