#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# `chartseal card provision` and `wipe` with virtual cards: a whole card, with management keys of
# 3DES and of AES, what is refused, and a failure or a pull at each kind of command that changes one
# (at every command: test_card_verbs). Run by with_readers.sh.
set -euo pipefail

virtual_piv=${1:?usage: with_readers.sh provision.sh VIRTUAL-PIV CHARTSEAL}
chartseal=${2:?}
work=$(mktemp -d)
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/virtual_piv/cards.sh
. "$here/cards.sh"
# shellcheck source=tests/virtual_piv/checks.sh
. "$here/checks.sh"

provision() {
    "$chartseal" card provision --reader "${readers[0]}" --name "Dr. Ada" --id D-17 "$@"
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
    "$chartseal" card show --reader "${readers[0]}" --json | jq -r "$1"
}

of_record() { # NAME, in the record of $dir
    sed -n "s/^$1 //p" "$dir/record"
}

# certify_dir: certificates for the keys of $dir, as an authority would make them.
certify_dir() {
    openssl req -in "$dir/sign.csr" -pubkey -noout >"$work/sign.pub" &&
        issue "$work/sign.pub" "Dr. Ada" digitalSignature "$work/sign.pem" &&
        issue "$dir/agree.pub" "Dr. Ada" keyAgreement "$work/agree.pem"
}

echo "# a whole card"
dir=$work/cards/ada
insert 0 ada --blank --serial 00c0ffee --log "$work/log"
provision --dir "$dir" >/dev/null
equal "no secret is the factory's" no,no,no "$(told '[.factory[]] | join(",")')"
equal "keys made on the card" "9C yes,9D yes" \
    "$(told '[.slots[] | "\(.slot) \(.generated)"] | join(",")')"
equal "it has a GUID now" yes "$(told .guid | grep -q '^[0-9a-f]\{32\}$' && echo yes)"
equal "mode of the record" 600 "$(stat -c %a "$dir/record")"
equal "the request is signed" yes \
    "$(openssl req -in "$dir/sign.csr" -verify -noout 2>&1 | grep -q 'verify OK' && echo yes)"
equal "commands of a provisioning that change the card" "$(printf '%s\n' ff 24 24 db db 47 47)" \
    "$(awk '{ print substr($2, 3, 2) }' "$work/log" | grep -x 'ff\|24\|db\|47')"
certify_dir
finish_it=(--sign-certificate "$work/sign.pem" --agree-certificate "$work/agree.pem")
refused 4 "another key" provision --dir "$dir" --sign-certificate "$work/agree.pem" \
    --agree-certificate "$work/sign.pem"
issue "$dir/agree.pub" "Dr. Ada" digitalSignature "$work/wrong.pem"
refused 4 "key usage" provision --dir "$dir" --sign-certificate "$work/sign.pem" \
    --agree-certificate "$work/wrong.pem"
