#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A large record goes through in constant memory: 256 MiB, with each process's peak below 96 MiB; a
# quarter of that through telecare.
# usage: large.sh PATH-OF-CHARTSEAL [MiB]
# SANITIZE=ON leaves the memory out, since sanitizers have their own: tests/run.sh has it measured on
# the release build, with 1 GiB.
set -euo pipefail
# shellcheck source=tests/integration/world.sh
. "$(dirname "$0")/world.sh"

size=${2:-256}
limit_kib=$((96 * 1024))
record=$work/large

# Not compressible, the same each time, and quick to make.
openssl enc -aes-128-ctr -nosalt -K 00112233445566778899aabbccddeeff \
    -iv 00000000000000000000000000000000 -in /dev/zero 2>/dev/null |
    head -c "${size}M" >"$record" || true
equal "the size of the record" "$((size * 1048576))" "$(stat -c %s "$record")"

# run DEMO-ARGUMENT...: the answer is $work/out.json, and ${peak[…]} what each command took.
#
# The peak is read while a process lives; the last look before its end counts. Stretching of the
# passphrase (in `patient register`) takes 128 MiB by its purpose and carries no record.
run() {
    local demo_pid pid name kib
    peak=()
    TMPDIR=$work "$chartseal" demo "$@" --json >"$work/out.json" &
    demo_pid=$!
    while kill -0 "$demo_pid" 2>/dev/null; do
        for pid in $(pgrep -P "$demo_pid" || true) "$demo_pid"; do
            name=$({ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | sed 's/ --.*//' | cut -d' ' -f2- || true)
            kib=$(awk '/VmHWM/ {print $2}' "/proc/$pid/status" 2>/dev/null || true)
            if [ -n "$kib" ] && [ -n "$name" ]; then
                peak[$name]=$kib
            fi
        done
        sleep 0.05
    done
    ends "$demo_pid" "the demo" 0
}
declare -A peak

within_limit() { # COMMAND...
    local name kib
    for name in "$@"; do
        kib=${peak[$name]:-}
        if [ -z "$kib" ]; then
            fail "$name was not seen"
        elif [ "${SANITIZE:-OFF}" != ON ] && [ "$kib" -ge "$limit_kib" ]; then
            fail "$name took $kib KiB"
        else
            echo "ok: $name took at most $kib KiB"
        fi
    done
}

run --record "$record"
equal "what arrived" "$(sha256sum "$record" | cut -d' ' -f1)" \
    "$(jq -r .record.received_sha256 "$work/out.json")"
within_limit "cloud serve" "hospital serve" "hospital import" "doctor visit" "patient visit"

# A quarter of it through telecare, where each byte goes up and down twice.
truncate -s "$((size / 4))M" "$record"
run telecare --report "$record" --signal "$record"
equal "what arrived, of telecare" "$(sha256sum "$record" | cut -d' ' -f1)" \
    "$(jq -r '[.m_H, .m_B] | map(.received_sha256[]) | unique | join(" ")' "$work/out.json")"
within_limit "cloud telecare serve" "hospital telecare upload" "patient telecare upload" \
    "doctor telecare treat" "patient telecare read"
