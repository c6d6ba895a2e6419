#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The authority's revocation list in every home: without one that is said, a newer one is taken in,
# its dates are shown, and one that is too old is said to be that, also by the other side.
# usage: lists.sh CHARTSEAL
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" lists

make_world
make_cloud ed25519
start cloud
make_hospital hospital hospital.example
start hospital
make_doctor doctor D-1
make_patient patient P-1
import hospital P-1 cardiology "$data/patient.json" >/dev/null
cp "$work/board/crl.pem" "$work/first.pem"
cs authority crl --dir "$work/board" >/dev/null
cp "$work/board/crl.pem" "$work/second.pem"

say "dates in the statuses and the metrics"
for name in cloud hospital; do
    cs "$name" status --dir "$work/$name" --json >"$work/status.json"
    jq -e '.crl.lists == 1 and (.crl.next_update / 1000 - now | . > 6.9 * 86400 and . <= 7 * 86400)' \
        "$work/status.json" >/dev/null || fail "$name: $(cat "$work/status.json")"
    cs "$name" status --dir "$work/$name" | grep 'revocation list of 20.* good until 20' >/dev/null ||
        fail "$name status does not tell the dates"
    sleep 1.5 # until the gauge is set
    [ "$(metric "$name" 'chartseal_crl_next_update_seconds ')" = \
        "$(jq '.crl.next_update / 1000' "$work/status.json")" ] || fail "the gauge of $name"
done
jq -e '.not_after > 0 and .certificate_not_after > 0' "$work/status.json" >/dev/null ||
    fail "the hospital's dates: $(cat "$work/status.json")"
[ "$(metric hospital 'chartseal_credential_not_after_seconds ' | cut -d. -f1)" = \
    "$(jq '.not_after / 1000 | floor' "$work/status.json")" ] || fail "the credential's gauge"

say "a newer list is taken in, an older one and a false one are not"
for party in cloud hospital doctor patient; do
    cs "$party" trust --dir "$work/$party" --crl "$work/second.pem" --json |
        jq -e '.crl.lists == 1' >/dev/null || fail "$party trust"
    cmp "$work/second.pem" "$work/$party/crl.pem"
    refused 4 "newer, so it stays" "$party" trust --dir "$work/$party" --crl "$work/first.pem"
    cmp "$work/second.pem" "$work/$party/crl.pem"
done
make_token other
cs authority init --dir "$work/other" --name 'Test Board' --token "$(uri other)" \
    --pin-file "$work/pin" >/dev/null
refused 4 "not signed by an authority" doctor trust --dir "$work/doctor" --crl "$work/other/crl.pem"
refused 3 "no revocation list" doctor trust --dir "$work/doctor" --crl "$work/board/certificate.pem"
refused 2 "give --crl" doctor trust --dir "$work/doctor"
refused 4 "of other authorities" doctor trust --dir "$work/doctor" \
    --authority "$work/other/certificate.pem"
cmp "$work/board/certificate.pem" "$work/doctor/authorities.pem"
refused 5 "none.pem" doctor trust --dir "$work/doctor" --crl "$work/none.pem"
cmp "$work/second.pem" "$work/doctor/crl.pem"
cat "$work/board/certificate.pem" "$work/other/certificate.pem" >"$work/both.pem"
cs doctor trust --dir "$work/doctor" --authority "$work/both.pem" --crl "$work/other/crl.pem" \
    --json | jq -e '.crl.lists == 2' >/dev/null || fail "a second authority"
cs doctor trust --dir "$work/doctor" --authority "$work/board/certificate.pem" --json |
    jq -e '.crl.lists == 1' >/dev/null || fail "one authority again"
visit doctor patient cardiology

say "a responder's address that could not be used is not kept"
before=$(sha256sum <"$work/doctor/config.json")
for url in "http://$(printf '%0512d' 0)/" "http://a b/" $'http://a\n/' ftp://a/; do
    refused 2 "ocsp-url begins with" doctor trust --dir "$work/doctor" --ocsp-url "$url"
done
[ "$before" = "$(sha256sum <"$work/doctor/config.json")" ] || fail "it is kept"

say "without a list that is said, before a patient trusts a doctor"
mv "$work/patient/crl.pem" "$work/kept.pem"
cs authority revoke --dir "$work/board" --certificate "$work/doctor.pem" >/dev/null
visit doctor patient cardiology --no-record
grep -q 'no revocation list: a revoked certificate is NOT noticed' "$work/log/patient.err" ||
    fail "nothing is said: $(cat "$work/log/patient.err")"
