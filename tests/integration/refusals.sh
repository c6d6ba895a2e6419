#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What goes wrong: bad input, wrong PINs, crashes, revocation. Each is one line that says what to do
# next, with its exit status, and nothing is lost.
set -euo pipefail
# shellcheck source=tests/integration/world.sh
. "$(dirname "$0")/world.sh"

make_world
start_cloud
start_hospital

# -- the command itself
equal "an unknown group" 2 "$("$chartseal" nonsense >/dev/null 2>&1 || echo $?)"
equal "an unknown verb" 2 "$("$chartseal" doctor dance >/dev/null 2>&1 || echo $?)"
refused 2 "is no option" doctor visit --dance
refused 2 "is missing" doctor visit --dir "$state/doctor"
refused 2 "no HOST:PORT" patient visit --dir "$state/patient" --station nowhere --doctor x \
    --diagnosis-out "$work/x"
refused 2 "--no-record" doctor visit --dir "$state/doctor" --listen 127.0.0.1:0 --department d \
    --diagnosis "$data/diagnosis.txt" --no-record --record 00112233445566778899aabbccddeeff
refused 2 "--require-record" doctor visit --dir "$state/doctor" --listen 127.0.0.1:0 \
    --department d --diagnosis "$data/diagnosis.txt" --no-record --require-record
refused 2 "32 hex digits" doctor visit --dir "$state/doctor" --listen 127.0.0.1:0 --department d \
    --diagnosis "$data/diagnosis.txt" --record 77
refused 2 "home of a doctor" patient visit --dir "$state/doctor" --station 127.0.0.1:1 --doctor x \
    --diagnosis-out "$work/x"
refused 5 "init" doctor visit --dir "$work" --listen 127.0.0.1:0 --department d \
    --diagnosis "$data/diagnosis.txt"
refused 5 "diagnosis" doctor visit --dir "$state/doctor" --listen 127.0.0.1:0 --department d \
    --diagnosis "$work/none"
equal "an error as JSON" "false usage 2" "$("$chartseal" token audit --json |
    jq -r '[.ok, .error.code, .error.category] | join(" ")' || true)"
equal "help" 0 "$("$chartseal" doctor visit --help >"$work/help" && echo 0)"
equal "help names the options" 1 "$(grep -c '^  --department DE' "$work/help")"

# -- PINs
cp -a "$state/patient/pin" "$work/pin"
printf '00000000' >"$state/patient/pin"
refused 6 "tries are left, but fewer.*not sent again" patient visit --dir "$state/patient" \
    --station 127.0.0.1:1 --doctor x --diagnosis-out "$work/x"
refused 6 "tries are left" token login --dir "$state/patient"
chmod 644 "$state/patient/pin"
refused 6 "chmod 600" patient visit --dir "$state/patient" --station 127.0.0.1:1 --doctor x \
    --diagnosis-out "$work/x"
cp -a "$work/pin" "$state/patient/pin"
refused 2 "pin-value" token audit --uri "$(jq -r .token "$state/patient/config.json")&pin-value=1"
refused 2 "pin-value" patient init --dir "$work/never" --id someone --authority x --cloud-file x \
    --token "pkcs11:token=x?pin-value=1234"
equal "no PIN was kept" "" "$(ls "$work/never" 2>/dev/null || true)"
sed 's/module-path=/pin-value=1234\&module-path=/' "$state/patient/config.json" >"$work/config.json"
cp -a "$state/patient/config.json" "$work/config.kept"
cp "$work/config.json" "$state/patient/config.json"
refused 2 "pin-value" token audit --dir "$state/patient"
cp -a "$work/config.kept" "$state/patient/config.json"
equal "the right PIN gives the tries back" fine \
    "$("$chartseal" token login --dir "$state/patient" --json | jq -r .pin)"
refused 2 "one of the two" token login
for number in 0 257 '"8"' -1; do
    jq ".token_sessions = $number" "$work/config.kept" >"$state/patient/config.json"
    refused 3 "token_sessions is a number from 1 to 256" token login --dir "$state/patient"
