#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A TPM that several share through the access broker tpm2-abrmd, which swaps their keys and sessions
# in and out: cloud and patient on one TPM, a visit, and nothing left in it.
# usage: tpm_broker.sh CHARTSEAL
for tool in tpm2-abrmd dbus-run-session; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: $tool is not installed (Debian: tpm2-abrmd, libtss2-tcti-tabrmd0, dbus-daemon)"
        exit 77
    fi
done
if [ -z "${CHARTSEAL_BUS:-}" ]; then
    CHARTSEAL_BUS=1 exec dbus-run-session -- "$0" "$@"
fi
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" tpm-broker
# shellcheck source=tests/integration/tpms.sh
. "$(dirname "$0")/tpms.sh"

broker=tabrmd:bus_type=session

start_broker() {
    local i options=(--session "--tcti=$(tcti shared)")
    if [ "$(id -u)" -eq 0 ]; then
        options+=(--allow-root)
    fi
    tpm2-abrmd "${options[@]}" >"$work/log/broker.out" 2>"$work/log/broker.err" &
    pids[broker]=$!
    for ((i = 0; i < 100; i++)); do
        if tpm2_getcap -T "$broker" properties-fixed >/dev/null 2>&1; then return 0; fi
        kill -0 "${pids[broker]}" 2>/dev/null || break
        sleep 0.1
    done
    fail "the broker does not start: $(cat "$work/log/broker.err")"
}

shared_uri() { # NAME: keys of its own, in the one TPM
    echo "tpm2:dir=$work/$1.keys?tcti=$broker"
}

say "founding"
make_world
make_tpm shared
start_broker
mkdir -m 700 "$work/cloud.keys" "$work/patient.keys"
uri() { # LABEL: the cloud's and the patient's tokens are the TPM
    case $1 in
    cloud | patient) shared_uri "$1" ;;
    *) echo "pkcs11:token=$1?module-path=$module" ;;
    esac
}
make_token() { # LABEL
    case $1 in
    cloud | patient) ;;
    *) cs token init --module "$module" --label "$1" --so-pin-file "$work/so.pin" \
        --pin-file "$work/pin" >/dev/null ;;
    esac
}
make_cloud p256
start cloud
make_hospital hospital hospital.example
start hospital
make_doctor doctor D-1
make_patient patient P-1
import hospital P-1 cardiology "$data/patient.json" >/dev/null

say "visits, while others ask the TPM too"
for ((i = 0; i < 20; i++)); do
    tpm2_getrandom -T "$broker" 16 >/dev/null || exit 1
done &
others=$!
visit doctor patient cardiology
cmp "$data/patient.json" "$work/visit.record"
cmp "$data/diagnosis.txt" "$work/visit.diagnosis"
wait "$others" || fail "the broker did not serve the others"
visit doctor patient cardiology
[ "$(cs token audit --dir "$work/patient" --json | jq '[.keys[] | select(.extractable)] | length')" = 0 ]

say "nothing is left in the TPM"
stop hospital
stop cloud
for kind in handles-transient handles-loaded-session handles-saved-session; do
    [ -z "$(tpm2_getcap -T "$broker" "$kind")" ] || fail "$kind: $(tpm2_getcap -T "$broker" "$kind")"
done

say "a broker that goes away and comes back"
start cloud
start hospital
kill_hard broker
status=0
cs token login --dir "$work/patient" 2>"$work/absent" || status=$?
[ "$status" -eq 7 ] || fail "a broker that is away: $status"
# the broker's own library says so too, before
tail -n 1 "$work/absent" | grep -q "tabrmd.*see that it runs" || fail "$(cat "$work/absent")"
start_broker
visit doctor patient cardiology
stop hospital
stop cloud
