#!/bin/sh
# One server for one test process: watch.sh BIN TEMPLATE DIR [-c SETTING]...
#
# stdout: the server alone keeps it open, so that its end tells of the server's
# fd 3:   its end tells that the test process is gone, or is done with the server
# fd 4:   the lock on DIR, held for as long as this shell lives
bin=$1 template=$2 dir=$3
shift 3
exec 2>"$dir/log"

server=
if tar -xf "$template" -C "$dir" 3<&- 4<&-; then
	"$bin/postgres" -D "$dir/data" "$@" 3<&- 4<&- &
	server=$!
fi
exec >/dev/null

read -r _ <&3
if [ -n "$server" ]; then
	kill -QUIT "$server"
	wait "$server"
fi
rm -rf "$dir"
