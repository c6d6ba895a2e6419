#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# PC and HPC as real processes through whole visits: what they answer and refuse, what it costs
# their tokens, and what they leave in their files.
# usage: servers.sh CHARTSEAL
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" servers

refused_visit() { # STATUS CODE DOCTOR PATIENT DEPARTMENT [OPTION...]
    local wanted=$1 code=$2 status=0
    shift 2
    visit "$@" || status=$?
    [ "$status" -eq "$wanted" ] || fail "visit $*: status $status, not $wanted"
    jq -e --arg code "$code" '.error.code == $code' "$work/visit-doctor.json" >/dev/null ||
        fail "visit $*: $(cat "$work/visit-doctor.json")"
}

operations() { # NAME: "procedure operation count" of a service, sorted
    curl -s "http://127.0.0.1:$(cat "$work/$1.port")/metrics" | sed -nE \
        's/^chartseal_token_operations_total\{procedure="(.*)",operation="(.*)"\} (.*)$/\1 \2 \3/p' |
        grep -E '^(search|session|record|file) ' | sort
}

say "founding"
make_world
make_cloud ed25519
start cloud
make_hospital hospital hospital.example
start hospital
make_doctor doctor D-1
make_patient patient P-Kowalski

say "import and publish"
cs hospital import --dir "$work/hospital" --patient P-Kowalski --department cardiology \
    --file "$data/patient.json" --json >"$work/imported"
record=$(jq -r .record_id "$work/imported")
jq -e '[.token_ops, .publishing_ops] | map([.sign, .agree, .prf]) == [[1, 0, 2], [1, 0, 0]]' \
    "$work/imported" >/dev/null || fail "what the import cost: $(cat "$work/imported")"
[ "${#record}" -eq 32 ] || fail "no record id: '$record'"
cs hospital list --dir "$work/hospital" --patient P-Kowalski --department cardiology --json |
    jq -e --arg id "$record" '.records | length == 1 and .[0].record_id == $id' >/dev/null ||
    fail "the record is not in the list"
cs hospital status --dir "$work/hospital" --json |
    jq -e '.record == 1 and .unpublished == 0' >/dev/null || fail "not published"

say "a visit, and what it costs"
visit doctor patient cardiology || fail "the visit: $(cat "$work"/visit-*.json)"
cmp "$data/patient.json" "$work/visit.record"
cmp "$data/ecg-360hz-u16le.bin" "$work/visit.signal"
cmp "$data/diagnosis.txt" "$work/visit.diagnosis"
diff <(operations cloud) - <<'TEXT' || fail "the cloud's token operations"
search agree 1
search prf 1
search sign 1
TEXT
diff <(operations hospital) - <<'TEXT' || fail "the hospital's token operations"
file prf 2
file sign 1
record prf 2
session agree 1
session scalar_mul 1
session sign 1
TEXT

say "a record by its id; an empty one; one of several chunks"
: >"$work/empty"
head -c 200000 /dev/urandom >"$work/large"
cp "$data/diagnosis.txt" "$work/exact"
truncate -s 131072 "$work/exact"
for name in empty large exact; do
    other=$(import hospital P-Kowalski cardiology "$work/$name")
    visit doctor patient cardiology --record "$other" || fail "the visit for $name"
    cmp "$work/$name" "$work/visit.record"
done
visit doctor patient cardiology --record "$record" || fail "the visit for the first record"
cmp "$data/patient.json" "$work/visit.record"

say "what is not there"
refused_visit 5 no-department doctor patient radiology --require-record
refused_visit 5 no-record doctor patient cardiology --record 00112233445566778899aabbccddeeff
make_patient patient2 P-Nowak
foreign=$(import hospital P-Nowak cardiology "$data/patient.json")
refused_visit 5 no-record doctor patient cardiology --record "$foreign"

say "identities and enrolment codes"
member patient thief P-Kowalski
enrol patient P-Kowalski
echo another >"$work/thief.phrase"
thief=(patient register --dir "$work/thief" --cloud-url "$cloud_url"
    --passphrase-file "$work/thief.phrase")
