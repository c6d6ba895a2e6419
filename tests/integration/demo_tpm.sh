#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The demo with TPMs: the cloud's s and the patient's keys in one each (suite p256), and the
# patient's alone (ed25519). What arrives and what it costs is as with software tokens.
# usage: demo_tpm.sh CHARTSEAL
set -euo pipefail
if ! command -v swtpm >/dev/null; then
    echo "skipped: swtpm is not installed (Debian: swtpm, libtss2-tcti-swtpm0)"
    exit 77
fi
# shellcheck source=tests/integration/world.sh
. "$(dirname "$0")/world.sh"
# shellcheck source=tests/integration/demos.sh
. "$(dirname "$0")/demos.sh"

simulators() { # that are left of $state
    pgrep -f "swtpm socket.*$work" || true
}

run() { # OPTION...
    rm -rf "$state"
    "$chartseal" demo --record "$record" --signal "$signal" --diagnosis "$diagnosis" \
        --state "$state" --json "$@" >"$out"
    everything_arrived
    keys_are_kept
    equal "simulators that are left" "" "$(simulators)"
}

places() { # PARTY: where its keys are, by use
    field "[.keys[] | select(.party == \"$1\") | .use + \" \" + .custody + \" \" +
        (.uri | split(\":\")[0])] | sort | join(\", \")"
}

scalars() {
    field '[.keys[] | select(.use == "scalar_mul") | .party + " " + .custody + " " + .delivery] |
        sort | join(", ")'
}

run --suite p256
equal "suite" p256 "$(field .suite)"
visit_costs 1
equal "issuances, one for each registration" 3 "$(field .registration_ops.cloud.issue)"
equal "filing in the same session costs the doctor nothing" 0 \
    "$(field '[.filing_ops.doctor[]] | add')"
equal "the cloud's keys" "agree token tpm2, issue token tpm2, prf token tpm2, sign token tpm2" \
    "$(places cloud)"
equal "the patient's keys" "agree token tpm2, scalar_mul token tpm2, sign token tpm2" \
    "$(places patient)"
equal "the doctor's keys" "agree token pkcs11, scalar_mul token pkcs11, sign token pkcs11" \
    "$(places doctor)"
equal "S_X" "doctor token wrapped, hospital token wrapped, patient token duplicated" "$(scalars)"
equal "s and every PRK" 12 \
    "$(field '[.keys[] | select(.delivery == "generated" and .never_extractable)] | length')"
equal "the patient's PIN" '{"from":"biometric"}' "$(jq -c .pin "$state/patient/config.json")"
equal "the state of the TPMs" "700 700" \
    "$(stat -c %a "$state"/tokens/tpm-cloud "$state"/tokens/tpm-patient | paste -sd ' ')"
open=$(find "$state" -type f -perm /077 ! -name '*.pem' ! -name port -printf '%P ')
equal "files that others can read" "" "$open"
for file in $(grep -rla -e 'PRIVATE KEY' "$state" | grep -v '/keys/[a-z-]*\.pem$' || true); do
    fail "key material in $file"
done
equal "key files, of the TPMs alone" 7 \
    "$(grep -rl -e 'BEGIN TSS2 PRIVATE KEY' "$state"/*/keys | wc -l)"

run --suite ed25519 --patient-tpm
equal "suite" ed25519 "$(field .suite)"
visit_costs 2 # one more agreement opens the sealed S_P
equal "the patient's keys" "agree token tpm2, scalar_mul sealed tpm2, sign token tpm2" \
    "$(places patient)"
equal "the cloud's keys" \
    "agree token pkcs11, issue token pkcs11, prf token pkcs11, sign token pkcs11" "$(places cloud)"
equal "S_X" "doctor token lifted, hospital token lifted, patient sealed sealed" "$(scalars)"

# Told to people, and nothing stays.
mkdir "$work/tmp"
TMPDIR=$work/tmp "$chartseal" demo --record "$record" --suite p256 >"$work/told"
equal "what stays" "" "$(ls -A "$work/tmp")"
equal "what is claimed at the end" "1 1" "$(grep -c '^The cloud.s s and every PRK were made in' \
    "$work/told") $(grep -c '^3 S_X wrapped or duplicated: .* never in the memory' "$work/told")"

# Stopped in the middle, or without its TPM all at once: an error, and nobody is left.
start_demo() { # until the cloud is there
    TMPDIR=$work/tmp "$chartseal" demo --record "$record" --suite p256 >"$work/told" \
        2>"$work/stopped" &
    demo_pid=$!
    for _ in $(seq 300); do
        grep -q 'public cloud' "$work/told" && break
        sleep 0.1
    done
}

nobody_is_left() {
    equal "what stays" "" "$(ls -A "$work/tmp")"
    for _ in $(seq 50); do
        [ -n "$(simulators)" ] || break
        sleep 0.1
    done
    equal "who is left" "" "$(simulators)"
}

start_demo
kill -TERM "$demo_pid"
ends "$demo_pid" "exit status of a stopped demo" 10
nobody_is_left
start_demo
kill -KILL "$(pgrep -f "swtpm socket.*$work.*tpm-patient")"
ends "$demo_pid" "exit status without the patient's TPM" 7
equal "what is told then" 1 "$(grep -c 'the TPM of the patient' "$work/stopped")"
nobody_is_left
start_demo
kill -KILL "$demo_pid"
wait "$demo_pid" 2>/dev/null || true
for _ in $(seq 50); do
    [ -n "$(simulators)" ] || break
    sleep 0.1
done
equal "who is left of a killed demo" "" "$(simulators)"

mkdir "$work/a,b"
refused 2 "comma" demo --record "$record" --suite p256 --state "$work/a,b"
