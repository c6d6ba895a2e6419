#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Telecare from end to end: the four procedures, what the cloud knows of them, who is refused, and
# what an upload leaves that is cut, killed, too large or too late.
# usage: telecare.sh CHARTSEAL LATER, a library that makes a program live later
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" telecare
later=${2:?path of the library}
report=$data/patient.json
signal=$data/ecg-360hz-u16le.bin
diagnosis=$data/diagnosis.txt

equal() { # WHAT WANTED GOT
    [ "$2" = "$3" ] || fail "$1: $3, not $2"
}

sha() {
    sha256sum "$1" | cut -d' ' -f1
}

# open_episode NAME [OPTION...]: of D-1 and P-1; NAME.p and NAME.d are the invitations
open_episode() {
    local name=$1
    shift
    cs hospital telecare upload --dir "$work/hospital" --report "$report" \
        --media-type application/fhir+json --telecare-url "${line:-$telecare_url}" \
        --patient-credential "$work/patient/credential.cbor" \
        --doctor-credential "$work/doctor/credential.cbor" \
        --doctor-certificate "$work/doctor.pem" --patient-invitation "$work/$name.p" \
        --doctor-invitation "$work/$name.d" --json "$@" >"$work/$name.hup.json"
}

upload() { # NAME FILE [OPTION...]
    local name=$1 file=$2
    shift 2
    cs patient telecare upload --dir "$work/patient" --invitation "$work/$name.p" \
        --measurement "$file" --json "$@" >"$work/$name.pup.json"
}

treat() { # NAME [OPTION...]
    local name=$1
    shift
    cs doctor telecare treat --dir "$work/doctor" --invitation "$work/$name.d" \
        --diagnosis "$diagnosis" --report-out "$work/$name.report-d" \
        --measurement-out "$work/$name.measurement-d" --json "$@" >"$work/$name.tp.json"
}

read_all() { # NAME [OPTION...]
    local name=$1
    shift
    cs patient telecare read --dir "$work/patient" --invitation "$work/$name.p" \
        --diagnosis-out "$work/$name.diagnosis-p" --report-out "$work/$name.report-p" \
        --measurement-out "$work/$name.measurement-p" --json "$@" >"$work/$name.cp.json"
}

list() { # JQ-EXPRESSION
    cs cloud telecare list --dir "$work/tc" --json | jq -r "$1"
}

rows() { # TABLE
    sqlite3 "$work/tc/chartseal.db" "SELECT count(*) FROM $1"
}

wait_for() { # WHAT COMMAND...: until it succeeds
    local what=$1 i
    shift
    for ((i = 0; i < 300; i++)); do
        ! "$@" || return 0
        sleep 0.1
    done
    fail "$what does not happen"
}

say "a world with two of each"
make_world
make_cloud "${SUITE:-ed25519}"
start cloud
make_hospital hospital H-1
make_doctor doctor D-1
make_doctor doctor2 D-2
make_patient patient P-1
make_patient patient2 P-2
make_telecare tc TC-1 --upload-max 8
start tc
equal "role of the home" telecare "$(jq -r .role "$work/tc/config.json")"
equal "healthy" 200 "$(curl -s -o /dev/null -w '%{http_code}' "$telecare_url/healthz")"

say "the whole round"
open_episode one
upload one "$signal" --report-out "$work/one.report-u" --doctor D-1 --hospital H-1
treat one --hospital H-1 --patient P-1
read_all one
for file in one.report-u one.report-d one.report-p; do
    equal "$file" "$(sha "$report")" "$(sha "$work/$file")"
done
equal "measurement at the doctor's" "$(sha "$signal")" "$(sha "$work/one.measurement-d")"
equal "measurement read back" "$(sha "$signal")" "$(sha "$work/one.measurement-p")"
equal "diagnosis" "$(sha "$diagnosis")" "$(sha "$work/one.diagnosis-p")"
equal "media type that came" application/fhir+json "$(jq -r .report.media_type "$work/one.tp.json")"
rm "$work"/one.*-p
read_all one
equal "a copy that is there stays" false "$(jq .copy.sent "$work/one.cp.json")"
rm "$work"/one.*-p
read_all one --copy
equal "the copy" "$(sha "$report") $(sha "$signal") $(sha "$diagnosis")" \
    "$(sha "$work/one.report-p") $(sha "$work/one.measurement-p") $(sha "$work/one.diagnosis-p")"

