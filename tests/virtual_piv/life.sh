#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A card in use: `chartseal card change-pin`, `unblock` and `renew`, what they refuse, and a pull at
# each kind of command of theirs that changes the card (at every command: test_card_verbs). Run by
# with_readers.sh.
set -euo pipefail

virtual_piv=${1:?usage: with_readers.sh life.sh VIRTUAL-PIV CHARTSEAL}
chartseal=${2:?}
work=$(mktemp -d)
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/virtual_piv/cards.sh
. "$here/cards.sh"
# shellcheck source=tests/virtual_piv/checks.sh
. "$here/checks.sh"
command -v yubico-piv-tool >/dev/null || {
    echo "skipped: no yubico-piv-tool, which spoils PINs" >&2
    exit 77
}
serial=$((0x00c0ffee))

card() {
    "$chartseal" card "$@" --reader "${readers[0]}"
}

# refused STATUS WORD COMMAND...
refused() {
    local wanted=$1 word=$2 status=0
    shift 2
    "$@" >"$work/out" 2>"$work/err" || status=$?
    equal "$*: exit status" "$wanted" "$status"
    equal "$*: says '$word'" 1 "$(grep -c -e "$word" "$work/err")"
}

told() {
    card show --json | jq -r "$1"
}

of_record() { # NAME, in the record of $dir
    sed -n "s/^$1 //p" "$dir/record"
}

# pin NAME TEXT: a file with that PIN
pin() {
    echo "$2" >"$work/$1"
    chmod 600 "$work/$1"
}

change() {
    card change-pin --serial "$serial" --pin-file "$work/old" --new-pin-file "$work/new" "$@"
}

# spoil N: N wrong PINs
spoil() {
    for _ in $(seq "$1"); do
        yubico-piv-tool -r "${readers[0]}" -a verify-pin -P 99999999 >/dev/null 2>&1 || true
    done
}

# takes PIN: is it the card's? It costs a try if not.
takes() {
    yubico-piv-tool -r "${readers[0]}" -a verify-pin -P "$1" >/dev/null 2>&1 && echo yes
}

# certify_dir: as an authority would, for the keys of $dir
certify_dir() {
    openssl req -in "$dir/sign.csr" -pubkey -noout >"$work/sign.pub" &&
        issue "$work/sign.pub" "Dr. Ada" digitalSignature "$work/sign.pem" &&
        issue "$dir/agree.pub" "Dr. Ada" keyAgreement "$work/agree.pem"
}
certificates=(--sign-certificate "$work/sign.pem" --agree-certificate "$work/agree.pem")

dir=$work/cards/ada
insert 0 ada --blank --serial 00c0ffee --log "$work/log"
card provision --dir "$dir" --name "Dr. Ada" --id D-17 >/dev/null
certify_dir
card provision --dir "$dir" --name "Dr. Ada" --id D-17 "${certificates[@]}" >/dev/null

echo "# change-pin"
pin old "$(of_record pin)"
pin new 246801
refused 7 "does not have the serial number" card change-pin --serial 1 --pin-file "$work/old" \
    --new-pin-file "$work/new"
for bad in 12345 123456789 12345a ''; do
    pin new "$bad"
    status=0
    change >/dev/null 2>&1 || status=$?
    equal "a new PIN '$bad' is refused" yes "$([ $status -ne 0 ] && echo yes)"
done
pin new "$(of_record pin)"
refused 2 "is the old one" change
equal "nothing was sent" 3 "$(told .pin_tries)"
pin new 246801
change >/dev/null
equal "the card has the new PIN" yes "$(takes 246801)"
refused 6 "2 tries are left" change
equal "a wrong one was sent once" 2 "$(told .pin_tries)"
takes 246801 >/dev/null
pin old 246801
pin new 13579135
change --again >/dev/null # costs a try for the new one, and the old one is right
equal "again, when it did not have it" "yes 3" "$(takes 13579135) $(told .pin_tries)"
change --again >/dev/null
equal "again, when it had it" "yes 3" "$(takes 13579135) $(told .pin_tries)"