echo "# certificates that the desk would be refused with"
# of_authority SUBJECT KEY USAGE OUT [EXTENSION]
of_authority() {
    printf 'keyUsage = critical, %s\n%s\n' "$3" "${5:-}" >"$work/extensions"
    openssl x509 -req -in "$work/any.csr" -force_pubkey "$2" -subj "$1" -days "${days:-30}" \
        -CA "$work/ca.pem" -CAkey "$work/ca.key" -set_serial "${serial:-7}" \
        -extfile "$work/extensions" -out "$4" 2>/dev/null
}
good="/OU=doctor/CN=Dr. Ada/serialNumber=D-17"
certified() { # SIGN-SUBJECT [SIGN-EXTENSION [AGREE-SUBJECT]]
    of_authority "$1" "$work/sign.pub" digitalSignature "$work/s.pem" "${2:-}"
    of_authority "${3:-$good}" "$dir/agree.pub" keyAgreement "$work/a.pem"
}
trusted() { # CRL-FILE, or ""
    local crl=()
    [ -z "$1" ] || crl=(--crl "$1")
    provision --dir "$dir" --sign-certificate "$work/s.pem" --agree-certificate "$work/a.pem" \
        --trust "$work/ca.pem" "${crl[@]}"
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=other CA" \
    -keyout "$work/other.key" -out "$work/other.pem" 2>/dev/null
certified "$good"
refused 4 "certificate to sign: the certificate is refused" \
    provision --dir "$dir" --sign-certificate "$work/s.pem" --agree-certificate "$work/a.pem" \
    --trust "$work/other.pem"
refused 2 "trust" provision --dir "$dir" --sign-certificate "$work/s.pem" \
    --agree-certificate "$work/a.pem" --crl "$work/ca.pem"
certified "${good/D-17/D-18}"
refused 4 "for the identity 'D-18'" trusted ""
certified "${good/OU=doctor/OU=nurse}"
refused 4 "organizational unit" trusted ""
certified "${good/Dr. Ada/Dr. Bo}"
refused 4 "is for 'Dr. Bo'" trusted ""
certified "$good" "" "${good/D-17/D-18}"
refused 4 "certificate to agree is for the identity" trusted ""
certified "$good" "extendedKeyUsage = serverAuth"
refused 4 "extended key usage" trusted ""
certified "$good"
of_authority "$good" "$dir/agree.pub" keyAgreement,digitalSignature "$work/a.pem"
refused 4 "certificate to agree: its key usage" trusted ""
certified "$good"
printf 'R\t400101000000Z\t260101000000Z\t07\tunknown\t/CN=x\n' >"$work/index.txt"
printf '[ca]\ndefault_ca = d\n[d]\ndatabase = %s\ndefault_md = sha256\ndefault_crl_days = 3\n' \
    "$work/index.txt" >"$work/ca.conf"
openssl ca -config "$work/ca.conf" -gencrl -cert "$work/ca.pem" -keyfile "$work/ca.key" \
    -out "$work/ca.crl" 2>/dev/null
refused 4 "revoked" trusted "$work/ca.crl"
echo "# lists that would check nothing"
refused 3 "--crl $work/ca.pem: no revocation list" trusted "$work/ca.pem"
openssl crl -in "$work/ca.crl" -outform DER -out "$work/ca.der"
refused 3 "no revocation list" trusted "$work/ca.der"
: >"$work/empty"
refused 3 "the file is empty" trusted "$work/empty"
openssl ca -config "$work/ca.conf" -gencrl -cert "$work/other.pem" -keyfile "$work/other.key" \
    -out "$work/other.crl" 2>/dev/null
refused 4 "not signed by an authority that is trusted" trusted "$work/other.crl"
openssl ca -config "$work/ca.conf" -gencrl -cert "$work/ca.pem" -keyfile "$work/ca.key" \
    -crl_lastupdate 20260101000000Z -crl_nextupdate 20260102000000Z -out "$work/old.crl" 2>/dev/null
refused 4 "too old" trusted "$work/old.crl"
echo "# where they would be for nothing"
refused 2 "with --sign-certificate" provision --dir "$dir" --trust "$work/ca.pem"
refused 2 "with --sign-certificate" provision --dir "$dir" --crl "$work/ca.crl"
for option in --trust --crl --reader; do
    refused 2 "$option is of a PIV card" "$chartseal" card provision --dir "$work/cards/token" \
        --name X --id X --module "$OPENSC_MODULE" $option "$work/ca.pem"
done
equal "and no certificate is on the card" "9C null,9D null" \
    "$(told '[.slots[] | "\(.slot) \(.certificate.matches)"] | join(",")')"
trusted "" >"$work/out" 2>"$work/err"
equal "certificates that are in order: lists are asked for" 1 "$(grep -c "revoked is NOT checked" "$work/err")"
equal "and of nothing else is warned" 1 "$(wc -l <"$work/err")"
serial=8 certified "$good"
trusted "$work/ca.crl" >"$work/out" 2>"$work/err"
equal "not on the list, without a warning" "" "$(cat "$work/err")"

refused 2 "give both" provision --dir "$dir" --sign-certificate "$work/sign.pem"
provision --dir "$dir" "${finish_it[@]}" >/dev/null 2>"$work/err"
equal "without --trust it says what is not checked" 1 "$(grep -c "NOT checked" "$work/err")"
equal "certificates are those of the keys" "9C yes,9D yes" \
    "$(told '[.slots[] | "\(.slot) \(.certificate.matches)"] | join(",")')"
equal "mode of the PIN letter" 600 "$(stat -c %a "$dir/pin-letter.txt")"
equal "the letter has the PIN" 1 "$(grep -c "^    $(of_record pin)$" "$dir/pin-letter.txt")"
equal "the sheet has no secrets" 0 \
    "$(grep -c -e "$(of_record pin)" -e "$(of_record puk)" -e "$(of_record admin)" "$dir/sheet.txt" || true)"
equal "the sheet has the certificate" 1 \
    "$(grep -c "$(openssl x509 -in "$work/sign.pem" -outform DER | sha256sum | cut -d' ' -f1)" "$dir/sheet.txt")"

echo "# and it is a token"
of_record pin >"$work/pin"
chmod 600 "$work/pin"
equal "its keys" "SIGN key:sign,KEY MAN key:agree" "$("$chartseal" token audit --json \
    --uri "pkcs11:?module-path=$OPENSC_MODULE" --pin-file "$work/pin" |
    jq -r '[.keys[] | "\(.name):\(.use)"] | join(",")')"
