#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A doctor's revocation counts for running services, in sessions that are open too.
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" revocation

make_world
make_cloud ed25519
start cloud
make_hospital hospital hospital.example
start hospital
make_doctor doctor D-1
make_patient patient P-1
import hospital P-1 cardiology "$data/patient.json" >/dev/null
visit doctor patient cardiology

say "a new list of the authority, in both homes"
cs authority revoke --dir "$work/board" --certificate "$work/doctor.pem" >/dev/null
cp "$work/hospital/crl.pem" "$work/earlier.pem"
cp "$work/board/crl.pem" "$work/cloud/crl.pem"
cp "$work/board/crl.pem" "$work/hospital/crl.pem"
sleep 3
status=0
visit doctor patient cardiology || status=$?
[ "$status" -eq 4 ] || fail "a revoked certificate: status $status"
[ "$(jq -r .error.code "$work/visit-doctor.json")" = revoked ] || fail "not for being revoked"
# the hospital by itself: the cloud is made to forget
cp "$work/earlier.pem" "$work/cloud/crl.pem"
sleep 3
status=0
visit doctor patient cardiology || status=$?
[ "$status" -eq 4 ] || fail "a revoked certificate at the hospital: status $status"

say "a list that is damaged changes nothing"
printf -- '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n' >"$work/hospital/crl.pem"
sleep 3
grep -q "not taken in" "$work/log/hospital.err" || fail "the damaged list is not told"
status=0
visit doctor patient cardiology || status=$?
[ "$status" -eq 4 ] || fail "a damaged list: status $status"
stop hospital
stop cloud