say "what it cost: sign, agree, scalar_mul"
ops() { # NAME
    jq -r '.token_ops | "\(.sign) \(.agree) \(.scalar_mul)"' "$work/one.$1.json"
}
equal "HUP: 1 sign, and the session's" "2 1 1" "$(ops hup)"
equal "PUP: 1 sign, 1 agree for what is read" "1 1 0" "$(ops pup)"
equal "TP: 1 sign, 2 agree for two records, and the session's" "2 3 1" "$(ops tp)"
equal "the copy: 2 agree" "0 2 0" "$(ops cp)"

say "what the cloud can say, and what it cannot"
equal "list" "1 4 4" "$(list '"\(.episodes) \(.places) \(.records)"')"
equal "sizes are whole blocks" 0 "$(list '[.list[] | select(.size % 65536 != 0)] | length')"
equal "what a line has" "ends size stored_at" "$(list '[.list[] | keys_unsorted[]] | unique | join(" ")')"
for word in P-1 resourceType Lindqvist "$(head -c 24 "$diagnosis")"; do
    if grep -qaF -e "$word" -r "$work/tc" "$work/log/tc.err"; then
        fail "'$word' is readable at the telecare cloud"
    fi
done
cs cloud telecare list --dir "$work/tc" | grep -q '^1 episodes: 4 places, 4 with a record' ||
    fail "the list for people"
cs audit verify --dir "$work/tc" >/dev/null
events() { # DIR: actions and who, each once
    rm -f "$work/events.json"
    cs audit export --dir "$work/$1" --out "$work/events.json" >/dev/null
    jq -r '[.entry[].resource | "\(.subtype[0].code) \(.agent[0].who.identifier.value)"] |
        map(select(startswith("telecare"))) | unique | join(", ")' "$work/events.json"
}
equal "what the telecare cloud has on record" "telecare-call D-1, telecare-call H-1, \
telecare-fetch D-1, telecare-fetch unknown, telecare-guest unknown, telecare-upload D-1, \
telecare-upload H-1, telecare-upload unknown" "$(events tc)"
equal "what the hospital has" "telecare-open H-1" "$(events hospital)"

say "codes"
cs hospital telecare upload --dir "$work/hospital" --report "$report" \
    --telecare-url "$telecare_url" --patient-credential "$work/patient/credential.cbor" \
    --doctor-credential "$work/doctor/credential.cbor" --doctor-certificate "$work/doctor.pem" \
    --patient-invitation "$work/qr.p" --doctor-invitation "$work/qr.d" --qr \
    --patient-svg "$work/p.svg" --doctor-svg "$work/d.svg" >"$work/qr.out" 2>"$work/qr.err"
equal "warnings" "" "$(cat "$work/qr.err")"
equal "codes on the terminal" 2 "$(grep -c '^invitation of the' "$work/qr.out")"
[ "$(grep -c '█' "$work/qr.out")" -gt 60 ] || fail "no code is printed"
python3 - "$work/p.svg" "$work/qr.d" "$work/qr.text" <<'PYTHON'
import sys, xml.dom.minidom
xml.dom.minidom.parse(sys.argv[1])
letter = open(sys.argv[2], "rb").read()
alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
text = ""
for i in range(0, len(letter), 2):
    n = int.from_bytes(letter[i:i + 2], "big")
    for _ in range(3 if i + 1 < len(letter) else 2):
        text += alphabet[n % 45]
        n //= 45
open(sys.argv[3], "w").write("CHARTSEAL1:" + text + "\n")
PYTHON
cp "$work/qr.text" "$work/qrt.d"
cp "$work/qr.p" "$work/qrt.p"
upload qrt "$signal"
treat qrt
sed -i 's/^\(CHARTSEAL1:.\{40\}\)./\1a/' "$work/qrt.d"
refused 3 "not whole" doctor telecare treat --dir "$work/doctor" --invitation "$work/qrt.d" \
    --diagnosis "$diagnosis" --report-out "$work/x" --measurement-out "$work/x"

say "the wrong ones"
open_episode wrong
out=(--report-out "$work/x" --measurement-out "$work/y")
refused 4 "somebody else" doctor telecare treat --dir "$work/doctor2" --invitation "$work/wrong.d" \
    --diagnosis "$diagnosis" "${out[@]}"
