#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The virtual card under the real stack, with the tools that people have: opensc-tool, piv-tool,
# pkcs11-tool, yubico-piv-tool, p11-kit, and `chartseal token`. Run by with_readers.sh.
set -euo pipefail

virtual_piv=${1:?usage: with_readers.sh stack.sh VIRTUAL-PIV CHARTSEAL}
chartseal=${2:?}
work=$(mktemp -d)
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/virtual_piv/cards.sh
. "$here/cards.sh"
# shellcheck source=tests/virtual_piv/checks.sh
. "$here/checks.sh"
pin=123456

# p11 ARGUMENT...: pkcs11-tool on OpenSC's module.
p11() {
    pkcs11-tool --module "$OPENSC_MODULE" "$@" 2>"$work/p11.err"
}

# signs ID SLOT: a signature through the stack, verified with the public key from the card.
signs() {
    openssl rand -out "$work/digest" 32
    p11 --login --pin $pin --sign --mechanism ECDSA --signature-format openssl --id "$1" \
        --input-file "$work/digest" --output-file "$work/signature" >/dev/null &&
        openssl pkeyutl -verify -pubin -inkey "$work/$2.pub" -in "$work/digest" \
            -sigfile "$work/signature" >/dev/null && echo yes
}

# derives ID SLOT: an ECDH through the stack, against OpenSSL's.
derives() {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/peer" 2>/dev/null
    openssl pkey -in "$work/peer" -pubout -outform DER -out "$work/peer.der"
    p11 --login --pin $pin --derive --mechanism ECDH1-DERIVE --id "$1" \
        --input-file "$work/peer.der" --output-file "$work/there" >/dev/null &&
        openssl pkeyutl -derive -inkey "$work/peer" -peerkey "$work/$2.pub" -out "$work/here" &&
        cmp "$work/here" "$work/there" && echo yes
}

echo "# a new card"
insert 0 ada --serial 00c0ffee --log "$work/log"
equal "opensc-tool's name of it" "Personal Identity Verification Card" "$(opensc-tool -n 2>/dev/null)"
equal "its ATR" 3b:8b:01:80:f9:a0:00:00:03:08:00:00:10:00:48 "$(opensc-tool -a 2>/dev/null)"
equal "its serial number" "00 C0 FF EE" "$(piv-tool --serial 2>/dev/null | cut -c 37-47)"
equal "keys of a new card" 0 "$(p11 --list-objects --login --pin $pin | grep -c '^Private Key' || true)"

echo "# keys and certificates"
personalise 0 "Dr. Ada"
equal "the token's label is the name in 9A" "Dr. Ada" \
    "$(p11 --list-slots | sed -n 's/^ *token label *: //p')"
equal "the token's serial number" yes \
    "$(p11 --list-slots | grep -q 'serial num *: [0-9a-f]\{8\}00c0ffee$' && echo yes)"
equal "private keys" "PIV AUTH key,SIGN key,KEY MAN key," \
    "$(p11 --list-objects --login --pin $pin --type privkey | sed -n 's/^ *label: *//p' | tr '\n' ,)"
equal "only 9C wants its PIN always" 1 \
    "$(p11 --list-objects --login --pin $pin --type privkey | grep -c 'always authenticate')"
equal "p11-kit sees this token alone" 1 "$(p11-kit list-modules 2>/dev/null | grep -c '^ *token:')"
equal "9A signs" yes "$(signs 01 9A)"
equal "9C signs" yes "$(signs 02 9C)"
equal "9D derives" yes "$(derives 03 9D)"
equal "9C signed right after a VERIFY" yes "$(awk '
    substr($2, 1, 4) == "0087" && substr($2, 7, 2) == "9c" && $4 == "9000" {
        print before == "00200080" ? "yes" : "no, after " before
    }
    { before = $2 }' "$work/log")"

echo "# PINs"
p11 --login --pin 999999 --list-objects >"$work/out" && equal "a wrong PIN" refused accepted
equal "and what it says" yes "$(grep -q CKR_PIN_INCORRECT "$work/p11.err" && echo yes)"
equal "the tries that are left" 2 \
    "$(opensc-tool -s 00:A4:04:00:05:A0:00:00:03:08:00 -s 00:20:00:80 2>/dev/null |
        sed -n 's/^Received.*SW1=0x63, SW2=0xC\(.\).*/\1/p')"
p11 --login --pin $pin --change-pin --new-pin 654321 >/dev/null
pin=654321
equal "the new PIN signs" yes "$(signs 01 9A)"

echo "# a retired slot, by Yubico's import"
if command -v yubico-piv-tool >/dev/null; then
    retire 0 82 "Dr. Ada"
    equal "slot 82 derives" yes "$(derives 05 82)"
else
    echo "skipped: no yubico-piv-tool"
fi

echo "# out and in, and a second card in the second reader"
kill -USR1 "${card_pids[0]}"
seen 0 no
equal "no token without a card" 0 "$(p11 --list-token-slots | grep -c 'token label' || true)"
kill -USR2 "${card_pids[0]}"
seen 0 yes
insert 1 bob --serial 00000b0b
equal "two tokens" 2 "$(p11 --list-token-slots | grep -c 'token label' || true)"
eject 0
insert 0 ada
equal "keys outlive the process" yes "$(signs 02 9C)"

echo "# chartseal token"
echo $pin >"$work/pin"
chmod 600 "$work/pin"
uri="pkcs11:token=Dr.%20Ada?module-path=$OPENSC_MODULE"
"$chartseal" token list --module "$OPENSC_MODULE" >"$work/out"
equal "token list: both" "Dr. Ada,PIV_II," "$(grep -v '^ ' "$work/out" | tr '\n' ,)"
"$chartseal" token audit --uri "$uri" --pin-file "$work/pin" --json >"$work/audit.json"
equal "token audit: use and custody" "SIGN key:sign:token:false" \
    "$(jq -r '.keys[] | select(.name == "SIGN key") |
        "\(.name):\(.use):\(.custody):\(.extractable)"' "$work/audit.json")"
equal "token audit: 9D" agree \
    "$(jq -r '.keys[] | select(.name == "KEY MAN key") | .use' "$work/audit.json")"
