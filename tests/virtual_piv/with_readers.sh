#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A command with smartcard readers of its own: two of vpcd (ports 35963 and 35964) under a pcscd that
# nothing else can reach, in namespaces that end with the command. p11-kit has OpenSC's module alone.
# Exit status: the command's; 77 (skipped), with the reason, where something is missing.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: with_readers.sh COMMAND [ARGUMENT...]

Gives the command: OPENSC_CONF; OPENSC_MODULE, the path of opensc-pkcs11.so; READERS_LOG, what pcscd
had to say; READERS_PID, its process.

Takes, for what is elsewhere: READERS_DRIVER, vpcd's; READERS_PATH, where programs are looked for;
READERS_MODULES, where opensc-pkcs11.so may be.
TEXT
}

driver=${READERS_DRIVER:-/usr/lib/pcsc/drivers/serial/libifdvpcd.so}
modules=${READERS_MODULES:-/usr/lib/*/opensc-pkcs11.so /usr/lib/opensc-pkcs11.so
    /usr/lib64/opensc-pkcs11.so /usr/local/lib/opensc-pkcs11.so}
inside=CS_INSIDE_READERS

skip() {
    echo "skipped: $*" >&2
    exit 77
}

find_module() {
    local path
    for path in $modules; do
        if [ -e "$path" ]; then
            echo "$path"
            return
        fi
    done
}

# unshare_as OPTION... -- COMMAND...
namespaces=(--mount --net --pid --fork --kill-child --mount-proc)
enter() {
    local as
    for as in "" "--user --map-root-user"; do
        # shellcheck disable=SC2086 # no word, or two
        if unshare $as "${namespaces[@]}" true 2>/dev/null; then
            # shellcheck disable=SC2086
            exec env "$inside=yes" unshare $as "${namespaces[@]}" "$0" "$@"
        fi
    done
    skip "no namespaces of one's own here (unshare --mount --net --pid, with or without --user)"
}

look_for_parts() {
    PATH=${READERS_PATH:-$PATH:/usr/sbin:/sbin}
    command -v pcscd >/dev/null || skip "no pcscd; install the package pcscd"
    [ -e "$driver" ] || skip "no vpcd; install the package vsmartcard-vpcd"
    command -v ip >/dev/null || skip "no ip; install the package iproute2"
    OPENSC_MODULE=$(find_module)
    [ -n "$OPENSC_MODULE" ] || skip "no opensc-pkcs11.so; install the package opensc-pkcs11"
    export PATH OPENSC_MODULE
}

# Both /run/pcscd and the port of vpcd are compiled in: hence a /run and a network of our own.
make_places() {
    work=$(mktemp -d)
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir /run/pcscd
    ip link set lo up
    mkdir "$work/readers" "$work/modules"
    cat >"$work/readers/vpcd" <<TEXT
FRIENDLYNAME "Virtual PCD"
DEVICENAME   /dev/null:0x8C7B
LIBPATH      $driver
CHANNELID    0x8C7B
TEXT
    echo "module: $OPENSC_MODULE" >"$work/modules/opensc-pkcs11.module"
    if [ -d /usr/share/p11-kit/modules ]; then
        mount --bind "$work/modules" /usr/share/p11-kit/modules
    fi
    # no cache of a card that may be another now; a key of 9C that wants its PIN, wants it
    cat >"$work/opensc.conf" <<'TEXT'
app default {
    framework pkcs15 {
        use_file_caching = no;
        pin_cache_ignore_user_consent = false;
    }
}
TEXT
    export OPENSC_CONF=$work/opensc.conf XDG_CACHE_HOME=$work/cache READERS_LOG=$work/pcscd.log
}

start_pcscd() {
    pcscd --foreground --config "$work/readers" >"$READERS_LOG" 2>&1 &
    pcscd_pid=$!
    export READERS_PID=$pcscd_pid
    for _ in $(seq 100); do
        [ -S /run/pcscd/pcscd.comm ] && return
        kill -0 "$pcscd_pid" 2>/dev/null || break
        sleep 0.05
    done
    cat "$READERS_LOG" >&2
    echo "with_readers.sh: pcscd does not start" >&2
    exit 1
}

if [ $# -eq 0 ] || [ "$1" = --help ]; then
    usage
    exit 2
fi
look_for_parts
if [ -z "${!inside:-}" ]; then
    enter "$@"
fi
make_places
start_pcscd
status=0
env -u "$inside" "$@" </dev/null || status=$?
kill "$pcscd_pid" 2>/dev/null || true
wait "$pcscd_pid" 2>/dev/null || true
rm -rf "$work"
exit "$status"