cs patient trust --dir "$work/patient" --ocsp required >/dev/null
status=0
patience=5 visit doctor patient cardiology --no-record || status=$?
[ "$status" -eq 4 ] || fail "a doctor without the answer that is required: $status"
grep -q 'no revocation list: in what telecare.* a revoked certificate is NOT noticed' \
    "$work/log/patient.err" || fail "that telecare needs a list is not said: $(cat "$work/log/patient.err")"
cs patient trust --dir "$work/patient" --ocsp preferred --crl "$work/board/crl.pem" >/dev/null
status=0
patience=5 visit doctor patient cardiology --no-record || status=$?
[ "$status" -eq 4 ] || fail "a doctor whose certificate is revoked: $status"
jq -e '.error.code == "revoked"' "$work/visit-patient.json" >/dev/null || fail "not for being revoked"
make_token bare
cs patient init --dir "$work/bare" --id P-2 --token "$(uri bare)" --pin-file "$work/pin" \
    --cloud-file "$work/cloud/cloud.cbor" --authority "$work/board/certificate.pem" \
    >/dev/null 2>"$work/bare.err"
grep -q 'no revocation list' "$work/bare.err" || fail "init without --crl says nothing"

say "a list that is too old has a message of its own, here and from the other side"
# another PKI, whose lists can be made with any date
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/pki.key" \
    -out "$work/pki.pem" -subj '/CN=Another PKI' -days 30 -addext keyUsage=keyCertSign,cRLSign \
    2>/dev/null
printf '%s\n' '[ca]' 'default_ca=a' '[a]' "database=$work/pki.index" 'default_md=sha256' \
    "crlnumber=$work/pki.number" >"$work/pki.conf"
: >"$work/pki.index"
pki_list() { # NUMBER FROM UNTIL OUT
    echo "$1" >"$work/pki.number"
    openssl ca -config "$work/pki.conf" -gencrl -keyfile "$work/pki.key" -cert "$work/pki.pem" \
        -crl_lastupdate "$2" -crl_nextupdate "$3" -out "$4"
}
pki_list 01 20200101000000Z 20200108000000Z "$work/old.pem"
pki_list 02 20200101000000Z 20990101000000Z "$work/new.pem"
openssl x509 -req -in "$work/doctor.csr" -CA "$work/pki.pem" -CAkey "$work/pki.key" -days 30 \
    -set_serial 77 -extfile <(printf 'keyUsage=critical,digitalSignature') \
    -out "$work/pki-doctor.pem" 2>/dev/null
cat "$work/board/certificate.pem" "$work/pki.pem" >"$work/both.pem"
for party in cloud hospital doctor patient; do
    cs "$party" trust --dir "$work/$party" --authority "$work/both.pem" --crl "$work/new.pem" \
        >/dev/null
done
sleep 2 # until the services have it
cs doctor register --dir "$work/doctor" --certificate "$work/pki-doctor.pem" >/dev/null
sleep 2.5 # until the list of revoked credentials is there
visit doctor patient cardiology
refused 4 "too old; get a new crl.pem" patient trust --dir "$work/patient" --crl "$work/old.pem"
cat "$work/board/crl.pem" "$work/old.pem" >"$work/patient/crl.pem"
status=0
patience=5 visit doctor patient cardiology || status=$?
[ "$status" -eq 4 ] || fail "a list that is too old: $status"
for name in doctor patient; do
    jq -e '.error | .code == "lists" and (.message | contains("list"))' \
        "$work/visit-$name.json" >/dev/null || fail "$name: $(cat "$work/visit-$name.json")"
done
grep -q 'too old; get a new crl.pem' "$work/visit-patient.json" || fail "not what to do"
grep -q "revocation list is good until 2020-01-08" "$work/log/patient.err" || fail "no warning"
cp "$work/patient/crl.pem" "$work/cloud/crl.pem"
cs cloud status --dir "$work/cloud" | grep 'TOO OLD: get a new crl.pem' >/dev/null || fail "cloud status"

say "status and list work when the credential does not count"
mv "$work/hospital/credential.cbor" "$work/kept.cbor"
cs hospital status --dir "$work/hospital" | grep 'no credential: .chartseal hospital register' >/dev/null ||
    fail "hospital status"
cs hospital list --dir "$work/hospital" --json | jq -e '.records | length >= 1' >/dev/null ||
    fail "hospital list"
refused 4 register hospital import --dir "$work/hospital" --patient P-1 --department cardiology \
    --file "$data/patient.json"
mv "$work/kept.cbor" "$work/hospital/credential.cbor"
stop hospital
stop cloud
