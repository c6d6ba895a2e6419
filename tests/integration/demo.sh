#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The demo from end to end: what arrives, what it costs, where the keys are, and that nothing
# readable is on the wire or in a server's files.
set -euo pipefail
# shellcheck source=tests/integration/world.sh
. "$(dirname "$0")/world.sh"
# shellcheck source=tests/integration/demos.sh
. "$(dirname "$0")/demos.sh"

wire=$work/wire.jsonl

"$chartseal" demo --record "$record" --signal "$signal" --diagnosis "$diagnosis" \
    --state "$state" --wire-log "$wire" --json >"$out"

equal "suite" ed25519 "$(field .suite)"
everything_arrived
# What a visit costs, exactly.
visit_costs 1
equal "filing in the same session costs the doctor nothing" 0 \
    "$(field '[.filing_ops.doctor[]] | add')"

keys_are_kept
equal "keys that are not in a token" 0 "$(field '[.keys[] | select(.custody != "token")] | length')"
equal "how keys came to their tokens" "generated 12, lifted 3" \
    "$(field '[.keys | group_by(.delivery)[] | "\(.[0].delivery) \(length)"] | join(", ")')"
equal "the lifted ones" "S_X of doctor hospital patient" \
    "S_X of $(field '[.keys[] | select(.delivery == "lifted") | .party] | sort | join(" ")')"
equal "keys that were not made in their token" "doctor-scalar hospital-scalar patient-scalar" \
    "$(field '[.keys[] | select(.local | not) | .name] | sort | join(" ")')"

# The same by OpenSC's tool, which knows nothing of Chartseal: what the tokens themselves say.
export SOFTHSM2_CONF=$state/tokens/softhsm2.conf
module=$(jq -r '.token | sub(".*module-path="; "")' "$state/cloud/config.json")
keys_in() { # PARTY: a line for each private or secret key: what kind, and its "Access"
    pkcs11-tool --module "$module" --token-label "demo-$1" --login --pin "$(cat "$state/$1/pin")" \
        --list-objects 2>/dev/null |
        awk '/^[^ ]/ { kind = /^(Private|Secret) Key/ ? $1 : "" }
            kind && /Access:/ { sub(/.*Access: */, ""); print kind ": " $0 }'
}
for party in authority cloud hospital doctor patient; do
    keys_in "$party"
done >"$work/keys"
equal "keys that pkcs11-tool sees" 15 "$(wc -l <"$work/keys")"
equal "of these sensitive" 15 "$(grep -cw sensitive "$work/keys")"
equal "of these made in the token" 12 "$(grep -cw 'never extractable, local' "$work/keys")"
equal "of these extractable" "" "$(sed 's/never extractable//' "$work/keys" | grep -w extractable)"
# It does tell of a key that is: an audit that saw none of them would be no audit.
pkcs11-tool --module "$module" --token-label demo-patient --login --pin "$(cat "$state/patient/pin")" \
    --keypairgen --key-type EC:prime256v1 --label leaky --extractable >/dev/null 2>&1
equal "an extractable one is seen" 1 \
    "$(keys_in patient | sed 's/never extractable//' | grep -cw extractable)"
refused 7 "can leave token" token audit --dir "$state/patient"

# The wire: everything is there that the summary counts, and nothing readable in it.
equal "messages in the log" "$(wc -l <"$wire")" "$(field .wire.messages)"
equal "bytes in the log" "$(jq -s 'map(.hex | length / 2) | add' "$wire")" "$(field .wire.bytes)"
equal "what a line of the log has" "from hex to type" \
    "$(jq -rs 'map(keys_unsorted[]) | unique | join(" ")' "$wire")"
# Once for the record that was imported, and once for the diagnosis that was filed.
equal "publications in the log" "2 2" \
    "$(jq -rs '[map(select(.type == ("P1", "P2"))) | group_by(.type)[] | length] | join(" ")' "$wire")"
for type in R1 R2 M0 M1 M2 M3 M4 S1 S2 S3 S4 S5 S6 F1 F2 P1 P2; do
    equal "$type is in the log" true "$(jq -s "any(.type == \"$type\")" "$wire")"
done
patient_id=$(jq -r .id "$state/patient/config.json")
doctor_id=$(jq -r .id "$state/doctor/config.json")
piece() { # of a file, from its middle
    dd if="$1" bs=1 skip="$2" count=24 status=none
}
words=("$patient_id" "$doctor_id" hospital-north general-medicine "Demo Doctor" resourceType
    "$(piece "$diagnosis" 0)" Lindqvist)
jq -r .hex "$wire" | tr -d '\n' >"$work/wire.hex"
for word in "${words[@]}"; do
    if grep -q -F -e "$(printf '%s' "$word" | od -An -tx1 | tr -d ' \n')" "$work/wire.hex"; then
        fail "'$word' is readable on the wire"
    fi
done
# Of the servers' files each may name its owner alone.
for word in "$patient_id" "$doctor_id" general-medicine "Demo Doctor" resourceType \
    "$(piece "$diagnosis" 0)" Lindqvist; do
    for file in $(grep -rlaF -e "$word" "$state/cloud" "$state/hospital" "$state/log" || true); do
        fail "'$word' is readable in $file"
    done
