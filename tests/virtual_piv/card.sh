#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# `chartseal card` with virtual cards. Run by with_readers.sh.
set -euo pipefail

virtual_piv=${1:?usage: with_readers.sh card.sh VIRTUAL-PIV CHARTSEAL}
chartseal=${2:?}
work=$(mktemp -d)
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/virtual_piv/cards.sh
. "$here/cards.sh"
# shellcheck source=tests/virtual_piv/checks.sh
. "$here/checks.sh"

# told FILTER: from `card show --json` of the card in the first reader.
told() {
    "$chartseal" card show --reader "${readers[0]}" --json | jq -r "$1"
}

# refused STATUS WORD COMMAND...
refused() {
    local wanted=$1 word=$2 status=0
    shift 2
    "$chartseal" "$@" >"$work/out" 2>"$work/err" || status=$?
    equal "$*: exit status" "$wanted" "$status"
    equal "$*: says '$word'" yes "$(grep -q -e "$word" "$work/err" && echo yes)"
}

echo "# card show"
refused 7 "no PIV card in any reader" card show
insert 0 ada --serial 00c0ffee --log "$work/log"
equal "a new card is the factory's" yes,yes,yes "$(told '[.factory[]] | join(",")')"
equal "its serial number" $((0x00c0ffee)) "$(told .serial)"
equal "its GUID" yes "$(told .guid | grep -q '^[0-9a-f]\{24\}00c0ffee$' && echo yes)"
equal "its slots" 0 "$(told '.slots | length')"
personalise 0 "Dr. Ada"
equal "slots with keys and certificates" "9A yes yes Dr. Ada yes,9C yes yes Dr. Ada yes,9D yes yes Dr. Ada yes" \
    "$(told '[.slots[] | "\(.slot) \(.key) \(.generated) \(.certificate.name) \(.certificate.matches)"] | join(",")')"
equal "fingerprint of 9C's certificate" \
    "$(openssl x509 -in "$work/9C.pem" -outform DER | sha256sum | cut -d' ' -f1)" \
    "$(told '.slots[] | select(.slot == "9C") | .certificate.sha256')"
admin 0 -C 9D -i "$work/9A.pem"
equal "a certificate of another key" no "$(told '.slots[] | select(.slot == "9D") | .certificate.matches')"
equal "and to people" 1 "$("$chartseal" card show | grep -c 'OF ANOTHER KEY')"
pkcs11-tool --module "$OPENSC_MODULE" --login --pin 999999 --list-objects >/dev/null 2>&1 || true
equal "tries that are left" "2 3" "$(told '"\(.pin_tries) \(.puk_tries)"')"
: >"$work/log"
told .ok >"$work/out"
equal "no command changed anything" 0 \
    "$(awk '{ print substr($2, 3, 2) }' "$work/log" | grep -cvx 'a4\|cb\|c0\|f7\|f8\|fd\|20')"
equal "nor sent a PIN" 0 "$(awk 'substr($2, 1, 4) == "0020" && $3 > 5' "$work/log" | wc -l)"

echo "# two cards, one without extensions, and blank"
insert 1 bob --plain --blank
refused 2 "say which with --reader" card show
refused 7 "no reader 'nothing'" card show --reader nothing
refused 7 "no reader 'Virtual PCD'" card show --reader "Virtual PCD"
equal "what it does not tell" "null,null,3,-1,unknown,unknown,unknown" \
    "$("$chartseal" card show --reader "${readers[1]}" --json |
        jq -r '[.serial // "null", .guid // "null", .pin_tries, .puk_tries, .factory[]] | map(tostring) | join(",")')"
eject 1

echo "# a card that fails half way (at every command: test_card_verbs)"
commands=$(($(wc -l <"$work/log")))
eject 0
for n in 1 $((commands / 3)) $((commands * 2 / 3)) "$commands"; do
    insert 0 ada --fail-at "$n:6f00"
    status=0
    "$chartseal" card show --json >"$work/out" 2>/dev/null || status=$?
    # what fails is told; of the reader's own software's commands, some need not succeed
    if [ "$status" -eq 0 ]; then
        equal "a failure at command $n" 3 "$(jq '.slots | length' "$work/out")"
    fi
    eject 0
done
