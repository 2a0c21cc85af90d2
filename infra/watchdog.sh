# The main process of a bastion's container: ends it when nobody needs it any more. For any POSIX sh, such as busybox's.
#
#   IDLE_SECONDS   without a session for so long: exit; 0: never
#   MAX_SECONDS    after so long in any case: exit; 0: never
#   FIRST_SECONDS  whoever started the task has at least so long to connect
#   TICK_SECONDS   how often to look
#   SHARED         a folder that all containers of the task have in common: a session in one keeps all
#   CONTAINER      the name of this one among them
#
# ECS Exec runs one process for each session, in the namespace of this container. The kernel cuts its name to 15
# letters. A dead one that nobody has reaped yet (Z) is no session.
idle_limit=${IDLE_SECONDS:-900}
max_limit=${MAX_SECONDS:-43200}
first_limit=${FIRST_SECONDS:-300}
tick=${TICK_SECONDS:-15}
idle=0
up=0
[ "$first_limit" -ge "$idle_limit" ] || first_limit=$idle_limit
limit=$first_limit
trap 'exit 0' TERM INT

sessions() {
  for stat in /proc/[0-9]*/stat; do
    { read -r _ name state _ <"$stat"; } 2>/dev/null || continue
    case $name in '(ssm-session-wor'*) [ "$state" = Z ] || return 0 ;; esac
  done
  return 1
}

# Whether a container of this task has had a session since the last tick.
busy() {
  if sessions; then
    [ -z "$SHARED" ] || : >"$SHARED/busy"
    return 0
  fi
  [ -n "$SHARED" ] && [ "$SHARED/busy" -nt "$SHARED/$CONTAINER" ]
}

while :; do
  sleep "$tick" &
  wait $!
  up=$((up + tick))
  if busy; then
    idle=0
    limit=$idle_limit
  else
    idle=$((idle + tick))
  fi
  [ -z "$SHARED" ] || : >"$SHARED/$CONTAINER"
  if [ "$idle_limit" -gt 0 ] && [ "$idle" -ge "$limit" ]; then
    echo "bastiond: no session for $idle s, so this ends"
    exit 0
  fi
  if [ "$max_limit" -gt 0 ] && [ "$up" -ge "$max_limit" ]; then
    echo "bastiond: $up s are the longest that this may live, so it ends"
    exit 0
  fi
done
