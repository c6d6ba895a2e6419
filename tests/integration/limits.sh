#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# PC and HPC at their limits: a port in use, a full queue, a stop in the middle of a request, a cloud
# that is away, hostile bodies.
# usage: limits.sh CHARTSEAL
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" limits

post() { # PATH CURL-OPTION...: "status" of a POST to the cloud
    curl -s -o "$work/answer" -w '%{http_code}\n' "$cloud_url$1" "${@:2}"
}

hold_lock() { # SECONDS: nobody else writes to the cloud's database meanwhile
    python3 - "$work/cloud/chartseal.db" "$1" "$work/held" <<'PYTHON' &
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
db.execute("BEGIN IMMEDIATE")
open(sys.argv[3], "w").close()
time.sleep(float(sys.argv[2]))
db.execute("ROLLBACK")
PYTHON
    holder=$!
    while [ ! -e "$work/held" ]; do sleep 0.02; done
    rm "$work/held"
}

say "founding"
make_world
make_cloud ed25519
start cloud --workers 1 --queue 2

say "a port in use"
refused 8 "$cloud_port" cloud serve --dir "$work/cloud" 2>&1

say "hostile bodies"
[ "$(post /v1/search --data-binary 'not CBOR')" = 400 ] || fail "rubbish"
[ "$(post /v1/search --data-binary '')" = 400 ] || fail "an empty body"
[ "$(head -c 6000000 /dev/zero | post /v1/register --data-binary @-)" = 413 ] || fail "6 MB"
[ "$(post /v1/nothing --data-binary x)" = 404 ] || fail "an unknown path"
[ "$(post /v1/search -X GET)" = 405 ] || fail "a GET"
[ "$(curl -s -o "$work/answer" -w '%{http_code}' "$cloud_url/v1/parameters")" = 200 ]
cmp "$work/answer" "$work/cloud/cloud.cbor"

say "bodies that never end, on every connection"
python3 - "$cloud_port" "${pids[cloud]}" "${SANITIZE:-OFF}" <<'PYTHON'
import socket, sys, time
port, pid, sanitized = int(sys.argv[1]), sys.argv[2], sys.argv[3] != "OFF"
held = []
for size, count in ((4 << 20, 20), (262144, 300), (60000, 180)):
    for _ in range(count):
        s = socket.create_connection(("127.0.0.1", port))
        try:
            s.sendall(b"POST /v1/search HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
            s.sendall(bytes(size - 1))
        except OSError:
            pass
        held.append(s)
time.sleep(0.5)
most = [int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith("VmHWM")][0]
print(f"{most} KiB", "with a sanitizer" if sanitized else "")
if most > 96 << 10 and not sanitized: # a sanitizer has a multiple of it for itself
    sys.exit(f"FAILED: {most} KiB of memory")
held[319].sendall(b"x") # the last of the large ones
answer = held[319].recv(4096)
if b" 503 " not in answer or b"Retry-After" not in answer:
    sys.exit(f"FAILED: {answer!r} and not 503")
PYTHON
[ "$(post /v1/search --data-binary 'not CBOR')" = 400 ] || fail "no answer after the flood"

say "rubbish leaves one entry of its kind"
member patient early P-0
enrol patient P-0
echo phrase >"$work/early.phrase"
cs patient register --dir "$work/early" --cloud-url "$cloud_url" --code-file "$work/P-0.code" \
    --passphrase-file "$work/early.phrase" --wire-log "$work/early.log" >/dev/null
# What the cloud has to write something for, again and again: it asks whether it has seen it.
jq -r 'select(.type == "R1") | .hex' "$work/early.log" |
    python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' >"$work/r1"
entries() {
    cs audit verify --dir "$work/cloud" --json | jq .entries
}
before=$(entries)
for ((i = 0; i < 30; i++)); do
    [ "$(post /v1/search --data-binary "rubbish $i")" = 400 ] || fail "rubbish"
    [ "$(post /v1/register --data-binary "@$work/r1")" = 403 ] || fail "a message repeated"
done
[ $(($(entries) - before)) -le 6 ] || fail "$(($(entries) - before)) entries for 60 requests"
stop cloud
cs audit export --dir "$work/cloud" --out "$work/cloud.fhir" >/dev/null
[ "$(jq '[.entry[].resource | select(.subtype[0].code == "register" and .outcomeDesc == "replay") |
    .entity[0].description | split(" ")[0] | tonumber] | add' "$work/cloud.fhir")" -eq 30 ] ||
    fail "the repetitions are not counted in the log"
start cloud --workers 1 --queue 2

say "a full queue"
hold_lock 2
asked=()
for i in 1 2 3 4 5 6; do
    curl -s -o /dev/null -D "$work/head.$i" --data-binary "@$work/r1" "$cloud_url/v1/register" &
    asked+=($!)
    sleep 0.05
done
curl -sf "$cloud_url/healthz" >/dev/null || fail "no /healthz while all workers are busy"
wait "${asked[@]}" "$holder"
[ "$(grep -l ' 503 ' "$work"/head.* | wc -l)" -eq 3 ] || fail "$(head -n 1 "$work"/head.*)"
[ "$(grep -l ' 403 ' "$work"/head.* | wc -l)" -eq 3 ] || fail "$(head -n 1 "$work"/head.*)"
[ "$(grep -li '^retry-after: [1-9]' "$work"/head.* | wc -l)" -eq 3 ] ||
    fail "503 without Retry-After"

say "a stop in the middle of a request"
hold_lock 1
curl -s -o /dev/null -w '%{http_code}' --data-binary "@$work/r1" "$cloud_url/v1/register" \
    >"$work/status" &
last=$!
sleep 0.3
stop cloud
wait "$last" "$holder"
[ "$(cat "$work/status")" = 403 ] || fail "the request got no answer: $(cat "$work/status")"

say "a cloud that is away"
start cloud
make_hospital hospital hospital.example
make_doctor doctor D-1
make_patient patient P-1
stop cloud
cs hospital import --dir "$work/hospital" --patient P-1 --department surgery \
    --file "$data/patient.json" --json | jq -e '.published == false' >/dev/null ||
    fail "the import does not say that it is not published"
start hospital
start cloud
for ((i = 0; i < 100; i++)); do
    ! cs hospital status --dir "$work/hospital" --json | jq -e '.unpublished == 0' >/dev/null ||
        break
    sleep 0.3
done
visit doctor patient surgery
cmp "$data/patient.json" "$work/visit.record"

say "a stop while the cloud takes requests and does not answer"
stop hospital
stop cloud
for department in a b c d e; do
    cs hospital import --dir "$work/hospital" --patient P-1 --department "$department" \
        --file "$data/diagnosis.txt" >/dev/null
done
python3 - "$cloud_port" "$work/mute" <<'PYTHON' &
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), reuse_port=False)
held = [listener.accept()]
open(sys.argv[2], "w").close()
while True:
    held.append(listener.accept())
PYTHON
mute=$!
start hospital
while [ ! -e "$work/mute" ]; do sleep 0.1; done
SECONDS=0
stop hospital
[ "$SECONDS" -lt 10 ] || fail "stopping took $SECONDS s"
{ kill -KILL "$mute" && wait "$mute"; } 2>/dev/null || true
start cloud
start hospital

say "stopping"
stop hospital
stop cloud
cs audit verify --dir "$work/hospital" >/dev/null
