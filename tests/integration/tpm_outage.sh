#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A TPM that is gone in the middle of a visit, the cloud's or the patient's: a clear error in time,
# and the next visit works once it is back, with the same cloud that has run all along.
# usage: tpm_outage.sh CHARTSEAL
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" tpm-outage
# shellcheck source=tests/integration/tpms.sh
. "$(dirname "$0")/tpms.sh"

TIMEOUT_S=10 # of whatever a TPM is asked for
SLACK_S=10   # of a loaded machine

# begin_visit: the doctor's station and the patient's device in the background, with wire logs
begin_visit() {
    local i
    rm -f "$work"/visit.* "$work"/visit-*.json "$work"/wire-*
    "$chartseal" doctor visit --dir "$work/doctor" --listen 127.0.0.1:0 \
        --port-file "$work/visit.port" --department cardiology --diagnosis "$data/diagnosis.txt" \
        --record-out "$work/visit.record" --signal-out "$work/visit.signal" --require-record \
        --timeout 60 --wire-log "$work/wire-doctor" --json >"$work/visit-doctor.json" 2>&1 &
    pids[doctor]=$!
    for ((i = 0; i < 200; i++)); do
        [ ! -s "$work/visit.port" ] || break
        sleep 0.05
    done
}

meet() {
    "$chartseal" patient visit --dir "$work/patient" \
        --station "127.0.0.1:$(tr -d '\n' <"$work/visit.port")" --doctor D-1 \
        --passphrase-file "$work/patient.phrase" --diagnosis-out "$work/visit.diagnosis" \
        --timeout 60 --wire-log "$work/wire-patient" --json >"$work/visit-patient.json" 2>&1 &
    pids[patient]=$!
}

await() { # FILE TYPE: that message is in the log
    local i
    for ((i = 0; i < 400; i++)); do
        if grep -qs "\"$2\"" "$work/$1"; then return 0; fi
        sleep 0.05
    done
    fail "no $2 in $1"
}

connected() { # the patient's device to the station, that is: its token is open
    local i wanted
    wanted=$(printf ' 0100007F:%04X 01 ' "$(cat "$work/visit.port")")
    for ((i = 0; i < 400; i++)); do
        if grep -q "$wanted" /proc/net/tcp; then return 0; fi
        sleep 0.05
    done
    fail "the patient's device does not connect"
}

# ended NAME SINCE STATUS TEXT: it ends in time, with that status and an error that says TEXT
ended() {
    local status=0
    wait "${pids[$1]}" || status=$?
    unset "pids[$1]"
    [ $((SECONDS - $2)) -le $((TIMEOUT_S + SLACK_S)) ] || fail "$1 ended after $((SECONDS - $2)) s"
    [ "$status" -eq "$3" ] || fail "$1: status $status: $(cat "$work/visit-$1.json")"
    jq -r .error.message "$work/visit-$1.json" | grep -q -e "$4" ||
        fail "$1: no '$4' in $(cat "$work/visit-$1.json")"
}

works() {
    visit doctor patient cardiology --require-record
    cmp "$data/patient.json" "$work/visit.record"
    cmp "$data/diagnosis.txt" "$work/visit.diagnosis"
    kill -0 "${pids[cloud]}" || fail "the cloud has ended"
}

# health STATUS WORD: what the cloud comes to say of itself
health() {
    local i
    for ((i = 0; i < 200; i++)); do
        if [ "$(curl -s -o "$work/health" -w '%{http_code}' "$cloud_url/healthz")" = "$1" ] &&
            grep -q -e "$2" "$work/health"; then return 0; fi
        sleep 0.1
    done
    fail "the cloud's health is not $1 $2: $(cat "$work/health")"
}

say "founding"
make_world
make_tpm cloud
make_cloud p256
start cloud
cloud_pid=${pids[cloud]}
make_hospital hospital H-1
start hospital
make_doctor doctor D-1
make_tpm_patient patient P-1
import hospital P-1 cardiology "$data/patient.json" >/dev/null
patient_options=(--passphrase-file "$work/patient.phrase")
works

say "the cloud's TPM is gone while it is asked"
begin_visit
kill -STOP "${pids[tpm-cloud]}"
meet
await wire-doctor S1
began=$SECONDS
kill_tpm cloud
ended doctor "$began" 8 'the cloud could not go on (token-absent)'
ended patient "$began" 8 'could not go on'
health 503 token
grep -q 'search: token-absent' "$work/log/cloud.err" || fail "the cloud's log says nothing"

say "and gone before it is asked"
status=0
visit doctor patient cardiology --require-record || status=$?
[ "$status" -eq 8 ] || fail "a visit without the cloud's TPM: $status"

say "it is back"
restart_tpm cloud
health 200 ''
works

say "the patient's TPM is gone in the middle of the consultation"
begin_visit
kill -STOP "${pids[doctor]}"
meet
connected
began=$SECONDS
kill_tpm patient
kill -CONT "${pids[doctor]}"
ended patient "$began" 7 'see that it runs'
[ ! -e "$work/visit.record" ] || fail "a record without a consent"
meet
ended patient "$SECONDS" 7 'see that it runs'

say "it is back, and the station has waited"
restart_tpm patient
meet
for name in patient doctor; do
    wait "${pids[$name]}" || fail "$name: $(cat "$work/visit-$name.json")"
    unset "pids[$name]"
done
cmp "$data/patient.json" "$work/visit.record"
cmp "$data/diagnosis.txt" "$work/visit.diagnosis"
works
[ "${pids[cloud]}" = "$cloud_pid" ] || fail "another cloud"
stop hospital
stop cloud
say "done"
