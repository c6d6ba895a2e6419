#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What is wrong with a command is said before anything is done: nothing is kept that cannot be read
# again, and no patient waits for a mistake in an option. And one bad row is not the end of the rest.
# usage: arguments.sh CHARTSEAL
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" arguments

alter() { # DIR SQL: the database as a bad disk or an older version may have left it
    python3 - "$work/$1/chartseal.db" "$2" <<'PYTHON'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=20)
assert db.execute(sys.argv[2]).rowcount == 1, sys.argv[2]
db.commit()
PYTHON
}

say "founding"
make_world
make_cloud ed25519
start cloud
make_hospital hospital hospital.example
make_doctor doctor D-1
make_patient patient P-1
record=$(import hospital P-1 surgery "$data/patient.json")

say "a command that is wrong is told in one line, or in JSON"
refused 2 "'-xy' is no option" token list -xy
refused 2 "'--jso' is no option" cloud status --dir "$work/cloud" --jso
refused 2 "'--di' is no option" cloud status --di "$work/cloud"
refused 2 "whole number" patient visit --dir "$work/patient" --station 127.0.0.1:1 --doctor D-1 \
    --diagnosis-out "$work/diagnosis" --timeout ' 1'
refused 2 "no HOST:PORT" cloud serve --dir "$work/cloud" --listen 127.0.0.1:-0
refused 2 "chartseal doctor --help" doctor
refused 2 "chartseal doctor --help" doctor dance
refused 2 "chartseal --help" nonsense
[ "$("$chartseal" 2>&1 | wc -l)" -eq 1 ] || fail "no command at all: not one line"
for wrong in "--json" "nonsense --json" "doctor --json" "doctor dance --json" $'doctor \xff --json' \
    $'cloud status --\xff --json' $'cloud status --dir /\xc2\x9b\xe2\x80\xae --json'; do
    # shellcheck disable=SC2086 # words
    [ "$( ("$chartseal" $wrong 2>"$work/noise" || true) | jq -r .ok)" = false ] ||
        fail "no JSON for: $wrong"
    [ ! -s "$work/noise" ] || fail "more than JSON for: $wrong"
done

say "texts that nobody could read again"
for text in $'P\e[31m' $'x\xff' $'P\xe2\x80\xae1' $'P\xc2\x9b1'; do
    hospital=(hospital import --dir "$work/hospital" --file "$data/patient.json")
    refused 2 "--patient has" "${hospital[@]}" --patient "$text" --department surgery
    refused 2 "--department has" "${hospital[@]}" --patient P-1 --department "$text"
    refused 2 "--media-type has" "${hospital[@]}" --patient P-1 --department surgery \
        --media-type "$text"
    refused 2 "--id has" cloud enrol --dir "$work/cloud" --role patient --id "$text"
    refused 2 "--id has" cloud revoke --dir "$work/cloud" --role patient --id "$text"
    doctor=(doctor visit --dir "$work/doctor" --listen 127.0.0.1:0 --diagnosis
        "$data/diagnosis.txt" --timeout 1)
    refused 2 "--department has" "${doctor[@]}" --department "$text"
    refused 2 "--media-type has" "${doctor[@]}" --department surgery --media-type "$text"
    refused 2 "--emergency has" "${doctor[@]}" --department surgery --emergency "$text" \
        --patient P-1
    refused 2 "--patient has" "${doctor[@]}" --department surgery --emergency fall \
        --patient "$text"
    refused 2 "--purpose has" patient visit --dir "$work/patient" --station 127.0.0.1:1 \
        --doctor D-1 --diagnosis-out "$work/diagnosis" --purpose "$text"
    init=(--dir "$work/none" --token "$(uri doctor)" --pin-file "$work/pin"
        --cloud-file "$work/cloud/cloud.cbor" --authority "$work/board/certificate.pem")
    refused 2 "--name has" doctor init "${init[@]}" --id D-2 --name "$text"
    refused 2 "identity" patient init "${init[@]}" --id "$text"
    [ ! -e "$work/none" ] || fail "a home was made all the same"
done

say "what is written at the end can be written"
doctor+=(--department surgery)
for option in --record-out --signal-out --port-file; do
    refused 9 "^chartseal: $option: .*nonexistent" "${doctor[@]}" "$option" "$work/nonexistent/x"
done
refused 9 "^chartseal: --diagnosis-out: " patient visit --dir "$work/patient" \
    --station 127.0.0.1:1 --doctor D-1 --diagnosis-out "$work/nonexistent/x"
refused 9 "^chartseal: --out: " authority issue --dir "$work/board" --request \
    "$work/doctor.csr" --out "$work/nonexistent/x"
refused 2 "is a directory" authority issue --dir "$work/board" --request "$work/doctor.csr" \
    --out "$work"
