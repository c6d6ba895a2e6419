#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Whose an identity is: a certificate admits to the one it names alone, and what was revoked or
# another's needs the word of the cloud's operator.
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" identity

make_world
make_cloud ed25519
start cloud
make_doctor doctor D-1
member doctor mallory D-77 --name 'Dr. Mallory'
cs doctor csr --dir "$work/mallory" --out "$work/mallory.csr" >/dev/null
certify "$work/mallory.csr" "$work/mallory.pem"
as_mallory=(doctor register --dir "$work/mallory" --cloud-url "$cloud_url")

say "a certificate for one identity does not admit to another that is free"
cs cloud revoke --dir "$work/cloud" --role doctor --id D-1 >/dev/null
jq '.id = "D-1"' "$work/mallory/config.json" >"$work/config"
cp "$work/config" "$work/mallory/config.json"
refused 4 "serialNumber" "${as_mallory[@]}" --certificate "$work/mallory.pem"
# nor with a client that does not look at it
cp "$work/mallory.pem" "$work/mallory/certificate.pem"
refused 4 "refused (certificate)" "${as_mallory[@]}"

say "the authority gives an identity to one key at a time"
cs doctor csr --dir "$work/mallory" --out "$work/mallory.csr" >/dev/null
refused 4 "revoke that one first" authority issue --dir "$work/board" \
    --request "$work/mallory.csr" --out "$work/mallory.pem"

say "who was revoked does not come back alone"
refused 4 "refused (revoked)" doctor register --dir "$work/doctor"

say "another key for the identity: the authority's word is not enough, the operator's is wanted"
cs authority revoke --dir "$work/board" --certificate "$work/doctor.pem" >/dev/null
certify "$work/mallory.csr" "$work/mallory.pem"
refused 4 "refused (taken)" "${as_mallory[@]}" --certificate "$work/mallory.pem"
enrol doctor D-1
cs "${as_mallory[@]}" --code-file "$work/D-1.code" >/dev/null

say "a patient's used code does not bring a revoked patient back"
make_patient patient P-1
register_patient patient P-1
cs cloud revoke --dir "$work/cloud" --role patient --id P-1 >/dev/null
refused 4 "refused (enrolment)" patient register --dir "$work/patient" \
    --code-file "$work/P-1.code" --passphrase-file "$work/patient.phrase"

say "an identity that a certificate cannot carry"
refused 2 "certificate" doctor init --dir "$work/odd" --id D_1 --name x --token "$(uri doctor)" \
    --pin-file "$work/pin" --cloud-file "$work/cloud/cloud.cbor" \
    --authority "$work/board/certificate.pem"
stop cloud
