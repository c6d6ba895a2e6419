#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Where the command writes: what was there before is not lost, and what could not be written is not
# told as done. Devices are of our own making; the machine's are never an --out here.
# usage: outputs.sh CHARTSEAL
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" outputs

say "founding"
make_world
make_cloud ed25519
enrol patient P-1

say "an audit export takes no file that is there"
echo "kept for ten years" >"$work/export"
refused 9 "another --out" audit export --dir "$work/cloud" --out "$work/export"
[ "$(cat "$work/export")" = "kept for ten years" ] || fail "the file that was there is gone"
cs audit export --dir "$work/cloud" --out "$work/new.export" >/dev/null
jq -e '.entry | length == 1' "$work/new.export" >/dev/null || fail "no new export"

say "what is told of an output, for machines"
[ "$(cs cloud enrol --dir "$work/cloud" --role hospital --id H-1 --json |
    jq -r '[.ok, .role, .id, (.code | test("^[0-9a-f-]{39}$"))] | map(tostring) | join(" ")')" = \
    "true hospital H-1 true" ] || fail "no code in the answer"
[ "$(cs cloud enrol --dir "$work/cloud" --role hospital --id H-1 --json --code-file "$work/code" |
    jq -r '[.ok, .code, .code_file] | map(tostring) | join(" ")')" = "true null $work/code" ] ||
    fail "no file in the answer"
grep -qE '^[0-9a-f-]{39}$' "$work/code" || fail "no code in the file"
cs audit export --dir "$work/cloud" --out "$work/told" --json |
    jq -e --arg file "$work/told" '.ok and .file == $file and .entries == 3 and .unreadable == 0' \
        >/dev/null || fail "the export is not told"
[ "$( (cs audit export --dir "$work/cloud" --json || true) | jq -r .error.code)" = usage ] || fail "two values"
say "links, pipes and devices stay what they are"
request=$work/hospital.csr
make_token doctor
cs doctor init --dir "$work/doctor" --id D-1 --name 'Dr. One' --token "$(uri doctor)" \
    --pin-file "$work/pin" --cloud-file "$work/cloud/cloud.cbor" \
    --authority "$work/board/certificate.pem" >/dev/null
mkdir "$work/elsewhere"
ln -s elsewhere/request "$work/link"
touch "$work/elsewhere/request"
cs doctor csr --dir "$work/doctor" --out "$work/link" >/dev/null
[ -L "$work/link" ] || fail "the link is gone"
cmp "$work/link" "$work/doctor/request.pem"
ln -s nowhere "$work/dangling"
refused 2 "link to something" doctor csr --dir "$work/doctor" --out "$work/dangling"
refused 2 "is a directory" doctor csr --dir "$work/doctor" --out "$work/elsewhere"
mkfifo "$work/pipe"
refused 9 "nobody reads" doctor csr --dir "$work/doctor" --out "$work/pipe"
cat "$work/pipe" >"$work/read" &
reader=$!
exec 7<>"$work/pipe" # so that the reader is there, whatever it takes to start
cs doctor csr --dir "$work/doctor" --out "$work/pipe" >/dev/null 7>&-
exec 7>&-
wait "$reader"
cmp "$work/read" "$work/doctor/request.pem"
[ -p "$work/pipe" ] || fail "the pipe is gone"
if mknod "$work/full" c 1 7 2>/dev/null && { : >"$work/full"; } 2>/dev/null; then
    refused 9 "space" doctor csr --dir "$work/doctor" --out "$work/full"
    refused 9 "space" cloud enrol --dir "$work/cloud" --role patient --id P-2 \
        --code-file "$work/full"
    [ -c "$work/full" ] || fail "the device is gone"
fi

say "- is standard output, or refused"
cs doctor csr --dir "$work/doctor" --out - >"$request"
cmp "$request" "$work/doctor/request.pem"
cs authority issue --dir "$work/board" --request "$request" --out - >"$work/certificate"
openssl x509 -in "$work/certificate" -noout -subject | grep -q 'Dr. One' || fail "no certificate"
cs audit export --dir "$work/cloud" --out - | jq -e '.entry | length > 0' >/dev/null ||
    fail "no export"
cs cloud enrol --dir "$work/cloud" --role patient --id P-3 --code-file - >"$work/said"
grep -qE '^[0-9a-f-]{39}$' "$work/said" || fail "no code"
[ "$( (cs doctor csr --dir "$work/doctor" --out - --json || true) | jq -r .error.code)" = usage ] ||
    fail "a request and JSON in one output"
refused 2 "name a file" doctor visit --dir "$work/doctor" --department d --listen 127.0.0.1:0 \
    --diagnosis "$data/diagnosis.txt" --record-out -
refused 2 "name a file" patient visit --dir "$work/none" --station 127.0.0.1:1 --doctor D-1 \
    --diagnosis-out -
refused 2 "name a file" cloud serve --dir "$work/cloud" --port-file -
refused 2 "wire-log" doctor visit --dir "$work/doctor" --department d --listen 127.0.0.1:0 \
    --diagnosis "$data/diagnosis.txt" --wire-log -
[ ! -e - ] || fail "a file called -"

say "what is lost is not done"
# Standard output on a full device: opened for writing, which cannot replace it.
full() { # COMMAND...
    local status=0
    cs "$@" 2>"$work/full.err" >/dev/full || status=$?
    [ "$status" -eq 9 ] || fail "$*, its output lost: status $status, not 9"
    [ "$(wc -l <"$work/full.err")" -eq 1 ] || fail "$*: not one line: $(cat "$work/full.err")"
}
entries=$(cs audit verify --dir "$work/cloud" --json | jq .entries)
full cloud enrol --dir "$work/cloud" --role patient --id P-lost
full cloud enrol --dir "$work/cloud" --role patient --id P-lost --json
[ "$(cs audit verify --dir "$work/cloud" --json | jq .entries)" = "$entries" ] ||
    fail "a code that nobody has was enrolled"
full cloud status --dir "$work/cloud"
full cloud status --dir "$work/cloud" --json
full audit verify --dir "$work/cloud"
full audit export --dir "$work/cloud"
full token list --module "$module"
full doctor --help
full --help
full --version
status=0
cs --version >&- 2>"$work/full.err" || status=$?
[ "$status" -eq 9 ] || fail "a closed standard output: status $status"
cs cloud status --dir "$work/cloud" <&- >/dev/null || fail "a closed standard input"
cs cloud status --dir "$work/cloud" 2>&- >/dev/null || fail "a closed standard error"
status=0 # a message with nowhere to go must not land in a file that is being written
cs doctor csr --dir "$work/none" --out "$work/never" 2>&- || status=$?
[ "$status" -eq 5 ] || fail "a message without a standard error: status $status"
[ ! -e "$work/never" ] || fail "a message went into a file"
