#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The demo of telecare: what arrives, what each procedure costs, where the keys are, and that nothing
# readable is on the wire or at the telecare cloud; in both suites, and with the patient in a TPM.
# usage: demo_telecare.sh CHARTSEAL
set -euo pipefail
# shellcheck source=tests/integration/world.sh
. "$(dirname "$0")/world.sh"
# shellcheck source=tests/integration/demos.sh
. "$(dirname "$0")/demos.sh"

wire=$work/wire.jsonl

run() { # OPTION...
    rm -rf "$state" "$wire"
    "$chartseal" demo telecare --report "$record" --signal "$signal" --diagnosis "$diagnosis" \
        --state "$state" --wire-log "$wire" --json "$@" >"$out"
    equal "ok" true "$(field .ok)"
    equal "procedures" "HUP true, PUP true, TP true, CP true" \
        "$(field '[.procedures[] | "\(.name) \(.ok)"] | join(", ")')"
    arrived m_H "$record" "copy doctor patient"
    arrived m_B "$signal" "copy doctor patient"
    arrived m_D "$diagnosis" "copy patient"
    costs
    equal "keys of every party" \
        "authority 1, cloud 4, doctor 3, hospital 4, patient 3, telecare 4" \
        "$(field '[.keys | group_by(.party)[] | "\(.[0].party) \(length)"] | join(", ")')"
    equal "keys that are exposed" 0 \
        "$(field '[.keys[] | select(.sensitive != true or .extractable != false)] | length')"
    equal "messages in the log" "$(wc -l <"$wire")" "$(field .wire.messages)"
    equal "bytes in the log" "$(jq -s 'map(.hex | length / 2) | add' "$wire")" "$(field .wire.bytes)"
    nothing_readable
}

arrived() { # NAME FILE READERS
    equal "$1 as it was sent" "$(sha "$2")" "$(field ".$1.sent_sha256")"
    equal "$1, by whom it was read" "$3" "$(field ".$1.received_sha256 | keys | join(\" \")")"
    equal "$1 as everybody received it" "$(sha "$2")" \
        "$(field ".$1.received_sha256 | [.[]] | unique | join(\" \")")"
}

cost() { # PROCEDURE PARTY: sign agree scalar_mul issue
    field ".procedures[] | select(.name == \"$1\") | .token_ops.$2 |
        [.sign, .agree, .scalar_mul, .issue] | map(tostring) | join(\" \")"
}

# Exactly that, with whatever kind of token.
costs() {
    equal "HUP: SigH, and the session's" "2 1 1 0" "$(cost HUP hospital)"
    equal "PUP: SigP, and one record read" "1 1 0 0" "$(cost PUP patient)"
    equal "TP: SigD, two records read, and the session's" "2 3 1 0" "$(cost TP doctor)"
    equal "CP: three records read" "0 3 0 0" "$(cost CP patient)"
    equal "a session by name, at the cloud" "1 1 1 0, 1 1 1 0" \
        "$(cost HUP telecare_cloud), $(cost TP telecare_cloud)"
    equal "a session of nobody, at the cloud" "0 1 1 0, 0 1 1 0" \
        "$(cost PUP telecare_cloud), $(cost CP telecare_cloud)"
    equal "the session's own" "1 1 1, 0 0 0, 1 1 1, 0 0 0" "$(field '[.procedures[].session_ops |
        "\(.sign) \(.agree) \(.scalar_mul)"] | join(", ")')"
}

nothing_readable() {
    local word
    jq -r .hex "$wire" | tr -d '\n' >"$work/wire.hex"
    for word in "$(jq -r .id "$state/patient/config.json")" "$(jq -r .id "$state/doctor/config.json")" \
        hospital-north resourceType Lindqvist "$(head -c 24 "$diagnosis")"; do
        if grep -q -F -e "$(printf '%s' "$word" | od -An -tx1 | tr -d ' \n')" "$work/wire.hex"; then
            fail "'$word' is readable on the wire"
        fi
        for file in $(grep -rlaF -e "$word" "$state/telecare" "$state/log" || true); do
            fail "'$word' is readable in $file"
        done
    done
}

run
equal "suite" ed25519 "$(field .suite)"
equal "S_X" "doctor lifted, hospital lifted, patient lifted, telecare lifted" \
    "$(field '[.keys[] | select(.use == "scalar_mul") | "\(.party) \(.delivery)"] | sort | join(", ")')"
open=$(find "$state" -type f -perm /077 ! -name '*.pem' ! -name port -printf '%P ')
equal "files that others can read" "" "$open"

# For people, and nothing stays; without a signal there is one of the demo's own.
mkdir "$work/tmp"
TMPDIR=$work/tmp "$chartseal" demo telecare --report "$record" >"$work/told"
equal "what stays" "" "$(ls -A "$work/tmp")"
equal "each procedure is told" "HUP PUP TP CP" \
    "$(grep -oE '\((HUP|PUP|TP|CP)\)$' "$work/told" | tr -d '()' | paste -sd ' ')"
refused 5 "report .* cannot be read" demo telecare --report "$work/none"
refused 2 "report" demo telecare

if ! command -v swtpm >/dev/null; then
    echo "left out: TPMs, for swtpm is not installed"
    exit 0
fi
run --suite p256
equal "suite" p256 "$(field .suite)"
equal "the patient's keys" "agree tpm2, scalar_mul tpm2, sign tpm2" \
    "$(field '[.keys[] | select(.party == "patient") | .use + " " + (.uri | split(":")[0])] | sort |
        join(", ")')"
run --patient-tpm
equal "suite" ed25519 "$(field .suite)"
equal "S_P" sealed "$(field '.keys[] | select(.party == "patient" and .use == "scalar_mul") | .delivery')"