done
jq '.token_sessions = 1 | .token_timeout_ms = 20000' "$work/config.kept" \
    >"$state/patient/config.json"
equal "one session" true "$("$chartseal" token login --dir "$state/patient" --json | jq .ok)"
cp -a "$work/config.kept" "$state/patient/config.json"
equal "the right PIN afterwards" 0 "$("$chartseal" token audit --dir "$state/patient" >/dev/null &&
    echo 0)"

# -- a key of somebody else's, whose label is no UTF-8, does not hide the others from an audit
# foreign NAME OPTION...: pkcs11-tool on the token of that party
foreign() {
    local name=$1
    shift
    pkcs11-tool --module "$(jq -r '.token | sub(".*module-path="; "")' "$state/patient/config.json")" \
        --token-label "demo-$name" --login --pin "$(cat "$state/$name/pin")" --id 77 "$@" >/dev/null
}
foreign patient --keypairgen --key-type EC:prime256v1 --label $'caf\xe9'
equal "an audit with an odd label" "true caf?" "$("$chartseal" token audit --dir "$state/patient" \
    --json | jq -r '[.ok, (.keys[].name | select(startswith("caf")))] | join(" ")')"
foreign patient --delete-object --type privkey
foreign patient --delete-object --type pubkey

# -- other keys than those the home was made with
# with_config NAME FILTER STATUS WORD COMMAND...: refused while config.json is so changed
with_config() {
    local file=$state/$1/config.json filter=$2
    shift 2
    cp -a "$file" "$work/config.kept"
    jq "$filter" "$work/config.kept" >"$file"
    refused "$@"
    cp -a "$work/config.kept" "$file"
}
with_config hospital '.storage_check |= ltrimstr(.[0:1])' 7 "storage key" \
    hospital serve --dir "$state/hospital" --listen 127.0.0.1:0
with_config cloud 'del(.storage_check)' 3 "storage_check" \
    cloud serve --dir "$state/cloud" --listen 127.0.0.1:0
with_config cloud '.keys.sign |= sub("[?]"; "&pin-value=1234?")' 2 "pin-value" \
    cloud serve --dir "$state/cloud" --listen 127.0.0.1:0
foreign cloud --keypairgen --key-type EC:prime256v1 --label intruder --sensitive
with_config cloud '.keys.sign = "pkcs11:object=intruder"' 7 "cloud.cbor" \
    cloud serve --dir "$state/cloud" --listen 127.0.0.1:0
foreign cloud --delete-object --type privkey
foreign cloud --delete-object --type pubkey

# -- a whole visit on the running services, and what it may not have
visit 0 0 "a visit" --doctor "$doctor_id" -- --department general-medicine
equal "the record" "$(sha256sum <"$data/patient.json")" "$(sha256sum <"$work/record")"
equal "the diagnosis" "$(sha256sum <"$data/diagnosis.txt")" "$(sha256sum <"$work/diagnosis")"
rm -f "$work/record" "$work/diagnosis"
visit 5 5 "a record that is not there" --doctor "$doctor_id" -- --department general-medicine \
    --record 00112233445566778899aabbccddeeff
equal "no file of it" "" "$(ls "$work"/record* 2>/dev/null || true)"
equal "it is named" true "$(jq '.error.message | contains("00112233445566778899aabbccddeeff") and
    contains("general-medicine") and contains("leave --record out")' "$work/station.json")"
visit 5 5 "an unknown department, required" --doctor "$doctor_id" -- --department astrology \
    --require-record
equal "it is named" true "$(jq '.error.message | contains("astrology") and
    contains("--department")' "$work/station.json")"
for more in "" --no-record; do # without being required, it stops nobody from being treated
    rm -f "$work/diagnosis"
    visit 0 0 "a patient who is new to a department $more" --doctor "$doctor_id" -- \
        --department astrology ${more:+"$more"}
    equal "the diagnosis all the same" "$(sha256sum <"$data/diagnosis.txt")" \
        "$(sha256sum <"$work/diagnosis")"
    equal "not filed, and nothing is left over" "null true null 0" "$(jq -r '[.record,
        .diagnosis.delivered, .diagnosis.filed] | map(tostring) | join(" ")' \
        "$work/station.json") $(find "$state/doctor" -name 'unfiled-*' | wc -l)"
