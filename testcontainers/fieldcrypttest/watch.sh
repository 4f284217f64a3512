# The first process of a container: watch.sh COMMAND OF THE IMAGE'S ENTRYPOINT...
#
# Its end is the container's. It ends when the server does, when it is told to,
# and when its stdin ends, which tells that the test process is gone.
exec 3<&0
trap 'exit 0' INT TERM
{ read -r _ <&3; kill -TERM $$; } &
docker-entrypoint.sh "$@" 3<&- &
wait $!
