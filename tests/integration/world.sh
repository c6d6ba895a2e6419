# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# shellcheck disable=SC2034 # variables for whoever sources this
#
# Sourced by the tests of the command. Sets up $work, and has what they share: assertions, and a
# world (`demo --state`) whose services can be started, killed and started again on their ports.

chartseal=${1:?usage: $0 PATH-OF-CHARTSEAL}
data=$(cd "$(dirname "${BASH_SOURCE[0]}")/../data" && pwd)
work=$(mktemp -d)
state=$work/state
cloud_pid=
hospital_pid=
failures=0

finish() {
    local status=$?
    for pid in $(jobs -p); do
        kill -KILL "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
    if [ "$status" -eq 0 ] && [ "$failures" -gt 0 ]; then
        echo "$failures check(s) failed" >&2
        exit 1
    fi
    exit "$status"
}
trap finish EXIT

fail() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

# equal WHAT WANTED GOT
equal() {
    if [ "$2" = "$3" ]; then
        echo "ok: $1"
    else
        fail "$1: wanted '$2', got '$3'"
    fi
}

# refused STATUS WORD COMMAND...: the exit status, one line on standard error, and a word in it.
refused() {
    local wanted=$1 word=${2:?refused: a word that the line has to have} status=0 lines
    shift 2
    "$chartseal" "$@" >"$work/refused.out" 2>"$work/refused.err" </dev/null || status=$?
    lines=$(wc -l <"$work/refused.err")
    if [ "$status" -ne "$wanted" ]; then
        fail "$1 $2: wanted exit status $wanted, got $status: $(cat "$work/refused.err")"
    elif [ "$lines" -ne 1 ] || ! grep -qi -e "$word" "$work/refused.err"; then
        fail "$1 $2: wanted one line with '$word', got: $(cat "$work/refused.err")"
    else
        echo "ok: $1 $2, exit $status: $(cat "$work/refused.err")"
    fi
}

make_world() {
    "$chartseal" demo --record "$data/patient.json" --state "$state" --json >"$work/demo.json"
    export SOFTHSM2_CONF=$state/tokens/softhsm2.conf
    patient_id=$(jq -r .id "$state/patient/config.json")
    doctor_id=$(jq -r .id "$state/doctor/config.json")
    cloud_url=$(jq -r .cloud_url "$state/doctor/config.json")
    hospital_url=$(jq -r .url "$state/hospital/config.json")
}

# wait_healthy URL
wait_healthy() {
    for _ in $(seq 300); do
        if curl -sf -o /dev/null "$1/healthz"; then
            return 0
        fi
        sleep 0.1
    done
    echo "$1 does not become healthy: $(tail -n 3 "$work"/*.log)" >&2
    exit 1
}

start_cloud() {
    "$chartseal" cloud serve --dir "$state/cloud" --listen "${cloud_url#http://}" \
        >>"$work/cloud.log" 2>&1 7>&- &
    cloud_pid=$!
    wait_healthy "$cloud_url"
}

start_hospital() {
    "$chartseal" hospital serve --dir "$state/hospital" --listen "${hospital_url#http://}" \
        >>"$work/hospital.log" 2>&1 7>&- &
    hospital_pid=$!
    wait_healthy "$hospital_url"
}

# kill_hard PID: as a crash, without a chance to write anything.
kill_hard() {
    kill -KILL "$1"
    wait "$1" 2>/dev/null || true
}

# start_station OPTIONS...: the doctor's station in the background; sets $station_pid and $station.
# Its standard input is $typing, if that is set, whose writing end may be our descriptor 7.
start_station() {
    rm -f "$work/station.port"
    "$chartseal" doctor visit --dir "$state/doctor" --listen 127.0.0.1:0 \
        --port-file "$work/station.port" --json "$@" \
        >"$work/station.json" 2>"$work/station.err" <"${typing:-/dev/null}" 7>&- &
    station_pid=$!
    for _ in $(seq 300); do
        if [ -s "$work/station.port" ]; then
            station=127.0.0.1:$(cat "$work/station.port")
            return 0
        fi
        kill -0 "$station_pid" 2>/dev/null || break
        sleep 0.1
    done
    station=
}

# ends PID WHAT STATUS
ends() {
    local status=0
    wait "$1" || status=$?
    equal "$2" "$3" "$status"
}

# visit WANTED-DOCTOR-STATUS WANTED-PATIENT-STATUS NAME [PATIENT-OPTION...] -- [DOCTOR-OPTION...]
visit() {
    local doctor_wanted=$1 patient_wanted=$2 name=$3 doctor_status=0 patient_status=0
    local patient_options=()
    shift 3
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        patient_options+=("$1")
        shift
    done
    shift
    start_station --diagnosis "$data/diagnosis.txt" --record-out "$work/record" "$@"
    "$chartseal" patient visit --dir "$state/patient" --station "$station" \
        --diagnosis-out "$work/diagnosis" --json "${patient_options[@]}" \
        >"$work/patient.json" 2>"$work/patient.err" </dev/null || patient_status=$?
    wait "$station_pid" || doctor_status=$?
    equal "$name: the doctor's exit status" "$doctor_wanted" "$doctor_status"
    equal "$name: the patient's exit status" "$patient_wanted" "$patient_status"
    if [ "$doctor_status" -ne "$doctor_wanted" ] || [ "$patient_status" -ne "$patient_wanted" ]; then
        cat "$work/station.json" "$work/patient.json" >&2
    fi
}
