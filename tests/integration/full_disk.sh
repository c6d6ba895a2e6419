#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A hospital whose disk is full: what was acknowledged stays, the rest is refused whole, and it gets
# well by itself. The disk is a small one, in a mount namespace of the test's own.
# usage: full_disk.sh CHARTSEAL
if [ -z "${CHARTSEAL_NAMESPACE:-}" ]; then
    if ! unshare --mount true 2>/dev/null; then
        echo "SKIPPED: no mount namespace can be made here (unshare --mount), so no small disk"
        exit 77
    fi
    CHARTSEAL_NAMESPACE=1 exec unshare --mount "$0" "$@"
fi
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" full-disk

make_world
make_cloud ed25519
start cloud
mkdir "$work/hospital"
mount -t tmpfs -o size=6m,mode=700 tmpfs "$work/hospital"
make_hospital hospital hospital.example
make_doctor doctor D-1
make_patient patient P-1
start hospital
import hospital P-1 surgery "$data/patient.json" >/dev/null
visit doctor patient surgery

say "a full disk"
health() { # of the hospital: status and word
    curl -s -w '%{http_code}' "http://127.0.0.1:$(cat "$work/hospital.port")/healthz" | tr '\n' ' '
}
diagnoses() { # that the hospital has on its disk
    cs hospital list --dir "$work/hospital" --json |
        jq '[.records[] | select(.kind == "diagnosis")] | length'
}
[ "$(health)" = "ok 200" ] || fail "the health of the hospital: $(health)"
filed=$(diagnoses)
head -c 8000000 /dev/zero >"$work/hospital/ballast" 2>/dev/null || true
head -c 8000000 /dev/urandom >"$work/large"
refused 9 full hospital import --dir "$work/hospital" --patient P-1 --department surgery \
    --file "$work/large"
# What fits into pages that are free already gets through; sooner or later one is refused.
for ((i = 0; i < 20; i++)); do
    status=0
    visit doctor patient surgery || status=$?
    [ "$status" -eq 0 ] || break
    filed=$((filed + 1))
done
[ "$status" -eq 8 ] || fail "a visit on a full disk: $status, $(cat "$work/visit-doctor.json")"
[ "$(health)" = "disk-full 503" ] || fail "the health on a full disk: $(health)"
rm "$work/hospital/ballast"
kill_hard hospital
# What was acknowledged is there; of what was refused, all or nothing.
there=$(diagnoses)
[ "$there" -eq "$filed" ] || [ "$there" -eq $((filed + 1)) ] ||
    fail "$there diagnoses on the disk, $filed acknowledged"
start hospital
visit doctor patient surgery
cmp "$data/patient.json" "$work/visit.record"
[ "$(diagnoses)" -eq $((there + 1)) ] || fail "a diagnosis that was filed is not on the disk"
head -c 1000000 "$work/large" >"$work/small"
small=$(import hospital P-1 surgery "$work/small")
visit doctor patient surgery --record "$small"
cmp "$work/small" "$work/visit.record"
[ "$(health)" = "ok 200" ] || fail "the hospital does not get well: $(health)"

say "stopping"
stop hospital
stop cloud
cs audit verify --dir "$work/hospital" >/dev/null
