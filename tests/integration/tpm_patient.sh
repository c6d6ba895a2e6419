#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A patient's keys in a TPM, whose authorisation value comes from the biometric password: from init
# to a visit, and that a wrong one never reaches the TPM.
# usage: tpm_patient.sh CHARTSEAL
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" tpm-patient
# shellcheck source=tests/integration/tpms.sh
. "$(dirname "$0")/tpms.sh"

untouched() { # NAME: no try of its TPM was used up
    [ "$(tpm_tries "$1")" = 0 ] || fail "the TPM of $1 counts $(tpm_tries "$1") wrong tries"
}

try_init() { # NAME OPTION...
    init=(patient init --dir "$work/$1" --id "$1" --token "$(uri "$1")"
        --cloud-file "$work/cloud/cloud.cbor" --authority "$work/board/certificate.pem"
        --crl "$work/board/crl.pem" "${@:2}")
}

try_register() { # NAME OPTION...
    register=(patient register --dir "$work/$1" --cloud-url "$cloud_url"
        --code-file "$work/$1.code" "${@:2}")
}

try_visit() { # NAME OPTION...: of a visit that is refused before a station is asked
    meet=(patient visit --dir "$work/$1" --station 127.0.0.1:1 --doctor D-1
        --diagnosis-out "$work/none" "${@:2}")
}

say "founding"
make_world
make_cloud ed25519
start cloud
make_doctor doctor D-1
eyes "$work"
echo 'correct horse' >"$work/phrase"
echo 'battery staple' >"$work/wrong"
for name in P-eye P-phrase; do
    make_tpm "$name"
    enrol patient "$name"
done

say "an eye at init, in place of a PIN"
try_init P-eye --template "$work/iris" --pin-file "$work/pin"
refused 2 "takes the place of the PIN" "${init[@]}"
[ ! -e "$work/P-eye/config.json" ] || fail "a refused init left something"
try_init P-eye --template "$work/iris"
cs "${init[@]}" >/dev/null
[ "$(jq -c .pin "$work/P-eye/config.json")" = '{"from":"biometric"}' ] || fail "config.json"
grep -q 'TSS2 PRIVATE KEY' "$work/P-eye.keys/patient-sign.pem" || fail "no key file"

say "an init that is repeated takes the keys under the same eye only"
rm "$work/P-eye/config.json"
try_init P-eye --template "$work/stranger"
refused 9 "another eye" "${init[@]}"
mkdir "$work/aside"
mv "$work"/P-eye/{biometric.bin,device.key} "$work/aside"
try_init P-eye --template "$work/iris"
refused 9 "another enrolment or a PIN" "${init[@]}"
mv "$work"/aside/* "$work/P-eye"
try_init P-eye --template "$work/scan"
cs "${init[@]}" >/dev/null
untouched P-eye

say "registration with that eye and no other"
try_register P-eye --template "$work/stranger"
refused 6 "scan again" "${register[@]}"
try_register P-eye --passphrase-file "$work/phrase"
refused 2 "a template was enrolled" "${register[@]}"
untouched P-eye
try_register P-eye --template "$work/scan"
cs "${register[@]}" --json >"$work/registered.json"
[ "$(jq -r .delivery "$work/registered.json")" = sealed ] || fail "S_P: $(cat "$work/registered.json")"
untouched P-eye

say "a visit with that eye and no other"
try_visit P-eye
refused 2 "template FILE" "${meet[@]}"
try_visit P-eye --template "$work/stranger"
refused 6 "scan again" "${meet[@]}"
untouched P-eye
patient_options=(--template "$work/iris")
visit doctor P-eye cardiology
cmp "$data/diagnosis.txt" "$work/visit.diagnosis"
cmp "$data/ecg-360hz-u16le.bin" "$work/visit.signal"
untouched P-eye

say "the audit of the keys wants no eye"
cs token audit --dir "$work/P-eye" --json >"$work/audit.json"
[ "$(jq -r '[.keys[] | .custody + " " + .use] | sort | join(", ")' "$work/audit.json")" = \
    "sealed scalar_mul, token agree, token sign" ] || fail "audit: $(cat "$work/audit.json")"
[ "$(jq '[.keys[] | select(.extractable)] | length' "$work/audit.json")" = 0 ] || fail "extractable"

say "a passphrase"
try_init P-phrase --passphrase-file "$work/phrase"
cs "${init[@]}" >/dev/null
try_register P-phrase --passphrase-file "$work/wrong"
refused 6 "type it again" "${register[@]}"
try_register P-phrase --passphrase-file "$work/phrase"
cs "${register[@]}" >/dev/null
try_visit P-phrase --passphrase-file "$work/wrong"
refused 6 "type it again" "${meet[@]}"
patient_options=(--passphrase-file "$work/phrase")
visit doctor P-phrase cardiology
cmp "$data/diagnosis.txt" "$work/visit.diagnosis"
untouched P-phrase

say "the keys take that authorisation value and no other"
mv "$work/P-eye/biometric.bin" "$work/P-eye/device.key" "$work/aside"
jq '.pin = {"file": $pin}' --arg pin "$work/pin" "$work/P-eye/config.json" >"$work/config.json"
mv "$work/config.json" "$work/P-eye/config.json"
patient_options=()
patience=5
if visit doctor P-eye cardiology; then fail "a PIN served"; fi
grep -q 'refused the PIN' "$work/visit-patient.json" || fail "$(cat "$work/visit-patient.json")"
[ "$(tpm_tries P-eye)" = 1 ] || fail "a wrong value was sent $(tpm_tries P-eye) times"
stop cloud
say "done"