done
visit 4 4 "a consent for another department" --doctor "$doctor_id" --consent-department cardiology \
    -- --department general-medicine
# the station waits for somebody else then, and tells of this one at the end
visit 4 4 "another doctor than agreed" --doctor dr-somebody-else -- --department general-medicine \
    --timeout 12
visit 5 5 "a hospital that has none" --doctor "$doctor_id" -- --department general-medicine \
    --hospital hospital-south --require-record
visit 0 0 "the same, not required" --doctor "$doctor_id" -- --department general-medicine \
    --hospital hospital-south
equal "why there is none" not-found "$(jq -r .record_missing "$work/station.json")"
visit 0 0 "no consent, no record" --doctor "$doctor_id" --no-consent -- \
    --department general-medicine
equal "without consent" "null null" \
    "$(jq -r '[.record, .diagnosis.filed] | map(tostring) | join(" ")' "$work/station.json")"
visit 0 0 "any department, no record" --doctor "$doctor_id" --consent-department any -- \
    --department general-medicine --no-record
equal "filed without having read" string "$(jq -r '.diagnosis.filed | type' "$work/station.json")"

# -- a person is asked for what she signs: whose records, for what, until when
asked() { # WANTED-STATUS ANSWER OPTION...: on a terminal, what is asked goes to $work/asked
    local status=0
    start_station --diagnosis "$data/diagnosis.txt" --department general-medicine --no-record
    echo "$2" | script -qefc "'$chartseal' patient visit --dir '$state/patient' \
        --station '$station' --diagnosis-out '$work/diagnosis' ${*:3}" "$work/asked" >"$work/seen" ||
        status=$?
    equal "asked, and answered $2" "$1" "$status"
    if [ "$1" -ne 0 ]; then
        kill -TERM "$station_pid" # it waits on, for a patient who stays
    fi
    wait "$station_pid" || true
}
tomorrow=$(date -u -d tomorrow '+%F')
asked 0 y
equal "the consent is asked for" "1 1" "$(grep -c \
    "read your records of general-medicine, for treatment, until $tomorrow [0-9:]* UTC" \
    "$work/asked") $(grep -c 'and consent to that? \[y/N\]' "$work/asked")"
asked 0 y --consent-department any --purpose second-opinion
equal "of every department" 1 \
    "$(grep -c "records of every department, for second-opinion, until" "$work/asked")"
asked 0 y --no-consent
equal "without a consent none is asked for" "1 0" "$(grep -c 'No records of yours may be read' \
    "$work/asked") $(grep -c 'consent to that' "$work/asked" || true)"
asked 10 n
equal "a no" 1 "$(grep -c 'you declined; nothing about you was sent' "$work/asked")"

# -- an emergency: no device
"$chartseal" doctor visit --dir "$state/doctor" --department general-medicine \
    --emergency "unconscious" --patient "$patient_id" --diagnosis "$data/diagnosis.txt" \
    --record-out "$work/record" --json >"$work/emergency.json"
equal "an emergency" "true false string" "$(jq -r \
    '[.ok, .diagnosis.delivered, (.diagnosis.filed | type)] | map(tostring) | join(" ")' \
    "$work/emergency.json")"
refused 2 "go together" doctor visit --dir "$state/doctor" --department general-medicine \
    --emergency "unconscious" --diagnosis "$data/diagnosis.txt"

# -- ports
start_station --diagnosis "$data/diagnosis.txt" --department general-medicine
refused 8 "${station##*:}" doctor visit --dir "$state/doctor" --listen "$station" \
    --department general-medicine --diagnosis "$data/diagnosis.txt"
kill -TERM "$station_pid"
ends "$station_pid" "a station that is stopped" 10
refused 8 "127.0.0.1" patient visit --dir "$state/patient" --station "$station" \
    --doctor "$doctor_id" --diagnosis-out "$work/x"