refused 4 "somebody else" doctor telecare treat --dir "$work/doctor" --invitation "$work/wrong.p" \
    --diagnosis "$diagnosis" "${out[@]}"
refused 4 "somebody else" patient telecare upload --dir "$work/patient2" \
    --invitation "$work/wrong.p" --measurement "$signal"
refused 4 "names H-1 as the hospital" doctor telecare treat --dir "$work/doctor" \
    --invitation "$work/wrong.d" --hospital H-2 --diagnosis "$diagnosis" "${out[@]}"
refused 4 "names H-1 as the hospital" patient telecare upload --dir "$work/patient" \
    --invitation "$work/wrong.p" --hospital H-2 --measurement "$signal"
refused 4 "names D-1 as the doctor" patient telecare upload --dir "$work/patient" \
    --invitation "$work/wrong.p" --doctor D-2 --measurement "$signal"
[ ! -e "$work/x" ] || fail "a refused doctor got a report"
refused 5 "the measurement" doctor telecare treat --dir "$work/doctor" --invitation "$work/wrong.d" \
    --diagnosis "$diagnosis" "${out[@]}"
upload wrong "$signal"
refused 4 "done already" patient telecare upload --dir "$work/patient" --invitation "$work/wrong.p" \
    --measurement "$signal"
refused 5 "the diagnosis" patient telecare read --dir "$work/patient" --invitation "$work/wrong.p" \
    --diagnosis-out "$work/z"
# a credential of another role is not taken for a patient's, nor another doctor's certificate
refused 4 "credential" hospital telecare upload --dir "$work/hospital" --report "$report" \
    --telecare-url "$telecare_url" --patient-credential "$work/doctor2/credential.cbor" \
    --doctor-credential "$work/doctor/credential.cbor" --doctor-certificate "$work/doctor.pem" \
    --patient-invitation "$work/x.p" --doctor-invitation "$work/x.d"
refused 4 "certificate" hospital telecare upload --dir "$work/hospital" --report "$report" \
    --telecare-url "$telecare_url" --patient-credential "$work/patient/credential.cbor" \
    --doctor-credential "$work/doctor/credential.cbor" --doctor-certificate "$work/doctor2.pem" \
    --patient-invitation "$work/x.p" --doctor-invitation "$work/x.d"

say "too large"
open_episode large
head -c 9000000 /dev/urandom >"$work/9mb"
refused 3 "too-large" patient telecare upload --dir "$work/patient" --invitation "$work/large.p" \
    --measurement "$work/9mb"
equal "unfinished records" 0 "$(rows unfinished)"
head -c 7000000 /dev/urandom >"$work/7mb"
# on a terminal it is told how far it is
script -qec "'$chartseal' patient telecare upload --dir '$work/patient' \
    --invitation '$work/large.p' --measurement '$work/7mb'" /dev/null >"$work/shown"
grep -q 'uploading: .* of 7.0 MB' "$work/shown" || fail "no progress: $(cat -v "$work/shown")"
treat large
equal "7 MB" "$(sha "$work/7mb")" "$(sha "$work/large.measurement-d")"

say "several at once"
uploads=()
for name in p1 p2 p3 p4; do
    open_episode "$name"
done
for name in p1 p2 p3 p4; do
    head -c 3000000 /dev/urandom >"$work/$name.bin"
    upload "$name" "$work/$name.bin" &
    uploads+=($!)
done
for pid in "${uploads[@]}"; do
    wait "$pid" || fail "an upload beside others: status $?"
done
for name in p1 p2 p3 p4; do
    treat "$name"
    equal "$name" "$(sha "$work/$name.bin")" "$(sha "$work/$name.measurement-d")"
done

say "an answer that is lost"
python3 "$(dirname "$0")/cutting_proxy.py" "$telecare_port" "$work/proxy.port" 2 &
wait_for "the proxy" test -s "$work/proxy.port"
line=http://127.0.0.1:$(cat "$work/proxy.port") open_episode cut
upload cut "$work/7mb"
treat cut
[ "$(wc -l <"$work/proxy.port.cuts")" -ge 3 ] || fail "no answer was lost"
equal "7 MB in pieces sent twice" "$(sha "$work/7mb")" "$(sha "$work/cut.measurement-d")"

