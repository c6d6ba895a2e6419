# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What the tests of the running parties share; to be sourced. Everything is under $work, tokens are
# SoftHSM's with a configuration of their own, ports are free ones, and every process that was
# started is gone at the end.
#
# usage: . parties.sh CHARTSEAL NAME

set -euo pipefail
chartseal=${1:?path of the command}
module=${CHARTSEAL_TEST_MODULE:-/usr/lib/softhsm/libsofthsm2.so}
data=$(cd "$(dirname "${BASH_SOURCE[0]}")/../data" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/chartseal-$2.XXXXXX")
declare -A pids=()

# SoftHSM 2.6.1 loses a few bytes with each EdDSA signature; who did it shows in a whole stack only,
# which is slow: for services alone.
echo leak:libsofthsm2 >"$work/lsan"
sanitizers=(ASAN_OPTIONS=fast_unwind_on_malloc=0
    "LSAN_OPTIONS=suppressions=$work/lsan:print_suppressions=0")

finish() {
    local status=$? name
    for name in "${!pids[@]}"; do
        { kill -KILL "${pids[$name]}" && wait "${pids[$name]}"; } 2>/dev/null || true
    done
    # whatever else works in the background, with its children: a failed test ends at once
    for name in $(jobs -p); do
        { pkill -KILL -P "$name"; kill -KILL "$name"; wait "$name"; } 2>/dev/null || true
    done
    if [ "$status" -ne 0 ]; then
        tail -n 20 "$work"/log/*.err >&2 2>/dev/null || true
    fi
    umount "$work"/* 2>/dev/null || true
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

say() {
    echo "== $*"
}

cs() {
    "$chartseal" "$@"
}

# refused STATUS TEXT COMMAND...: the command ends with that status, one line on standard error
# that has TEXT in it.
refused() {
    local wanted=$1 text=${2:?refused: a text that the line has to have} status=0
    shift 2
    cs "$@" >"$work/refused.out" 2>"$work/refused.err" || status=$?
    [ "$status" -eq "$wanted" ] ||
        fail "chartseal $1 $2: status $status, not $wanted: $(cat "$work/refused.err")"
    [ "$(wc -l <"$work/refused.err")" -eq 1 ] ||
        fail "chartseal $1 $2: not one line: $(cat "$work/refused.err")"
    grep -qi -- "$text" "$work/refused.err" ||
        fail "chartseal $1 $2: no '$text' in: $(cat "$work/refused.err")"
}

free_port() {
    python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

make_token() { # LABEL: unless make_tpm of tpms.sh has made it one
    [ -z "${tpm_ports[$1]:-}" ] || return 0
    cs token init --module "$module" --label "$1" --so-pin-file "$work/so.pin" \
        --pin-file "$work/pin" >/dev/null
}

uri() { # LABEL
    if [ -n "${tpm_ports[$1]:-}" ]; then
        tpm_uri "$1"
    else
        echo "pkcs11:token=$1?module-path=$module"
    fi
}
declare -A tpm_ports=()

make_world() {
    mkdir -p "$work/tokens" "$work/log"
    printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' \
        "$work/tokens" >"$work/softhsm2.conf"
    export SOFTHSM2_CONF=$work/softhsm2.conf
    umask 077
    echo 87654321 >"$work/so.pin"
    echo 12345678 >"$work/pin"
    make_token board
    cs authority init --dir "$work/board" --name 'Test Board' --token "$(uri board)" \
        --pin-file "$work/pin" >/dev/null
}

make_cloud() { # SUITE [OPTION...]
    local suite=$1
    shift
    make_token cloud
    cloud_port=$(free_port)
    cs cloud init --dir "$work/cloud" --id pc.example --token "$(uri cloud)" \
        --pin-file "$work/pin" --suite "$suite" --authority "$work/board/certificate.pem" \
        --crl "$work/board/crl.pem" --listen "127.0.0.1:$cloud_port" "$@" >/dev/null
    cloud_url=http://127.0.0.1:$cloud_port
}

# start NAME OPTION...: the service NAME (cloud, hospital) of $work/NAME, until it answers.
start() {
    local name=$1 i group
    shift
    rm -f "$work/$name.port"
    read -ra group <<<"${service_of[$name]:-$name}"
    env "${sanitizers[@]}" "$chartseal" "${group[@]}" serve --dir "$work/$name" \
        --port-file "$work/$name.port" "$@" >>"$work/log/$name.out" 2>>"$work/log/$name.err" &
    pids[$name]=$!
    for ((i = 0; i < 400; i++)); do
        [ ! -s "$work/$name.port" ] || return 0
        kill -0 "${pids[$name]}" 2>/dev/null || break
        sleep 0.05
    done
    fail "$name does not start"
}
declare -A service_of=()

stop() { # NAME: gracefully; it must end by itself with status 0
    local status=0
    kill -TERM "${pids[$1]}"
    wait "${pids[$1]}" || status=$?
    unset "pids[$1]"
    [ "$status" -eq 0 ] || fail "$1 stopped with status $status"
}

kill_hard() { # NAME
    { kill -KILL "${pids[$1]}" && wait "${pids[$1]}"; } 2>/dev/null || true
    unset "pids[$1]"
}

member() { # ROLE DIR ID [OPTION...]: init
    local role=$1 dir=$2 id=$3
    shift 3
    make_token "$dir"
    cs "$role" init --dir "$work/$dir" --id "$id" --token "$(uri "$dir")" --pin-file "$work/pin" \
        --cloud-file "$work/cloud/cloud.cbor" --authority "$work/board/certificate.pem" \
        --crl "$work/board/crl.pem" "$@" >/dev/null
}

certify() { # REQUEST OUT
    cs authority issue --dir "$work/board" --request "$1" --out "$2" >/dev/null
    cs authority crl --dir "$work/board" >/dev/null
}

enrol() { # ROLE ID
    cs cloud enrol --dir "$work/cloud" --role "$1" --id "$2" --code-file "$work/$2.code"
}

make_hospital() { # DIR ID [OPTION...]
    local dir=$1 id=$2 port
    shift 2
    port=$(free_port)
    member hospital "$dir" "$id" --listen "127.0.0.1:$port" "$@"
    certify "$work/$dir/request.pem" "$work/$dir.pem"
    enrol hospital "$id"
    cs hospital register --dir "$work/$dir" --cloud-url "$cloud_url" \
        --code-file "$work/$id.code" --certificate "$work/$dir.pem" >/dev/null
}

make_telecare() { # DIR ID [OPTION...]: the storage cloud of telecare
    local dir=$1 id=$2
    shift 2
    service_of[$dir]="cloud telecare"
    make_token "$dir"
    telecare_port=$(free_port)
    # shellcheck disable=SC2034 # for whoever sources this
    telecare_url=http://127.0.0.1:$telecare_port
    cs cloud telecare init --dir "$work/$dir" --id "$id" --token "$(uri "$dir")" \
        --pin-file "$work/pin" --cloud-file "$work/cloud/cloud.cbor" \
        --authority "$work/board/certificate.pem" --crl "$work/board/crl.pem" \
        --listen "127.0.0.1:$telecare_port" "$@" >/dev/null
    certify "$work/$dir/request.pem" "$work/$dir.pem"
    enrol cloud "$id"
    cs cloud telecare register --dir "$work/$dir" --cloud-url "$cloud_url" \
        --code-file "$work/$id.code" --certificate "$work/$dir.pem" >/dev/null
}

make_doctor() { # DIR ID
    member doctor "$1" "$2" --name "Dr. $2"
    cs doctor csr --dir "$work/$1" --out "$work/$1.csr" >/dev/null
    certify "$work/$1.csr" "$work/$1.pem"
    cs doctor register --dir "$work/$1" --cloud-url "$cloud_url" \
        --certificate "$work/$1.pem" >/dev/null
}

make_patient() { # DIR ID
    member patient "$1" "$2"
    enrol patient "$2"
    echo "passphrase of $2" >"$work/$1.phrase"
    register_patient "$1" "$2"
}

register_patient() { # DIR ID
    cs patient register --dir "$work/$1" --cloud-url "$cloud_url" --code-file "$work/$2.code" \
        --passphrase-file "$work/$1.phrase" >/dev/null
}

# eyes DIR: iris, a second scan of it (300 of 2048 bits differ), and a stranger's, from a fixed seed
eyes() {
    python3 - "$1" <<'PYTHON'
import random, sys
r = random.Random(5)
iris = r.getrandbits(2048)
scan = iris
for place in r.sample(range(2048), 300):
    scan ^= 1 << place
for name, bits in (("iris", iris), ("scan", scan), ("stranger", r.getrandbits(2048))):
    open(sys.argv[1] + "/" + name, "wb").write(bits.to_bytes(256, "big"))
PYTHON
}

import() { # DIR PATIENT DEPARTMENT FILE: prints the record's id
    cs hospital import --dir "$work/$1" --patient "$2" --department "$3" --file "$4" --json |
        jq -r .record_id
}

# visit DOCTOR PATIENT DEPARTMENT [OPTION of doctor visit...]: one whole visit. Results are
# $work/visit.{record,signal,diagnosis} and visit-{doctor,patient}.json; the status is the
# doctor's, else the patient's.
visit() {
    local doctor=$1 patient=$2 department=$3 station i d=0 p=0
    shift 3
    rm -f "$work"/visit.* "$work"/visit-*.json
    "$chartseal" doctor visit --dir "$work/$doctor" --listen 127.0.0.1:0 \
        --port-file "$work/visit.port" --department "$department" \
        --diagnosis "$data/diagnosis.txt" --record-out "$work/visit.record" \
        --signal-out "$work/visit.signal" --timeout "${patience:-60}" --json "$@" \
        >"$work/visit-doctor.json" 2>"$work/log/doctor.err" &
    station=$!
    for ((i = 0; i < 200; i++)); do
        [ ! -s "$work/visit.port" ] || break
        kill -0 "$station" 2>/dev/null || break
        sleep 0.05
    done
    if [ ! -s "$work/visit.port" ]; then
        wait "$station" || return $?
        fail "the station opened no port"
    fi
    "$chartseal" patient visit --dir "$work/$patient" \
        --station "127.0.0.1:$(tr -d '\n' <"$work/visit.port")" --doctor "${doctor_id:-D-1}" \
        --signal "$data/ecg-360hz-u16le.bin" --diagnosis-out "$work/visit.diagnosis" \
        --timeout 60 --json "${patient_options[@]}" >"$work/visit-patient.json" \
        2>"$work/log/patient.err" || p=$?
    wait "$station" || d=$?
    [ "$d" -eq 0 ] || return "$d"
    return "$p"
}
patient_options=()

metric() { # NAME LINE-START: the value of a series
    curl -s "http://127.0.0.1:$(cat "$work/$1.port")/metrics" | awk -v key="$2" -v OFMT=%.3f '
        index($0, key) == 1 { sum += $NF } END { print sum + 0 }'
}
