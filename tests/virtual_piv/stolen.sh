#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A stolen card in the hands of somebody without its PIN, PUK and management key: it shows what is
# public, and nothing else works: through OpenSC, by `chartseal card`, and by commands of one's own.
# Run by with_readers.sh.
set -euo pipefail

virtual_piv=${1:?usage: with_readers.sh stolen.sh VIRTUAL-PIV CHARTSEAL}
chartseal=${2:?}
work=$(mktemp -d)
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/virtual_piv/cards.sh
. "$here/cards.sh"
# shellcheck source=tests/virtual_piv/checks.sh
. "$here/checks.sh"

card() {
    "$chartseal" card "$@" --reader "${readers[0]}"
}

told() {
    card show --json | jq -r "$1"
}

# refused STATUS WORD COMMAND...
refused() {
    local wanted=$1 word=$2 status=0
    shift 2
    "$@" >"$work/out" 2>"$work/err" || status=$?
    equal "$*: exit status" "$wanted" "$status"
    equal "$*: says '$word'" 1 "$(grep -c -e "$word" "$work/err")"
}

p11() {
    pkcs11-tool --module "$OPENSC_MODULE" "$@" 2>"$work/p11.err"
}

# answers APDU...: the status word of each, after a SELECT, all in one connection
answers() {
    local apdu list=()
    for apdu; do list+=(-s "$(sed 's/../&:/g; s/:$//' <<<"${apdu// /}")"); done
    opensc-tool -s 00:A4:04:00:05:A0:00:00:03:08:00 "${list[@]}" 2>/dev/null |
        sed -n 's/^Received (SW1=0x\(..\), SW2=0x\(..\)).*/\1\2/p' | sed 1d | tr '\n' ' '
}

# What is the owner's: keys, objects and management key, as the card keeps them.
possessions() {
    grep -e '^key ' -e '^object ' -e '^admin ' "$work/card"
}

dir=$work/owner
# make_card OPTION...: a whole one, as the desk hands it out
make_card() {
    rm -rf "$work/card" "$dir"
    insert 0 card --blank --serial 00c0ffee "$@"
    card provision --dir "$dir" --name Ada --id D-1 >/dev/null
    openssl req -in "$dir/sign.csr" -pubkey -noout >"$work/sign.pub"
    issue "$work/sign.pub" Ada digitalSignature "$work/sign.pem"
    issue "$dir/agree.pub" Ada keyAgreement "$work/agree.pem"
    card provision --dir "$dir" --name Ada --id D-1 --sign-certificate "$work/sign.pem" \
        --agree-certificate "$work/agree.pem" >/dev/null
    eject 0
    possessions >"$work/possessions"
    rm -f "$work/log"
    insert 0 card --log "$work/log"
}

# forge: the desk's directory, as a thief makes it up: all but the secrets is known
forge() {
    rm -rf "$work/forged"
    cp -r "$dir" "$work/forged"
    sed -i 's/^admin .*/admin 112233445566778899aabbccddeeff001122334455667788/
        s/^pin .*/pin 99999999/; s/^puk .*/puk 99999999/' "$work/forged/record"
}

through_opensc() {
    equal "certificates are read" 2 "$(p11 --list-objects --type cert | grep -c '^Certificate')"
    equal "no private key is shown" 0 "$(p11 --list-objects --type privkey | grep -c '^Private' || true)"
    openssl rand -out "$work/digest" 32
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null |
        openssl pkey -pubout -outform DER -out "$work/peer.der"
    equal "9C does not sign" no "$(p11 --sign --mechanism ECDSA --id 02 --input-file "$work/digest" \
        --output-file "$work/x" >/dev/null || echo no)"
    equal "9D does not derive" no "$(p11 --derive --mechanism ECDH1-DERIVE --id 03 \
        --input-file "$work/peer.der" --output-file "$work/x" >/dev/null || echo no)"
    equal "the factory's PIN is not its" no \
        "$(p11 --login --pin 123456 --list-objects >/dev/null || echo no)"
    equal "that was one try" 2 "$(told .pin_tries)"
}

through_card() {
    forge
    refused 9 "is not new" card provision --dir "$work/another" --name Eve --id D-2
    refused 4 "is not the one of the record" card renew --dir "$work/forged" --new-keys
    forge
    refused 4 "is not the one of the record" card provision --dir "$work/forged" --name Eve --id D-2 \
        --sign-certificate "$work/sign.pem" --agree-certificate "$work/agree.pem"
    forge
    refused 6 "not sent again" card renew --dir "$work/forged" # its PIN: the card has refused one
    refused 6 "it is not tried again" card unblock --dir "$work/forged"
    equal "that was one try of the PUK" 2 "$(told .puk_tries)"
    refused 6 "not sent again" card unblock --dir "$work/forged"
    equal "a thief sees whose it is" Ada "$(told '.slots[] | select(.slot == "9C") | .certificate.name')"
}

by_hand() {
    local slot got zeros point keys=()
    zeros=$(printf '%064d' 0)
    point=$(tail -c 65 "$work/peer.der" | od -An -tx1 | tr -d ' \n')
    for slot in 9A 9C 9D 9E 82 95; do
        keys+=("008711${slot}267C2482008120$zeros" "008711${slot}477C4582008541$point")
    done
    equal "no key signs or agrees" "6a88 6a88 6982 6982 6982 6982 6a88 6a88 6a88 6a88 6a88 6a88 " \
        "$(answers "${keys[@]}" | tr A-F a-f)"
    # make a key, import one, write an object, replace the management key, set the tries, start anew
    equal "nothing is managed" "6982 6982 6982 6982 6982 6985 " "$(answers 0047009C05AC03800111 \
        "00FE119C220620$(printf '%064d' 1)" 00DB3FFF085C035FC1055301AA \
        00FFFFFF1B039B18000102030405060708090A0B0C0D0E0F1011121314151617 00FA0303 00FB0000)"
    # the management key: as if it were the factory's, or none, or the card's own answer
    got=$(answers "0087${1}9B047C028100" "0087${1}9B${2}" "0087${1}9B047C028000" "0087${1}9B${3}" \
        0047009C05AC03800111)
    equal "no answer to its challenge is good" "9000 6982 9000 6982 6982 " "$got"
    # another PIN by a wrong one, or by a wrong PUK
    equal "PINs are not changed" "63C1 63C1 " "$(answers \
        00240080103939393939393939313131313131FFFF 002C0080103939393939393939313131313131FFFF |
        tr a-f A-F)"
}

# What worked, of all that was tried: questions.
only_read() {
    equal "nothing worked but reading" "" "$(awk '
        { ins = substr($2, 3, 2); slot = substr($2, 7, 2) }
        $4 != "9000" && substr($4, 1, 2) != "61" { next }
        ins ~ /^(a4|cb|c0|f7|f8|fd)$/ { next }
        ins == "20" && $3 <= 5 { next }                 # how many tries are left?
        ins == "87" && slot == "9b" { next }            # a challenge, which anybody gets
        { print $2, $4 }' "$work/log" | sort -u)"
    equal "its keys, objects and management key are what they were" same \
        "$(possessions | cmp -s - "$work/possessions" && echo same)"
}

echo "# with a management key of 3DES"
make_card
through_opensc
through_card
by_hand 03 "0C7C0A8208$(printf '%016d' 0)" "167C148008$(printf '%016d' 0)8108$(printf '%016d' 0)"
only_read
eject 0

echo "# with a management key of AES-192"
make_card --aes
through_opensc
through_card
by_hand 0A "147C128210$(printf '%032d' 0)" "267C248010$(printf '%032d' 0)8110$(printf '%032d' 0)"
only_read

echo "# the end of it: blocked, or wiped, and useless"
"$chartseal" card wipe --serial $((0x00c0ffee)) >/dev/null
equal "a thief can wipe it, and has an empty card" 0 "$(told '.slots | length')"