say "whoever is killed in the middle leaves nothing"
sed -i 's/"upload_max_mib": 8/"upload_max_mib": 1024/' "$work/tc/config.json"
stop tc
start tc
open_episode killed
before=$(rows chunk)
head -c 300000000 /dev/zero >"$work/300mb"
upload killed "$work/300mb" &
client=$!
wait_for "an upload" sh -c "[ \"\$(sqlite3 '$work/tc/chartseal.db' \
    'SELECT coalesce(max(chunks), 0) FROM unfinished')\" -gt 20 ]"
pkill -KILL -P "$client" || true
{ kill -KILL "$client" && wait "$client"; } 2>/dev/null || true
equal "records" 1 "$(list '[.list[] | select(.size == 65536)] | length | if . > 0 then 1 else 0 end')"
stop tc
equal "unfinished records, after the service's end" 0 "$(rows unfinished)"
equal "chunks" "$before" "$(rows chunk)"
start tc
upload killed "$signal"

say "kill -9 of the cloud: what was acknowledged is kept, what was not goes on or goes"
open_episode kept
upload kept "$signal"
kill_hard tc
start tc
treat kept
kill_hard tc
start tc
read_all kept
equal "the diagnosis" "$(sha "$diagnosis")" "$(sha "$work/kept.diagnosis-p")"
open_episode torn
before=$(rows chunk)
upload torn "$work/300mb" &
client=$!
wait_for "an upload" sh -c "[ \"\$(sqlite3 '$work/tc/chartseal.db' \
    'SELECT coalesce(max(chunks), 0) FROM unfinished')\" -gt 20 ]"
kill_hard tc
equal "an unfinished record, as it was left" 1 "$(rows unfinished)"
start tc
wait "$client" || fail "the upload does not go on after the cloud's restart"
treat torn
equal "300 MB" "$(sha "$work/300mb")" "$(sha "$work/torn.measurement-d")"
equal "unfinished records" 0 "$(rows unfinished)"
equal "chunks of it" $((before + 4608 + 1)) "$(rows chunk)"
cs audit verify --dir "$work/tc" >/dev/null

say "kill -9 of the cloud at any moment"
head -c 1500000 /dev/urandom >"$work/some"
kept=0
for round in 1 2 3 4 5 6 7 8; do
    open_episode "k$round"
    upload "k$round" "$work/some" 2>>"$work/log/killed.err" &
    client=$!
    sleep "0.$((RANDOM % 10))"
    kill_hard tc
    start tc
    status=0
    wait "$client" || status=$?
    case $status in
    0) # acknowledged, before or after the kill
        treat "k$round"
        equal "round $round" "$(sha "$work/some")" "$(sha "$work/k$round.measurement-d")"
        kept=$((kept + 1))
        ;;
    4 | 8) # the line broke before there was a session, or U2 was lost
        treat "k$round" 2>/dev/null || [ $? -eq 5 ] || fail "round $round: half a measurement"
        ;;
    *) fail "round $round: status $status" ;;
    esac
done
say "$kept of 8 uploads were acknowledged"
equal "unfinished records" 0 "$(rows unfinished)"
equal "the database" ok "$(sqlite3 "$work/tc/chartseal.db" 'PRAGMA integrity_check')"
cs audit verify --dir "$work/tc" >/dev/null

say "after its end"
rm "$work/300mb"
open_episode ended --days 1
stop tc
stop cloud
export LD_PRELOAD=$later LATER_S=95000 ASAN_OPTIONS=verify_asan_link_order=0
sanitizers+=("ASAN_OPTIONS=fast_unwind_on_malloc=0:verify_asan_link_order=0")
start cloud
start tc
refused 4 "has ended" patient telecare upload --dir "$work/patient" --invitation "$work/ended.p" \
    --measurement "$signal"
refused 4 "has ended" doctor telecare treat --dir "$work/doctor" --invitation "$work/ended.d" \
    --diagnosis "$diagnosis" "${out[@]}"
first=$(jq -r .ends "$work/ended.hup.json")
wait_for "the end of an episode" sh -c \
    "! sqlite3 '$work/tc/chartseal.db' 'SELECT ends FROM place' | grep -q $first"
[ "$(list .places)" -gt 0 ] || fail "episodes that have not ended went, too"
stop tc
stop cloud
unset LD_PRELOAD LATER_S ASAN_OPTIONS

say "ok"