refused 9 "^chartseal: --code-file: " cloud enrol --dir "$work/cloud" --role patient --id P-4 \
    --code-file "$work/nonexistent/x"
refused 9 "^chartseal: --port-file: " cloud serve --dir "$work/cloud" \
    --port-file "$work/nonexistent/x"

say "a place where a hospital cannot be"
hospital=(hospital init "${init[@]}" --id H-2)
for url in ftp://hospital.example hospital.example http:// https:///v1 'http://a b' http://u@h \
    $'http://h\e[31m'; do
    refused 2 "--url" "${hospital[@]}" --url "$url"
done
refused 2 "--listen.*nowhere.invalid" "${hospital[@]}" --listen nowhere.invalid:99
[ ! -e "$work/none" ] || fail "a home was made all the same"

say "a home that others can look into"
chmod 755 "$work/doctor"
refused 2 "chmod 700" doctor csr --dir "$work/doctor" --out "$work/x"
chmod 710 "$work/doctor"
refused 2 "mode 710" token audit --dir "$work/doctor"
chmod 700 "$work/doctor"
mkdir -m 755 "$work/open"
refused 2 "chmod 700" patient init --dir "$work/open" "${init[@]:2}" --id P-7
[ ! -e "$work/open/config.json" ] || fail "a home was made all the same"

say "one bad row"
second=$(import hospital P-1 surgery "$data/diagnosis.txt")
stop cloud
import hospital P-2 surgery "$data/diagnosis.txt" >/dev/null
import hospital P-3 surgery "$data/diagnosis.txt" >/dev/null
alter hospital "UPDATE record SET sealed = zeroblob(length(sealed)) WHERE id = x'$second'"
alter hospital "UPDATE outbox SET sealed = zeroblob(length(sealed))
    WHERE number = (SELECT min(number) FROM outbox)"
alter hospital "UPDATE audit SET sealed = zeroblob(length(sealed)) WHERE number = 1"
cs hospital list --dir "$work/hospital" --json >"$work/list"
jq -e --arg good "$record" --arg bad "$second" '(.records | length) == 3 and
    (.records | map(.record_id) | contains([$good])) and .unreadable == [$bad]' "$work/list" \
    >/dev/null || fail "the list: $(cat "$work/list")"
cs hospital list --dir "$work/hospital" >"$work/list"
[ "$(wc -l <"$work/list")" -eq 4 ] || fail "the list for people: $(cat "$work/list")"
grep -q "^$second .*cannot be read" "$work/list" || fail "no word of the bad record"
cs hospital status --dir "$work/hospital" --json |
    jq -e '.unpublished == 1 and .unreadable == 1' >/dev/null || fail "the status"
cs audit export --dir "$work/hospital" --out "$work/export" 2>"$work/warning" >/dev/null
jq -e '[.entry[].resource.subtype[0].code] | .[0] == "unreadable" and length == 6' "$work/export" \
    >/dev/null || fail "the export: $(jq -c '.entry[].resource.subtype' "$work/export")"
grep -q '1 entries cannot be read' "$work/warning" || fail "no word of the bad entry"
refused 9 "entry 1 was changed" audit verify --dir "$work/hospital"
start cloud
start hospital
for ((i = 0; i < 100; i++)); do
    ! cs hospital status --dir "$work/hospital" --json | jq -e '.unpublished == 0' >/dev/null ||
        break
    sleep 0.3
done
[ "$i" -lt 100 ] || fail "the good item of the outbox is not published"
grep -q 'cannot be read and are left out' "$work/log/hospital.err" || fail "no word in the log"
kill_hard hospital # whose stop would say, rightly, that the audit log was changed
cs hospital register --dir "$work/hospital" --code-file "$work/hospital.example.code" >/dev/null
stop cloud

say "a token that is somebody's"
start cloud
other=(patient init --dir "$work/other" --id P-9 --token "$(uri patient)" --pin-file "$work/pin"
    --cloud-file "$work/cloud/cloud.cbor" --authority "$work/board/certificate.pem")
refused 9 "patient-scalar.*--adopt-keys" "${other[@]}"
[ ! -e "$work/other/config.json" ] || fail "a home was made all the same"
cs token audit --dir "$work/patient" >/dev/null || fail "the patient's own keys"
make_token interrupted
again=(patient init --dir "$work/again" --id P-8 --token "$(uri interrupted)"
    --pin-file "$work/pin" --cloud-file "$work/cloud/cloud.cbor"
    --authority "$work/board/certificate.pem")
cs "${again[@]}" --json | jq -e '.adopted == 0' >/dev/null || fail "keys are not new"
rm -r "$work/again"
cs "${again[@]}" >"$work/said"
grep -q '2 keys that were in the token already' "$work/said" || fail "no word of old keys"
cs "${other[@]}" --adopt-keys --json | jq -e '.adopted == 2' >/dev/null || fail "--adopt-keys"
stop cloud
