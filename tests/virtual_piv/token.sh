#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes cards for a test program over the token API, and runs it. Run by with_readers.sh.
set -euo pipefail

virtual_piv=${1:?usage: with_readers.sh token.sh VIRTUAL-PIV PROGRAM}
program=${2:?}
work=$(mktemp -d)
trap 'kill "${card_pids[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/virtual_piv/cards.sh
. "$here/cards.sh"

command -v yubico-piv-tool >/dev/null || {
    echo "skipped: no yubico-piv-tool, which imports the key of the retired slot" >&2
    exit 77
}
insert 0 ada --serial 00c0ffee
personalise 0 "Dr. Ada"
retire 0 82 "Dr. Ada"
eject 0
insert 0 bob --serial 00000b0b
personalise 0 "Dr. Bob"
eject 0
CS_CARDS=$work "$program"
