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
