# The main process of a hybrid bastion's container: makes the task a node of Systems Manager (mi-…) for as long as it
# runs. For any POSIX sh; needs aws, curl and amazon-ssm-agent.
#
#   NAME       the stack, a tag of the node
#   NODE_ROLE  the name of the role that the node takes
#   WATCHDOG   the script that ends it all when nobody is there; its variables are in there
#   STATE      where the agent keeps what it has registered
#
# The activation is good for one node and for minutes, and it is deleted as soon as the node is there: its code, which
# the agent takes as an argument and not otherwise, is worth nothing by then.
set -eu
watchdog_script=${WATCHDOG:-/watchdog.sh}
registration=${STATE:-/var/lib/amazon/ssm}/registration
activation='' node='' agent='' watchdog=''

say() { echo "bastiond: $*"; }

# Leaves nothing behind in the account, however this ends.
leave() {
  status=$?
  trap - EXIT
  trap '' TERM INT
  [ -z "$activation" ] || aws ssm delete-activation --activation-id "$activation" || say "activation $activation stays"
  [ -n "$node" ] || node=$(node_id)
  if [ -n "$node" ]; then
    aws ssm deregister-managed-instance --instance-id "$node" && say "$node is no node any more" || say "$node stays"
  fi
  for child in $agent $watchdog; do
    kill "$child" 2>/dev/null || :
  done
  wait
  exit "$status"
}
trap leave EXIT
trap 'exit 0' TERM INT

node_id() { sed -n 's/.*"ManagedInstanceID" *: *"\(mi-[0-9a-f]*\)".*/\1/p' "$registration" 2>/dev/null || :; }

arn=$(curl -fsS --max-time 10 --retry 3 "$ECS_CONTAINER_METADATA_URI_V4/task" | sed -n 's/.*"TaskARN" *: *"\([^"]*\)".*/\1/p')
task=${arn##*/}
region=$(echo "$arn" | cut -d: -f4)
if [ -z "$task" ] || [ -z "$region" ]; then
  say 'the container does not know its task'
  exit 1
fi
export AWS_REGION="$region" AWS_PAGER=

expires=$(date -u -d "@$(($(date +%s) + 900))" +%Y-%m-%dT%H:%M:%SZ)
made=$(aws ssm create-activation --iam-role "$NODE_ROLE" --registration-limit 1 --expiration-date "$expires" \
  --default-instance-name "$NAME" --tags "Key=bastiond:task,Value=$task" "Key=bastiond:stack,Value=$NAME" \
  --query '[ActivationId,ActivationCode]' --output text)
# shellcheck disable=SC2086 # two words
set -- $made
activation=$1
amazon-ssm-agent -register -y -id "$1" -code "$2" -region "$region" >/dev/null
node=$(node_id)
if [ -z "$node" ]; then
  say 'the agent did not register'
  exit 1
fi
aws ssm delete-activation --activation-id "$activation"
activation=''
say "task $task is node $node"

amazon-ssm-agent &
agent=$!
sh "$watchdog_script" &
watchdog=$!
while kill -0 "$agent" 2>/dev/null && kill -0 "$watchdog" 2>/dev/null; do
  sleep 1 &
  wait $!
done
if ! kill -0 "$agent" 2>/dev/null; then
  say 'the agent ended'
  exit 1
fi
