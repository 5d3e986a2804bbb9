#!/usr/bin/env bash
# Turns the inputs of the GitHub Action (or the parameters of the CircleCI orb) into a command line, and becomes
# ecs-bg, so that the signals of a cancelled job arrive. It runs with bash 3.2, as on macOS.
#
# `IN_wait_for_minutes` holds the input `wait-for-minutes`. No text of an input is run by a shell: each becomes a word of an array.
set -euo pipefail

fail() {
    local text=$1
    if [ "${GITHUB_ACTIONS-}" = true ]; then
        text=${text//'%'/%25}
        text=${text//$'\r'/%0D}
        text=${text//$'\n'/%0A}
        echo "::error title=ecs-bg was not started::$text" >&2
    else
        echo "ecs-bg was not started: $text" >&2
    fi
    exit 2
}

# input NAME: its text, without blanks and line ends around it.
input() {
    local name=IN_${1//-/_} text
    text=${!name-}
    text=${text#"${text%%[![:space:]]*}"}
    printf '%s' "${text%"${text##*[![:space:]]}"}"
}

# The inputs of aws-actions/amazon-ecs-deploy-task-definition that have no counterpart.
refuse() {
    local name
    for name in "${@:2}"; do
        [ -z "$(input "$name")" ] || fail "ecs-bg has no input \"$name\": $1"
    done
}
refuse 'it does not deploy with CodeDeploy. Let ECS shift the traffic (ecs-bg setup prepares the service), or keep aws-actions/amazon-ecs-deploy-task-definition' \
    codedeploy-appspec codedeploy-application codedeploy-deployment-group codedeploy-deployment-description codedeploy-deployment-config
refuse 'use "before" to run a command as a task of the new revision before it serves, or a step with the command: ecs-bg run' \
    run-task run-task-container-overrides run-task-security-groups run-task-subnets run-task-assign-public-IP \
    run-task-capacity-provider-strategy run-task-launch-type run-task-started-by run-task-tags \
    run-task-managed-ebs-volume run-task-managed-ebs-volume-name wait-for-task-stopped
refuse 'it leaves the volumes of the service as they are. Remove the input, and change them with: aws ecs update-service' \
    service-managed-ebs-volume service-managed-ebs-volume-name
refuse 'it leaves the tags of the service as they are. Remove the input, and change them with: aws ecs update-service' \
    enable-ecs-managed-tags propagate-tags
refuse 'it sends the file as it stands. Remove the input' keep-null-value-keys
refuse 'it retries by itself until "timeout". Remove the input' max-retries

words=()
# option OPTION INPUT: nothing, or the option with the input's text.
option() {
    local text
    text=$(input "$2")
    [ -z "$text" ] || words+=("$1=$text")
}
# options OPTION INPUT: the option once for each line.
options() {
    local line
    while IFS= read -r line; do
        line=${line#"${line%%[![:space:]]*}"}
        line=${line%"${line##*[![:space:]]}"}
        [ -z "$line" ] || words+=("$1=$line")
    done <<<"$(input "$2")"
}
# yes_no INPUT: true, false or nothing.
yes_no() {
    local text
    text=$(input "$1")
    case $text in
    true | True | TRUE) printf true ;;
    false | False | FALSE) printf false ;;
    '') ;;
    *) fail "\"$1\" is \"$text\": write true or false" ;;
    esac
}
flag() {
    local text
    text=$(yes_no "$2")
    [ "$text" != true ] || words+=("$1")
}

command=$(input command)
case ${command:=deploy} in
deploy | plan | doctor | status | history | resume | rollback | abort | promote) ;;
*) fail "\"command\" is \"$command\": write deploy, plan, doctor, status, history, resume, rollback, abort, promote or install" ;;
esac
words+=("$command")

service=$(input service)
cluster=$(input cluster)
if [ -z "$service${ECS_BG_SERVICE-}" ] && [ "$command" != status ]; then
    fail 'the input "service" is missing: name the ECS service'
fi
# CLUSTER/SERVICE and an ARN name the cluster too.
if [ -z "$cluster${ECS_BG_CLUSTER-}" ] && [[ $service != */* ]]; then
    fail 'the input "cluster" is missing: name the ECS cluster (aws-actions takes "default" then)'
fi
option --cluster cluster
option --service service

image=$(input image)
container=$(input container-name)
if [ -n "$container" ]; then
    [ -n "$image" ] || fail '"container-name" needs "image"'
    case $image in *=* | *$'\n'*) fail '"container-name" and an image that names its container exclude each other' ;; esac
    words+=("--image=$container=$image")
else
    options --image image
fi
options --tag tag
option --task-definition task-definition
option --from from
options --env env
options --secret secret
option --before before
option --engine engine
option --twin twin
option --strategy strategy
option --shares shares
option --pause-at pause-at
option --bake bake
option --desired-count desired-count
option --keep-revisions keep-revisions
option --on-conflict on-conflict
option --on-cancel on-cancel
option --to to
flag --force force
flag --force-new-deployment force-new-deployment
flag --dry-run dry-run

# It waits by default; aws-actions does not.
wait=$(yes_no wait-for-service-stability)
[ "$wait" != false ] || words+=(--no-wait)
minutes=$(input wait-for-minutes)
timeout=$(input timeout)
if [ -n "$minutes" ]; then
    [ -z "$timeout" ] || fail '"wait-for-minutes" and "timeout" are the same: give one'
    [[ $minutes =~ ^[0-9]+$ ]] || fail "\"wait-for-minutes\" is \"$minutes\": write a whole number"
    timeout=${minutes}m
fi
[ -z "$timeout" ] || words+=("--timeout=$timeout")

# Split at blanks and line ends. Quotes and backslashes group, nothing else is special.
arguments=$(input args)
if [ -n "$arguments" ]; then
    split=$(mktemp)
    xargs printf '%s\0' <<<"$arguments" >"$split" 2>/dev/null || fail '"args" has a quote without its end'
    while IFS= read -r -d '' word; do
        words+=("$word")
    done <"$split"
    rm -f "$split"
fi

program=${ECS_BG_PROGRAM:-$(command -v ecs-bg || true)}
[ -n "$program" ] || fail 'ecs-bg is not installed: run action/install.sh first'
# The program does not need the inputs, and a template must not be filled in from them.
for name in ${!IN_*}; do
    unset "$name"
done
unset ECS_BG_PROGRAM ECS_BG_DOWNLOAD_BASE
exec "$program" "${words[@]}"