refused 4 taken "${thief[@]}" --code-file "$work/P-Kowalski.code"
echo 00000000-00000000-00000000-00000000 >"$work/wrong.code"
refused 4 enrolment "${thief[@]}" --code-file "$work/wrong.code"
echo 0000-zz >"$work/bad.code"
refused 3 'enrolment code' "${thief[@]}" --code-file "$work/bad.code"
register_patient patient2 P-Nowak # the same keys and code again: an answer may have been lost

say "a hospital registers again, but not beside its service"
again=(hospital register --dir "$work/hospital" --code-file "$work/hospital.example.code")
refused 10 'stop the service' "${again[@]}"
stop hospital
cs "${again[@]}" >/dev/null
start hospital
for _ in $(seq 100); do
    [ "$(cs hospital status --dir "$work/hospital" --json | jq .unpublished)" -ne 0 ] || break
    sleep 0.1
done
visit doctor patient cardiology --record "$record"
cmp "$work/visit.record" "$data/patient.json"

say "emergency"
emergency=(doctor visit --dir "$work/doctor" --department cardiology --emergency unconscious
    --patient P-Kowalski --diagnosis "$data/diagnosis.txt" --record "$record")
cs "${emergency[@]}" --record-out "$work/emergency" --json >/dev/null
cmp "$data/patient.json" "$work/emergency"
cs hospital status --dir "$work/hospital" --json | jq -e '.notices == 1' >/dev/null ||
    fail "no notice for the patient"
sleep 1.5 # gauges are set once a second
[ "$(metric hospital 'chartseal_outbox{kind="notice"}')" -eq 1 ] || fail "the gauge of the outbox"
notices=$(cs hospital notices --dir "$work/hospital" --json)
jq -e '.notices | length == 1 and (.[0] | .doctor == "D-1" and .patient == "P-Kowalski" and
    .department == "cardiology" and .reason == "unconscious")' <<<"$notices" >/dev/null ||
    fail "the notice: $notices"
refused 5 'no notice' hospital notices --dir "$work/hospital" --acknowledge 999999
cs hospital notices --dir "$work/hospital" --acknowledge "$(jq '.notices[0].number' <<<"$notices")" \
    --json | jq -e '.notices == []' >/dev/null || fail "an acknowledged notice waits still"
stop hospital
jq '.emergency = "deny"' "$work/hospital/config.json" >"$work/config"
cp "$work/config" "$work/hospital/config.json"
start hospital
refused 4 policy "${emergency[@]}" --record-out "$work/emergency"

say "revocation"
cs cloud revoke --dir "$work/cloud" --role patient --id P-Nowak >/dev/null
sleep 2.5
status=0
patience=15 # nobody else comes
visit doctor patient2 cardiology || status=$?
[ "$status" -eq 4 ] || fail "a visit of a revoked patient: $status"
cs cloud revoke --dir "$work/cloud" --role doctor --id D-1 >/dev/null
sleep 2.5
status=0
visit doctor patient cardiology || status=$?
[ "$status" -eq 4 ] || fail "a visit to a revoked doctor: $status"
refused 5 'no doctor' cloud revoke --dir "$work/cloud" --role doctor --id D-7

say "health and metrics"
curl -sf "http://127.0.0.1:$(cat "$work/hospital.port")/healthz" >/dev/null || fail "/healthz"
for name in cloud hospital; do
    curl -sf "http://127.0.0.1:$(cat "$work/$name.port")/metrics" >"$work/metrics"
    [ "$(tail -n 1 "$work/metrics")" = "# EOF" ] || fail "the metrics of $name have no end"
    awk '!/^#/ && !/^[a-z_]+(\{([a-z_]+="[^"]*",?)+\})? [0-9.e+-]+$/ { print; bad = 1 }
        END { exit bad }' "$work/metrics" || fail "the metrics of $name"
    grep -q 'chartseal_decisions_total{procedure="[a-z]*",outcome="[a-z-]*"}' "$work/metrics"
done

say "a graceful stop seals the audit log"
stop hospital
stop cloud
for name in cloud hospital; do
    cs audit verify --dir "$work/$name" --json |
        jq -e '.entries > 5 and .sealed == .entries' >/dev/null || fail "the audit log of $name"
    cs audit export --dir "$work/$name" --out "$work/$name.fhir" >/dev/null
    jq -e '.resourceType == "Bundle" and (.entry | length) > 5 and
        ([.entry[].resource | select(.resourceType != "AuditEvent" or .recorded == null or
            .outcome == null or (.agent | length) != 1)] | length) == 0' \
        "$work/$name.fhir" >/dev/null || fail "the FHIR export of $name"
