#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# `chartseal demo --doctor-card virtual-piv`. Run by with_readers.sh.
#
# usage: with_readers.sh demo.sh CHARTSEAL VIRTUAL-PIV SUITE
set -euo pipefail
chartseal=${1:?}
virtual_piv=${2:?}
suite=${3:?}
data=$(cd "$(dirname "$0")/../data" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -e /usr/lib/softhsm/libsofthsm2.so ] || {
    echo "skipped: no SoftHSM for the others; install the package softhsm2" >&2
    exit 77
}
[ "$suite" = ed25519 ] || command -v swtpm >/dev/null || {
    echo "skipped: no swtpm for the cloud; install the packages swtpm and libtss2-tcti-swtpm0" >&2
    exit 77
}
echo leak:opensc-pkcs11 >"$work/lsan" # of its own: what a module leaks is not ours
echo leak:libsofthsm2 >>"$work/lsan"
export LSAN_OPTIONS="suppressions=$work/lsan:print_suppressions=0"

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# refused TEXT OPTION...
refused() {
    local text=$1
    shift
    if "$chartseal" demo --record "$data/patient.json" --suite "$suite" "$@" >/dev/null 2>"$work/err"; then
        fail "demo $* is not refused"
    fi
    grep -q -e "$text" "$work/err" || fail "demo $*: $(cat "$work/err")"
}

refused "virtual-piv, nothing else" --doctor-card real
refused "CHARTSEAL_VIRTUAL_PIV" --doctor-card virtual-piv
refused "CHARTSEAL_VIRTUAL_PIV" --doctor-card virtual-piv --card-program "$work/none"
CHARTSEAL_OPENSC_MODULE=$work/none refused "CHARTSEAL_OPENSC_MODULE" --doctor-card virtual-piv \
    --card-program "$virtual_piv"

"$chartseal" demo --record "$data/patient.json" --signal "$data/ecg-360hz-u16le.bin" --suite "$suite" \
    --doctor-card virtual-piv --card-program "$virtual_piv" --state "$work/state" --json >"$work/demo.json"
[ "$(jq -r .suite "$work/demo.json")" = "$suite" ] || fail "another suite"
keys=$(jq -r '[.keys[] | select(.party == "doctor") |
    "\(.slot // "none") \(.use) \(.custody)"] | join(",")' "$work/demo.json")
wanted="9C sign token,9D agree token,82 scalar_mul token"
[ "$suite" = p256 ] || wanted="9C sign token,9D agree token,none scalar_mul sealed"
[ "$keys" = "$wanted" ] || fail "keys of the doctor: $keys"
ops=$(jq -r '.token_ops.doctor | "\(.sign) \(.agree) \(.scalar_mul)"' "$work/demo.json")
# two scalar_mul, each with one agree more while S_D is sealed
wanted="4 3 2"
[ "$suite" = p256 ] || wanted="4 5 2"
[ "$ops" = "$wanted" ] || fail "operations of the doctor: $ops"
if pgrep -f "$work/state/tokens/card" >/dev/null; then fail "the card is still there"; fi
echo "ok: $suite: $keys; $ops"

"$chartseal" demo --record "$data/patient.json" --suite "$suite" --doctor-card virtual-piv \
    --card-program "$virtual_piv" >"$work/told"
grep -q "a blank card gets PIN, PUK and management key" "$work/told" || fail "the desk is not told of"
delivered=imported
[ "$suite" = p256 ] || delivered=sealed
grep -q "S_X of the doctor: $delivered" "$work/told" || fail "S_D is not told of"

# pcscd without a reader for it: told, and no hang
if [ "$suite" = ed25519 ]; then
    kill "$READERS_PID"
    sleep 1
    refused "pcscd has to run" --doctor-card virtual-piv --card-program "$virtual_piv"
fi
