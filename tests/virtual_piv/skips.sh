#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# with_readers.sh where something is missing: its tests are skipped (77) with the reason, neither
# passed nor failed. Where nothing is, they run.
# usage: skips.sh WITH_READERS
set -euo pipefail
with_readers=${1:?path of with_readers.sh}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# programs NAME...: a directory of links to all that there are, but those
programs() {
    local place
    rm -rf "${work:?}/bin"
    mkdir "$work/bin"
    for place in /usr/bin /usr/sbin /bin /sbin /usr/local/bin; do
        ln -s "$place"/* "$work/bin" 2>/dev/null || true # what is there already
    done
    for place; do rm -f "$work/bin/$place"; done
}

# skipped REASON [NAME=VALUE...]: ends with 77, says so in one line, and has not run the command
skipped() {
    local reason=$1 status=0
    shift
    rm -f "$work/ran"
    env "$@" "$with_readers" touch "$work/ran" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" -eq 77 ] || fail "$reason: status $status: $(cat "$work/err")"
    grep -q "^skipped: $reason" "$work/err" || fail "no '$reason' in: $(cat "$work/err")"
    [ "$(wc -l <"$work/err")" -eq 1 ] || fail "more than the reason: $(cat "$work/err")"
    [ ! -e "$work/ran" ] || fail "$reason: the command was run all the same"
    echo "ok: $(cat "$work/err")"
}

# The rest is only reached where nothing else is missing.
rm -f "$work/ran"
status=0
"$with_readers" touch "$work/ran" 2>"$work/err" || status=$?
if [ "$status" -eq 77 ]; then
    cat "$work/err" >&2
    exit 77
fi
[ "$status" -eq 0 ] || fail "with all that there is: status $status: $(cat "$work/err")"
[ -e "$work/ran" ] || fail "the command was not run"
echo "ok: nothing is missing: the command is run"

programs pcscd
skipped "no pcscd; install the package pcscd" READERS_PATH="$work/bin"
programs ip
skipped "no ip; install the package iproute2" READERS_PATH="$work/bin"
programs
skipped "no vpcd; install the package vsmartcard-vpcd" READERS_DRIVER="$work/nothing.so"
skipped "no opensc-pkcs11.so; install the package opensc-pkcs11" READERS_MODULES="$work/*/nothing.so"
# a kernel, or a container, that gives no namespaces
rm "$work/bin/unshare"
printf '#!/bin/sh\necho "unshare: unshare failed: Operation not permitted" >&2\nexit 1\n' >"$work/bin/unshare"
chmod +x "$work/bin/unshare"
skipped "no namespaces of one's own here" READERS_PATH="$work/bin"