done
jq -e '[.entry[].resource.subtype[0].code] | contains(["emergency-notice", "read", "file"])' \
    "$work/hospital.fhir" >/dev/null || fail "actions are missing in the audit log"
for name in cloud hospital; do
    jq -e '[.entry[].resource | select(.agent[0].purposeOfUse[0].coding[0].code == "BTG") |
        select([.entity[].description] | contains(["cardiology", "unconscious"]))] |
        map(.subtype[0].code) |
        if any(. == "search") then all(. == "search") else
            contains(["emergency-notice", "session", "read", "file"]) end' \
        "$work/$name.fhir" >/dev/null || fail "an emergency is not marked by the $name"
done
jq -e '[.entry[].resource | select(.outcomeDesc == "policy")] | length == 1' \
    "$work/hospital.fhir" >/dev/null || fail "the refusal is not in the audit log"

say "nothing in the clear in the files of the servers"
binding=$(python3 - "$work/patient/credential.cbor" <<'PYTHON'
import re, sys
# B' is the only byte string of 32 bytes in front of the two public keys of 33.
raw = open(sys.argv[1], "rb").read()
print(re.search(rb"\x58\x20(.{32})\x58\x21", raw, re.S).group(1).hex())
PYTHON
)
python3 - "$binding" "$work/cloud" "$work/hospital" "$data/patient.json" "$data/diagnosis.txt" \
    <<'PYTHON'
import os, sys
binding, *homes, record, diagnosis = sys.argv[1:]
secrets = [bytes.fromhex(binding), binding.encode(), b"Kowalski", b"Nowak", b"D-1", b"cardiology",
           b"unconscious", b"passphrase"]
for path in (record, diagnosis):
    text = open(path, "rb").read()
    secrets += [text[i:i + 24] for i in range(0, len(text) - 24, 24)]
secrets = [s for s in secrets if s.strip()]
for home in homes:
    for folder, _, names in os.walk(home):
        for name in names:
            content = open(os.path.join(folder, name), "rb").read()
            for secret in secrets:
                if secret in content:
                    sys.exit(f"FAILED: {secret!r} is in {name} of {home}")
PYTHON
if grep -lE 'Kowalski|Nowak|D-1|cardiology' "$work"/log/cloud.* "$work"/log/hospital.*; then
    fail "an identity is in a log"
fi

say "a log that was tampered with"
python3 - "$work/hospital/chartseal.db" <<'PYTHON'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("DELETE FROM audit WHERE number = 3")
db.commit()
PYTHON
refused 9 'entry 3' audit verify --dir "$work/hospital"

say "a log whose chain was computed anew: the token does not seal it"
head=$(cs audit verify --dir "$work/cloud" --json | jq -r .head)
cs audit verify --dir "$work/cloud" --expect-head "$head" >/dev/null
refused 9 'entry' audit verify --dir "$work/cloud" --expect-head "1:${head#*:}"
python3 - "$work/cloud/chartseal.db" <<'PYTHON'
import hashlib, sqlite3, struct, sys
db = sqlite3.connect(sys.argv[1])
rows = db.execute("SELECT time, sealed FROM audit ORDER BY number").fetchall()
db.execute("DELETE FROM audit")
previous = bytes(32)
for number, (time, sealed) in enumerate(rows[:3] + rows[4:], 1):
    hashed = hashlib.sha256(b"chartseal/1 audit" + struct.pack(">QQ", number, time) + previous +
                            sealed).digest()
    db.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, x'')",
               (number, time, previous, hashed, sealed))
    previous = hashed
db.commit()
PYTHON
refused 9 'audit entry' audit verify --dir "$work/cloud"
start cloud
sleep 2
grep -q 'ALARM: audit entry' "$work/log/cloud.err" || fail "no alarm in the log"
[ "$(curl -s "$cloud_url/healthz")" = audit-log ] || fail "/healthz does not know of it"
kill -TERM "${pids[cloud]}"
wait "${pids[cloud]}" || true # it says that it could not seal
unset "pids[cloud]"
refused 9 'audit entry' audit verify --dir "$work/cloud"
refused 9 'audit entry' audit adopt --dir "$work/cloud"