refused 10 "--timeout" doctor visit --dir "$state/doctor" --listen 127.0.0.1:0 --timeout 1 \
    --department general-medicine --diagnosis "$data/diagnosis.txt"

# -- strangers who come first: one hangs up, one says nothing, one talks nonsense, one refuses
start_station --diagnosis "$data/diagnosis.txt" --department general-medicine --no-record
python3 - "${station##*:}" <<'PY' &
import socket, sys, time

def come(words):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    s.sendall(words)
    return s

come(b"").close()
silent = come(b"")
nonsense = come(b"GET / HTTP/1.1\r\n\r\n")
refusal = b"\x83\x73chartseal/1 refusal\x66replay\x60"
refusing = come(len(refusal).to_bytes(4, "big") + b"\x04" + refusal)
time.sleep(30)
PY
strangers=$!
sleep 1
patient_status=0
"$chartseal" patient visit --dir "$state/patient" --station "$station" --doctor "$doctor_id" \
    --diagnosis-out "$work/diagnosis" --json >"$work/patient.json" || patient_status=$?
equal "a patient after strangers" 0 "$patient_status"
ends "$station_pid" "a station that strangers came to" 0
kill -KILL "$strangers"

# -- the processes are closed to debuggers and leave no core
for pid in "$cloud_pid" "$hospital_pid"; do
    equal "core size of $pid" "0 0" "$(awk '/Max core file size/ {print $5, $6}' "/proc/$pid/limits")"
done

# -- crashes: the hospital dies while the doctor writes; the diagnosis is filed all the same
typing=$work/typing
mkfifo "$typing"
exec 7<>"$typing"
rm -f "$work/record"
start_station --diagnosis - --department general-medicine --record-out "$work/record"
"$chartseal" patient visit --dir "$state/patient" --station "$station" --doctor "$doctor_id" \
    --diagnosis-out "$work/diagnosis" --json >"$work/patient.json" 7>&- &
patient_pid=$!
for _ in $(seq 300); do
    [ -s "$work/record" ] && break
    sleep 0.1
done
kill_hard "$hospital_pid"
kill_hard "$cloud_pid"
start_cloud
start_hospital
cat "$data/diagnosis.txt" >&7
exec 7>&-
typing=
ends "$patient_pid" "the patient has the diagnosis" 0
ends "$station_pid" "the doctor could file it" 0
equal "it was filed in a new session" 2 "$(jq .filing_ops.sign "$work/station.json")"

# the hospital is away while the doctor writes: the diagnosis is kept
rm -f "$work/record"
kill_hard "$hospital_pid"
visit 8 8 "a hospital that is away" --doctor "$doctor_id" -- --department general-medicine
visit 8 0 "a hospital that is away at the filing" --doctor "$doctor_id" -- \
    --department general-medicine --no-record
kept=$(find "$state/doctor" -name 'unfiled-*')
equal "the diagnosis is kept" "$(sha256sum <"$data/diagnosis.txt")" "$(sha256sum <"$kept")"
start_hospital
visit 0 0 "a visit after the crash" --doctor "$doctor_id" -- --department general-medicine

# -- registered again, as after a lost answer: the old credential is superseded, the code still good
"$chartseal" patient register --dir "$state/patient" --code-file "$state/patient/enrolment-code" \
    --passphrase-file "$state/patient/passphrase" >/dev/null
rm "$state/doctor/credential.cbor"
refused 4 "register" doctor visit --dir "$state/doctor" --listen 127.0.0.1:0 \
    --department general-medicine --diagnosis "$data/diagnosis.txt"
"$chartseal" doctor register --dir "$state/doctor" >/dev/null
sleep 3 # until the new list of revoked credentials is handed out
visit 0 0 "a visit after registering again" --doctor "$doctor_id" -- --department general-medicine

# -- registration: a code is for one, and an identity too
mkdir "$work/other"
printf 'not a code\n' >"$work/code"
printf 'a passphrase\n' >"$work/phrase"
token=$(jq -r .token "$state/patient/config.json")
"$chartseal" token init --module "${token#*module-path=}" --label other \
    --so-pin-file "$state/patient/so-pin" --pin-file "$state/patient/pin" >/dev/null