echo "# the last try"
spoil 2
pin old 13579135
pin new 246801
refused 6 "is left alone" change
equal "it is left" 1 "$(told .pin_tries)"
change --force >/dev/null
equal "it is used by force" "yes 3" "$(takes 246801) $(told .pin_tries)"
spoil 1
pin old 11111111
pin new 22222222
refused 6 "is left alone" change --again # two tries: the new one is sent, the old one not
equal "one is left" 1 "$(told .pin_tries)"

echo "# unblock"
spoil 1
refused 6 "is blocked" change
cp "$dir/pin-letter.txt" "$work/letter"
card unblock --dir "$dir" >/dev/null
equal "the record's PIN is the card's" "yes 3" "$(takes "$(of_record pin)") $(told .pin_tries)"
equal "and another than before" no "$(cmp -s "$dir/pin-letter.txt" "$work/letter" || echo no)"
equal "its letter" "600 1" \
    "$(stat -c %a "$dir/pin-letter.txt") $(grep -c "^    $(of_record pin)$" "$dir/pin-letter.txt")"
yubico-piv-tool -r "${readers[0]}" -a unblock-pin -P 00000000 -N 111111 >/dev/null 2>&1 || true
refused 6 "has refused a PUK" card unblock --dir "$dir"
equal "the PUK was not sent" 2 "$(told .puk_tries)"
card unblock --dir "$dir" --force >/dev/null
equal "it is sent by force" "3 3" "$(told '"\(.pin_tries) \(.puk_tries)"')"
refused 5 "sign.csr" card unblock --dir "$work/cards/none"

echo "# renew"
openssl req -in "$dir/sign.csr" -pubkey -noout >"$work/before.pub"
pin old "$(of_record pin)"
pin new 246801
change >/dev/null
refused 6 "2 tries are left" card renew --dir "$dir" # the letter's PIN is the card's no more
refused 6 "not sent again" card renew --dir "$dir"
card renew --dir "$dir" --pin-file "$work/new" >/dev/null
equal "a right PIN sets the count back" 3 "$(told .pin_tries)"
equal "the same key" yes "$(openssl req -in "$dir/sign.csr" -pubkey -noout | cmp - "$work/before.pub" && echo yes)"
certify_dir
card renew --dir "$dir" "${certificates[@]}" >/dev/null
equal "the new certificate is on the card" \
    "$(openssl x509 -in "$work/sign.pem" -outform DER | sha256sum | cut -d' ' -f1)" \
    "$(told '.slots[] | select(.slot == "9C") | .certificate.sha256')"
cp "$work/sign.pem" "$work/earlier.pem"
card renew --dir "$dir" --new-keys --pin-file "$work/new" >/dev/null
equal "new keys" no "$(openssl req -in "$dir/sign.csr" -pubkey -noout | cmp -s - "$work/before.pub" || echo no)"
refused 4 "another key" card renew --dir "$dir" --sign-certificate "$work/earlier.pem" \
    --agree-certificate "$work/agree.pem"
refused 2 "give certificates afterwards" card renew --dir "$dir" --new-keys "${certificates[@]}"
certify_dir
card renew --dir "$dir" "${certificates[@]}" >/dev/null
equal "certificates are those of the new keys" "9C yes yes,9D yes yes" \
    "$(told '[.slots[] | "\(.slot) \(.generated) \(.certificate.matches)"] | join(",")')"
echo "# another name"
refused 2 "with --sign-certificate" card renew --dir "$dir" --trust "$work/ca.pem"
as_bo() { # KEY KEY-USAGE OUT
    issue "$1" "Dr. Bo/OU=doctor/serialNumber=D-17" "$2" "$3"
}
openssl req -in "$dir/sign.csr" -pubkey -noout >"$work/sign.pub"
as_bo "$work/sign.pub" digitalSignature "$work/sign.pem"
as_bo "$dir/agree.pub" keyAgreement "$work/agree.pem"
refused 4 "give it with --name" card renew --dir "$dir" "${certificates[@]}" --trust "$work/ca.pem"
card renew --dir "$dir" --name "Dr. Bo" --pin-file "$work/new" >/dev/null
equal "the request is of that name" 1 "$(openssl req -in "$dir/sign.csr" -noout -subject | grep -c "Dr. Bo")"
card renew --dir "$dir" "${certificates[@]}" --trust "$work/ca.pem" >/dev/null 2>&1
equal "its certificate is on the card" "Dr. Bo" \
    "$(told '.slots[] | select(.slot == "9C") | .certificate.name')"