openssl rand -out "$work/digest" 32
pkcs11-tool --module "$OPENSC_MODULE" --login --pin "$(of_record pin)" --sign --mechanism ECDSA \
    --signature-format openssl --id 02 --input-file "$work/digest" --output-file "$work/signature" \
    >/dev/null 2>&1
equal "it signs with its PIN" yes "$(openssl pkeyutl -verify -pubin -inkey "$work/sign.pub" \
    -in "$work/digest" -sigfile "$work/signature" >/dev/null && echo yes)"
equal "the factory's PIN is refused" no \
    "$(pkcs11-tool --module "$OPENSC_MODULE" --login --pin 123456 --list-objects >/dev/null 2>&1 || echo no)"
equal "the factory's management key, too" no \
    "$(admin 0 -s 00:47:00:9C:05:AC:03:80:01:11:00 2>/dev/null || echo no)"
equal "the PUK is the record's" yes "$(yubico-piv-tool -r "${readers[0]}" -a unblock-pin \
    -P "$(of_record puk)" -N 11111111 2>/dev/null && echo yes)"

echo "# what is refused"
refused 9 "is not new" provision --dir "$work/cards/other"
eject 0
insert 0 bob --blank --serial 00000b0b
refused 7 "is not the one of the record" provision --dir "$dir"
mkdir "$work/cards/bad"
for alter in 'head -c 0' 'head -n 6' 'sed 1d' 'sed s/^done.*/done/' 'sed s/^pin.*/pin_1234567/' \
    'sed s/^serial.*/serial_-1/' 'sed s/^admin.*/admin_00/' 'sed p'; do
    # shellcheck disable=SC2086 # a command and its argument
    $alter "$dir/record" | tr _ ' ' >"$work/cards/bad/record"
    refused 9 "not the record of a card" provision --dir "$work/cards/bad"
done
equal "and nothing was done" yes,yes,yes "$(told '[.factory[]] | join(",")')"
refused 7 "is not the one of the record" provision --dir "$dir" "${finish_it[@]}"
eject 0
insert 0 plain --plain
refused 7 "Yubico's extensions" provision --dir "$work/cards/plain"
equal "and there is no record of it" no "$([ -e "$work/cards/plain/record" ] || echo no)"
eject 0

echo "# a PIN that somebody has changed meanwhile"
insert 0 changed --blank
provision --dir "$work/cards/changed" >/dev/null
yubico-piv-tool -r "${readers[0]}" -a change-pin -P "$(dir=$work/cards/changed of_record pin)" \
    -N 11111111 >/dev/null 2>&1
refused 6 "the card refuses it" provision --dir "$work/cards/changed"
refused 6 "not sent again" provision --dir "$work/cards/changed"
equal "it was sent once" 2 "$(told .pin_tries)"
eject 0

