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
sleep 2 # until the gauge is set
[ "$(metric hospital 'chartseal_sessions ')" -eq 0 ] || fail "a finished visit keeps its session"

say "revoked while she writes, in a session that is open"
mkfifo "$work/typing"
exec 7<>"$work/typing"
"$chartseal" doctor visit --dir "$work/doctor" --department cardiology --emergency x \
    --patient P-1 --diagnosis - --record-out "$work/emergency" --json <"$work/typing" \
    >"$work/emergency.json" 2>"$work/log/emergency.err" 7>&- &
writing=$!
for _ in $(seq 200); do [ ! -s "$work/emergency" ] || break; sleep 0.1; done
cp "$work/hospital/crl.pem" "$work/earlier.pem"
cs authority revoke --dir "$work/board" --certificate "$work/doctor.pem" >/dev/null
cp "$work/board/crl.pem" "$work/hospital/crl.pem"
sleep 3
echo "a diagnosis" >&7
exec 7>&-
status=0
wait "$writing" || status=$?
[ "$status" -eq 4 ] || fail "filed by a revoked doctor: status $status"
[ "$(jq -r .error.code "$work/emergency.json")" = revoked ] || fail "not for being revoked"

say "a new list of the authority, in both homes"
cp "$work/board/crl.pem" "$work/cloud/crl.pem"
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

say "more revoked credentials than a list holds: the cloud goes on, also after a start"
start cloud
python3 - "$work/cloud/chartseal.db" <<'PY'
import os, sqlite3, sys, time

db = sqlite3.connect(sys.argv[1], timeout=20)
now = int(time.time() * 1000)
key = os.urandom(32)
last = db.execute("SELECT last FROM serial").fetchone()[0]
rows = [(last + 1 + i, key, key, now + 10**9, now, 0, b"x") for i in range(32001)]
db.executemany("INSERT INTO credential VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
db.execute("UPDATE serial SET last = last + 32001")
db.commit()
PY
sleep 3
grep -q "1 revoked credentials are over" "$work/log/cloud.err" || fail "a full list is not told"
stop cloud
start cloud
make_patient second P-2
size=$(curl -sf "$cloud_url/v1/revocations" | wc -c)
[ "$size" -gt 256000 ] || fail "the list has $size bytes"

say "one party cannot fill it by registering again and again"
for _ in $(seq 15); do register_patient second P-2; done
refused 4 "refused (policy)" patient register --dir "$work/second" \
    --code-file "$work/P-2.code" --passphrase-file "$work/second.phrase"
cs cloud revoke --dir "$work/cloud" --role patient --id P-2 >/dev/null
enrol patient P-2
register_patient second P-2
stop cloud
