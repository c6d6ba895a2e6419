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
