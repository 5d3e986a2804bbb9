#!/usr/bin/env bash
# Installs a released ecs-bg: downloads the archive for this machine, verifies its SHA-256, unpacks it, and puts
# it on the PATH of the later steps of the job. The GitHub Action and the CircleCI orb run this file.
#
#   ECS_BG_DOWNLOAD_BASE  where the releases are, with the layout of GitHub:
#                         BASE/download/vVERSION/ecs-bg-TARGET.tar.xz, BASE/latest/download/ecs-bg-TARGET.tar.xz
#   ECS_BG_VERSION        for example 0.2.0, or latest
#   ECS_BG_SHA256         the archive must have this sum, whatever the release's own file says (optional)
#   ECS_BG_INSTALL_DIR    where the program goes (optional)
#
# It prints the path of the program. If anything is wrong, it prints one line, and installs nothing.
set -euo pipefail

# The line is an annotation in GitHub Actions, where these three characters are escaped.
fail() {
    local text=$1
    if [ "${GITHUB_ACTIONS-}" = true ]; then
        text=${text//'%'/%25}
        text=${text//$'\r'/%0D}
        text=${text//$'\n'/%0A}
        echo "::error title=ecs-bg was not installed::$text" >&2
    else
        echo "ecs-bg was not installed: $text" >&2
    fi
    exit 1
}

base=${ECS_BG_DOWNLOAD_BASE-}
base=${base%/}
version=${ECS_BG_VERSION-}
version=${version#v}
[ -n "$base" ] || fail 'ECS_BG_DOWNLOAD_BASE is empty: set it to the address of the releases'
# What is not a version never becomes a part of an address or of a path.
if ! [[ $version =~ ^(latest|[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?)$ ]]; then
    fail "\"$version\" is not a version: write for example 0.2.0, or latest"
fi
pinned=$(tr 'A-F' 'a-f' <<<"${ECS_BG_SHA256-}")
[[ $pinned =~ ^([0-9a-f]{64})?$ ]] || fail 'the given SHA-256 is not 64 hexadecimal digits'

system=$(uname -s)
machine=$(uname -m)
case "$system $machine" in
'Linux x86_64' | 'Linux amd64') target=x86_64-unknown-linux-musl ;;
'Linux aarch64' | 'Linux arm64') target=aarch64-unknown-linux-musl ;;
'Darwin x86_64') target=x86_64-apple-darwin ;;
'Darwin arm64') target=aarch64-apple-darwin ;;
*) fail "there is no ecs-bg for $system on $machine: use a runner with Linux or macOS on x86_64 or arm64" ;;
esac

directory=${ECS_BG_INSTALL_DIR:-${RUNNER_TEMP:-$HOME/.local/share}/ecs-bg-$version}
program=$directory/ecs-bg
work=''
trap 'rm -rf "$work"' EXIT

# download URL FILE
download() {
    local protocols='=https,http,file' code=0
    case "$1" in https:*) protocols='=https' ;; esac
    curl --fail --silent --location --proto "$protocols" --proto-redir "$protocols" \
        --retry 2 --retry-connrefused --connect-timeout 10 --max-time 300 --output "$2" "$1" || code=$?
    case $code in
    0) ;;
    # 404 and the like; a file that is not there.
    22 | 37) fail "there is no ecs-bg $version for $target: $1 does not exist" ;;
    *) fail "cannot download $1 (curl: exit code $code): check the network, a proxy, ECS_BG_DOWNLOAD_BASE" ;;
    esac
}

sum() {
    if command -v sha256sum >/dev/null; then
        sha256sum "$1"
    else
        shasum -a 256 "$1"
    fi | cut -d ' ' -f 1
}

installed=$("$program" --version 2>/dev/null) || installed=''
if [ "${installed%% (*}" != "ecs-bg $version" ] || [ -n "$pinned" ]; then
    for tool in curl tar xz; do
        command -v "$tool" >/dev/null || fail "$tool is not on this machine: install it first"
    done
    archive=ecs-bg-$target.tar.xz
    if [ "$version" = latest ]; then
        url=$base/latest/download/$archive
    else
        url=$base/download/v$version/$archive
    fi
    mkdir -p "$directory"
    # On the same file system as the program, so that the last step is one rename.
    work=$(mktemp -d "$directory/.ecs-bg.XXXXXX")
    download "$url" "$work/archive"
    download "$url.sha256" "$work/wanted"

    wanted=$(head -c 64 "$work/wanted" | tr 'A-F' 'a-f')
    [[ $wanted =~ ^[0-9a-f]{64}$ ]] || fail "$url.sha256 does not begin with a SHA-256"
    found=$(sum "$work/archive")
    [ "$found" = "$wanted" ] || fail "$url has the SHA-256 $found, but its release says $wanted"
    [ -z "$pinned" ] || [ "$found" = "$pinned" ] || fail "$url has the SHA-256 $found, but you gave $pinned"

    tar -xJf "$work/archive" -C "$work" --no-same-owner "ecs-bg-$target/ecs-bg" 2>/dev/null ||
        fail "$url holds no ecs-bg-$target/ecs-bg"
    told=$("$work/ecs-bg-$target/ecs-bg" --version 2>/dev/null) || fail "the program of $url does not run on this machine"
    mv "$work/ecs-bg-$target/ecs-bg" "$program"
    echo "$told for $target, SHA-256 $found" >&2
fi

# The PATH of the later steps: a file in GitHub Actions, and another one in CircleCI.
if [ -n "${GITHUB_PATH-}" ]; then
    echo "$directory" >>"$GITHUB_PATH"
elif [ -n "${BASH_ENV-}" ]; then
    # shellcheck disable=SC2016 # expanded where the file is read
    printf 'export PATH=%q:$PATH\n' "$directory" >>"$BASH_ENV"
fi
echo "$program"