done
# B' of the patient: in the credential, before the two public keys.
binding=$(python3 - "$state/patient/credential.cbor" <<'PYTHON'
import re, sys
print(re.search(rb"\x58\x20(.{32})\x58\x21", open(sys.argv[1], "rb").read(), re.S)[1].hex())
PYTHON
)
equal "bytes of B'" 64 "${#binding}"
if grep -q "$binding" "$work/wire.hex"; then
    fail "B' is readable on the wire"
fi
found=$(python3 - "$binding" "$state/cloud" "$state/hospital" "$state/log" "$state/patient" <<'PYTHON'
import os, sys
needle = bytes.fromhex(sys.argv[1])
for top in sys.argv[2:]:
    for place, _, names in os.walk(top):
        for path in (os.path.join(place, name) for name in names):
            if needle in open(path, "rb").read():
                print(os.path.relpath(path, os.path.dirname(top)))
PYTHON
)
equal "files with B' (the patient's alone)" "patient/credential.cbor" "$found"
for file in $(grep -rla -e 'PRIVATE KEY' "$state" || true); do
    fail "key material in $file"
done
equal "sealed scalars" "" "$(find "$state" -name scalar.sealed)"
open=$(find "$state" -type f -perm /077 ! -name '*.pem' ! -name port -printf '%P ')
equal "files that others can read" "" "$open"

# Without --state nothing stays; and for people it is told step by step.
mkdir "$work/tmp"
TMPDIR=$work/tmp "$chartseal" demo --record "$record" >"$work/told"
equal "what stays" "" "$(ls -A "$work/tmp")"
equal "it is told" 1 "$(grep -c '^ *14  doctor, patient: consultation' "$work/told")"
# Each step tells what it took of the tokens, and the end claims what the audit has seen, no more.
awk '/^ *[0-9]+  / { if (step && !told) print step; step = $0; told = 0 }
    /^    (token|S_X) of / { told = 1 } END { if (!told) print step }' "$work/told" >"$work/untold"
equal "steps that tell no token operation" "" "$(cat "$work/untold")"
equal "what is claimed at the end" "1 1" "$(grep -c '^The cloud.s s and every PRK were made in' \
    "$work/told") $(grep -c '^3 S_X lifted: .* in the memory of its party' "$work/told")"

# Stopped in the middle, nothing stays either, and nobody is left.
TMPDIR=$work/tmp setsid "$chartseal" demo --record "$record" >"$work/told" 2>"$work/stopped" &
demo_pid=$!
for _ in $(seq 300); do
    grep -q 'public cloud' "$work/told" && break
    sleep 0.1
done
kill -TERM "$demo_pid"
status=0
wait "$demo_pid" || status=$?
equal "exit status of a stopped demo" 10 "$status"
equal "what stays of a stopped demo" "" "$(ls -A "$work/tmp")"
# A child that was just beginning ends by its parent's end, a moment later.
for _ in $(seq 50); do
    pgrep -s "$demo_pid" >/dev/null || break
    sleep 0.1
done
equal "who is left" "" "$(pgrep -s "$demo_pid" || true)"

# An empty signal is none; and what cannot work is said before anything is made.
: >"$work/empty"
head -c 1048577 /dev/zero >"$work/long"
mkdir "$work/directory"
TMPDIR=$work/tmp "$chartseal" demo --record "$record" --signal "$work/empty" --json >"$out"
equal "an empty signal" "true null" "$(field '[.ok, .signal] | map(tostring) | join(" ")')"
early() { # STATUS TEXT OPTION...: before anything is made
    local begun=$SECONDS
    export TMPDIR=$work/tmp
    refused "$1" "$2" demo "${@:3}"
    unset TMPDIR
    [ $((SECONDS - begun)) -le 2 ] || fail "demo ${*:3}: refused late"
    equal "what stays of it" "" "$(ls -A "$work/tmp")"
}
early 5 "cannot be read" --record "$work/none"
early 2 "no regular file" --record "$work/directory"
early 5 "signal .* cannot be read" --record "$record" --signal "$work/none"
early 5 "diagnosis .* cannot be read" --record "$record" --diagnosis "$work/none"
early 2 "0 bytes" --record "$record" --diagnosis "$work/empty"
early 2 "1048577 bytes" --record "$record" --diagnosis "$work/long"
early 9 "wire log .* does not open" --record "$record" --wire-log "$work/directory"
early 2 "neither ed25519 nor p256" --record "$record" --suite nonsense
status=0
PATH=/nowhere TMPDIR=$work/tmp "$chartseal" demo --record "$record" --suite p256 2>"$work/absent" ||
    status=$?
equal "exit status without swtpm" 7 "$status"
equal "what is told without swtpm" 1 "$(grep -c 'install the packages swtpm and' "$work/absent")"
equal "what stays of it" "" "$(ls -A "$work/tmp")"
refused 9 "another --state" demo --record "$record" --state "$state"
