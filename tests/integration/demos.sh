# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# shellcheck disable=SC2034,SC2154 # for whoever sources this; and from world.sh, sourced before it
#
# What the tests of the demo share: its input, and what has to be in its answer, $out.

record=$data/patient.json
signal=$data/ecg-360hz-u16le.bin
diagnosis=$data/diagnosis.txt
out=$work/demo.json

field() {
    jq -r "$1" "$out"
}

sha() {
    sha256sum "$1" | cut -d' ' -f1
}

everything_arrived() { # at $state
    equal "ok" true "$(field .ok)"
    equal "the record that was sent" "$(sha "$record")" "$(field .record.sent_sha256)"
    equal "the record that arrived" "$(sha "$record")" "$(field .record.received_sha256)"
    equal "the record's file" "$(sha "$record")" "$(sha "$(field .record.received_path)")"
    equal "the signal" "$(sha "$signal") $(sha "$signal")" \
        "$(field '.signal | .sent_sha256 + " " + .received_sha256')"
    equal "the diagnosis" "$(sha "$diagnosis") $(sha "$diagnosis")" \
        "$(field '.diagnosis | .sent_sha256 + " " + .received_sha256')"
    equal "the diagnosis's file" "$(sha "$diagnosis")" "$(sha "$state/patient/diagnosis")"
}

ops() { # PARTY
    field ".token_ops.$1 | [.sign, .agree, .scalar_mul, .issue, .prf] | map(tostring) | join(\" \")"
}

visit_costs() { # AGREEMENTS-OF-THE-PATIENT: exactly that, with whatever kind of token
    equal "operations of the patient" "2 $1 1 0 0" "$(ops patient)"
    equal "operations of the doctor" "4 3 2 0 0" "$(ops doctor)"
    equal "operations of the hospital" "1 1 1 0 2" "$(ops hospital)"
    equal "operations of the cloud" "1 1 0 0 1" "$(ops cloud)"
}

keys_are_kept() {
    equal "keys of every party" \
        "authority 1, cloud 4, doctor 3, hospital 4, patient 3" \
        "$(field '[.keys | group_by(.party)[] | "\(.[0].party) \(length)"] | join(", ")')"
    equal "keys that are exposed" 0 \
        "$(field '[.keys[] | select(.sensitive != true or .extractable != false)] | length')"
}