echo "# wipe"
insert 0 ada
refused 7 "serial number 1;" "$chartseal" card wipe --serial 1
equal "and nothing was done" "9C,9D" "$(told '[.slots[].slot] | join(",")')"
"$chartseal" card wipe --serial $((0x00c0ffee)) >/dev/null
equal "a wiped card is the factory's" "yes,yes,yes 0" \
    "$(told '([.factory[]] | join(",")) + " \(.slots | length)"')"
provision --dir "$work/cards/again" >/dev/null
eject 0

echo "# a card of firmware 5.7: its management key is of AES-192"
dir=$work/cards/modern
insert 0 modern --blank --aes --serial 00000057
equal "as it comes" "5.7.1 AES-192 yes" "$(told '"\(.extensions) \(.management_algorithm) \(.factory.management_key)"')"
provision --dir "$dir" >/dev/null
equal "its own key, of AES-192" "AES-192 no AES-192" \
    "$(told '"\(.management_algorithm) \(.factory.management_key)"') $(of_record algorithm)"
equal "the factory's management key is refused" no \
    "$(admin_algorithm=0A admin 0 -s 00:47:00:9C:05:AC:03:80:01:11:00 2>/dev/null || echo no)"
equal "the record's is the card's" yes "$(default_admin_key=$(of_record admin | sed 's/../&:/g; s/:$//') \
    admin_algorithm=0A admin 0 -s 00:F7:00:9B 2>/dev/null && echo yes)"
certify_dir
provision --dir "$dir" "${finish_it[@]}" >/dev/null
sed 's/^admin .*/admin 000102030405060708090a0b0c0d0e0f1011121314151617/' "$dir/record" >"$work/other"
cp "$dir/record" "$work/kept"
cp "$work/other" "$dir/record"
refused 4 "is not the one of the record" provision --dir "$dir" "${finish_it[@]}"
cp "$work/kept" "$dir/record"
"$chartseal" card wipe --serial $((0x57)) >/dev/null
equal "wiped, it is as it came" "AES-192 yes,yes,yes" "$(told '.management_algorithm + " " + ([.factory[]] | join(","))')"
provision --dir "$work/cards/modern-again" >/dev/null
eject 0
insert 0 impostor --blank --aes --impostor
refused 4 "does not have its management key" provision --dir "$work/cards/impostor"
equal "and it got none" yes "$(told .factory.management_key)"
eject 0

echo "# a fault at each kind of command that changes the card"
insert 0 count --blank --serial 00000001 --log "$work/count.log"
provision --dir "$work/cards/count" >/dev/null
eject 0
changing=$(awk '{ ins = substr($2, 3, 2) } ins ~ /^(ff|24|db|47|20|87)$/ && !seen[ins]++ { print $1 }' "$work/count.log")
faults=("--fail-at N:6f00" "--pull-at N" "--pull-after N")
trials=0
interrupted=0
for n in $changing; do
    fault=${faults[trials % 3]/N/$n}
    trials=$((trials + 1))
    dir=$work/cards/trial-$trials
    # shellcheck disable=SC2086 # two words
    insert 0 "trial-$trials" --blank --serial 00000001 $fault
    status=0
    provision --dir "$dir" >/dev/null 2>"$work/err" || status=$?
    if [ "$status" -ne 0 ]; then interrupted=$((interrupted + 1)); fi
    eject 0
    insert 0 "trial-$trials"
    if ! provision --dir "$dir" >/dev/null 2>"$work/err"; then
        equal "$fault: gone on with (first exit status $status)" "" "$(cat "$work/err")"
    fi
    result=$(told '([.factory[]] | join(",")) + " " + ([.slots[] | "\(.slot) \(.generated)"] | join(",")) +
        " \(.pin_tries) \(.puk_tries)"')
    [ "$result" = "no,no,no 9C yes,9D yes 3 3" ] ||
        equal "$fault (first exit status $status)" "no,no,no 9C yes,9D yes 3 3" "$result"
    eject 0
done
echo "$interrupted of $trials runs ended early, and were gone on with"
equal "a pull ends a run, and most failures" yes \
    "$([ "$trials" -ge 6 ] && [ "$interrupted" -ge $((trials * 2 / 3)) ] && echo yes)"