equal "a renewal writes no letter" no "$(grep -q 246801 "$dir/pin-letter.txt" || echo no)"
eject 0

# A card and a directory as they are now, for each trial.
cp "$work/ada" "$work/base"
cp -r "$dir" "$work/base.dir"
pin old 246801
pin new 13579135
base_dir=$dir

# verb_NAME: as it is run first; again_NAME: as after a run that ended early; good_NAME: what holds
# in the end.
verb_change() { change; }
again_change() { change --again; }
good_change() { [ "$(takes 13579135)" = yes ]; }
verb_unblock() { card unblock --dir "$dir"; }
again_unblock() { verb_unblock; }
good_unblock() { [ "$(takes "$(of_record pin)")" = yes ] && grep -q "^    $(of_record pin)$" "$dir/pin-letter.txt"; }
verb_keys() { card renew --dir "$dir" --new-keys --pin-file "$work/old"; }
again_keys() { verb_keys; }
good_keys() {
    openssl req -in "$dir/sign.csr" -pubkey -noout 2>/dev/null | openssl pkey -pubin -outform DER >"$work/k.der" &&
        [ "$(told '[.slots[] | select(.certificate.matches == "no") | .slot] | join(",")')" = 9C,9D ] &&
        [ "$(sed -n 's/^done //p' "$dir/record")" = agree ]
}
verb_certificates() { card renew --dir "$dir" "${certificates[@]}"; }
again_certificates() { verb_certificates; }
good_certificates() {
    [ "$(told '.slots[] | select(.slot == "9C") | .certificate.sha256')" = \
        "$(openssl x509 -in "$work/sign.pem" -outform DER | sha256sum | cut -d' ' -f1)" ]
}

# trial OPTION...: base again, in the reader
trial() {
    cp "$work/base" "$work/trial"
    rm -rf "$work/trial.dir"
    cp -r "$work/base.dir" "$work/trial.dir"
    dir=$work/trial.dir
    insert 0 trial "$@"
}

for verb in change unblock keys certificates; do
    if [ $verb = certificates ]; then
        dir=$base_dir
        certify_dir # others than those on the card
    fi
    rm -f "$work/$verb.log"
    trial --log "$work/$verb.log"
    verb_$verb >/dev/null
    changing=$(awk '{ ins = substr($2, 3, 2) }
        (ins ~ /^(24|2c|47|db|87)$/ || (ins == "20" && $3 > 5)) && !seen[ins]++ { print $1 }' "$work/$verb.log")
    good_$verb || equal "$verb without a fault" good bad
    eject 0
    trials=0
    interrupted=0
    for n in $changing; do
        trials=$((trials + 1))
        fault="--pull-after $n"
        [ $((trials % 2)) -eq 1 ] || fault="--pull-at $n"
        # shellcheck disable=SC2086 # two words
        trial $fault
        status=0
        verb_$verb >/dev/null 2>"$work/err" || status=$?
        [ "$status" -eq 0 ] || interrupted=$((interrupted + 1))
        eject 0
        insert 0 trial
        if [ "$status" -ne 0 ] && ! again_$verb >/dev/null 2>"$work/err"; then
            equal "$verb, $fault: gone on with (first exit status $status)" "" "$(cat "$work/err")"
        fi
        good_$verb || equal "$verb, $fault (first exit status $status)" good bad
        equal "$verb, $fault: tries" "3 3" "$(told '"\(.pin_tries) \(.puk_tries)"')" >"$work/out" ||
            cat "$work/out"
        eject 0
    done
    echo "$verb: $interrupted of $trials runs ended early, and were gone on with"
    equal "$verb: a pull ends a run" "$trials" "$interrupted"
done
