#!/usr/bin/env bash
# Lets the later steps of the job use an IAM role with the job's OpenID Connect token; no key is stored.
# ecs-bg and the AWS SDKs read the three variables by themselves.
set -euo pipefail

fail() {
    echo "no role: $1" >&2
    exit 1
}
token=${CIRCLE_OIDC_TOKEN_V2:-${CIRCLE_OIDC_TOKEN-}}
[ -n "$token" ] || fail 'this job has no CIRCLE_OIDC_TOKEN_V2: give the job a context'
role=${IN_role_arn-}
region=${IN_region-}
[[ $role =~ ^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$ ]] || fail "\"$role\" is not the ARN of a role"
[[ $region =~ ^[a-z0-9-]*$ ]] || fail "\"$region\" is not a region"

file=$(mktemp)
printf '%s' "$token" >"$file"
{
    printf 'export AWS_WEB_IDENTITY_TOKEN_FILE=%q\n' "$file"
    printf 'export AWS_ROLE_ARN=%q\n' "$role"
    printf 'export AWS_ROLE_SESSION_NAME=%q\n' "circleci-${CIRCLE_BUILD_NUM:-job}"
    [ -z "$region" ] || printf 'export AWS_REGION=%q\n' "$region"
} >>"$BASH_ENV"