init=(patient init --dir "$work/other/home" --id "$patient_id"
    --token "${token/demo-patient/other}" --authority "$state/authority/certificate.pem"
    --crl "$state/authority/crl.pem")
printf '00000000' >"$work/bad-pin"
chmod 600 "$work/bad-pin"
refused 6 "PIN" "${init[@]}" --pin-file "$work/bad-pin" --cloud-file "$state/cloud/cloud.cbor"
refused 3 "crl.pem holds no parameters" "${init[@]}" --pin-file "$state/patient/pin" --cloud-file "$state/patient/crl.pem"
init+=(--pin-file "$state/patient/pin" --cloud-file "$state/cloud/cloud.cbor")
openssl ecparam -name prime256v1 -genkey -noout -outform DER -out "$work/brought.der"
cp "$work/brought.der" "$work/privkey.der"
openssl ec -inform DER -in "$work/brought.der" -outform DER -pubout -out "$work/pubkey.der" 2>/dev/null
for type in privkey pubkey; do # with the label that init is going to give its own
    foreign patient --token-label other --write-object "$work/$type.der" --type "$type" \
        --label patient-sign --sensitive --usage-sign
done
refused 7 "not made there" "${init[@]}"
for type in privkey pubkey; do
    foreign patient --token-label other --delete-object --type "$type"
done
"$chartseal" "${init[@]}" >"$work/init.out"
equal "the fingerprint is shown" 1 "$(grep -c "$(sha256sum "$state/cloud/cloud.cbor" |
    cut -d' ' -f1)" "$work/init.out")"
refused 9 "already" "${init[@]}"
refused 4 "register" patient visit --dir "$work/other/home" --station 127.0.0.1:1 --doctor x \
    --cloud-url "$cloud_url" --diagnosis-out "$work/x"
register=(patient register --dir "$work/other/home" --cloud-url "$cloud_url"
    --code-file "$work/code" --passphrase-file "$work/phrase")
refused 3 "code" "${register[@]}"
printf '00112233445566778899aabbccddeeff\n' >"$work/code"
refused 4 "enrolment" "${register[@]}"
rm "$work/code"
"$chartseal" cloud enrol --dir "$state/cloud" --role patient --id "$patient_id" \
    --code-file "$work/code" >/dev/null
refused 4 "taken" "${register[@]}"

# -- revocation: of the certificate, which the doctor notices, and of credentials
"$chartseal" authority revoke --dir "$state/authority" \
    --certificate "$state/doctor/certificate.pem" >/dev/null
cp -a "$state/doctor/crl.pem" "$work/crl.pem"
cp "$state/authority/crl.pem" "$state/doctor/crl.pem"
refused 4 "revoked" doctor visit --dir "$state/doctor" --listen 127.0.0.1:0 \
    --department general-medicine --diagnosis "$data/diagnosis.txt"
cp -a "$work/crl.pem" "$state/doctor/crl.pem"
cp -a "$state/patient/crl.pem" "$work/crl.pem"
cp "$state/authority/crl.pem" "$state/patient/crl.pem"
visit 4 4 "a patient who knows of the revocation" --doctor "$doctor_id" -- \
    --department general-medicine --timeout 12
cp -a "$work/crl.pem" "$state/patient/crl.pem"
refused 5 "serial" authority revoke --dir "$state/authority" --serial 4000000000000001
"$chartseal" cloud revoke --dir "$state/cloud" --role patient --id "$patient_id" >/dev/null
sleep 3 # the service hands out the new list within two seconds
visit 4 4 "a revoked patient" --doctor "$doctor_id" -- --department general-medicine --timeout 12

# -- the audit chains have come through all of it
kill -TERM "$cloud_pid" "$hospital_pid"
wait "$cloud_pid" "$hospital_pid"
for server in cloud hospital; do
    equal "the audit chain of the $server" 0 "$("$chartseal" audit verify --dir "$state/$server" \
        >"$work/audit.out" 2>&1 && echo 0)"
done
