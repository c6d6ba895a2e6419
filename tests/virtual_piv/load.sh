#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# `chartseal card load`: S_D of a registered doctor into a retired slot; what it refuses, and a
# failure and a pull at every command of it that changes the card. D-1's card has a management key of
# AES-192, D-2's of 3DES. Run by with_readers.sh.
#
# usage: with_readers.sh load.sh CHARTSEAL VIRTUAL-PIV SUITE
set -euo pipefail
virtual_piv=${2:?}
suite=${3:?}
here=$(cd "$(dirname "$0")" && pwd)
work=of-parties.sh # which makes it
# shellcheck source=tests/virtual_piv/cards.sh
. "$here/cards.sh"
# shellcheck source=tests/integration/parties.sh
. "$here/../integration/parties.sh" "$1" load
# shellcheck source=tests/integration/tpms.sh
[ "$suite" = ed25519 ] || . "$here/../integration/tpms.sh"

# shellcheck source=tests/virtual_piv/doctors.sh
. "$here/doctors.sh"

[ "$suite" = ed25519 ] || command -v yubico-piv-tool >/dev/null || {
    echo "skipped: no yubico-piv-tool, which makes keys in retired slots" >&2
    exit 77
}

of_record() { # NAME, in the record of $dir
    sed -n "s/^$1 //p" "$dir/record"
}

# make_card ID SERIAL [OPTION]: a blank one in the first reader, made for doctor ID; its directory is $dir.
make_card() {
    dir=$work/cards/$1
    insert 0 "$1" --blank --serial "${@:2}"
    cs card provision --dir "$dir" --name "Dr. Ada Ek" --id "$1" --reader "${readers[0]}" >/dev/null
    certify_dir
    cs card provision --dir "$dir" --name "Dr. Ada Ek" --id "$1" --reader "${readers[0]}" \
        --sign-certificate "$work/sign.pem" --agree-certificate "$work/agree.pem" >/dev/null
    of_record pin >"$dir/pin"
    chmod 600 "$dir/pin"
}

certify_dir() {
    cs authority issue --dir "$work/board" --request "$dir/sign.csr" --out "$work/sign.pem" >/dev/null
    cs authority issue --dir "$work/board" --request "$dir/sign.csr" \
        --agree-key "$dir/agree.pub" --out "$work/agree.pem" >/dev/null
}

# join HOME ID: a home for the card in the first reader, registered.
join_doctor() {
    local guid
    guid=$(cs card show --reader "${readers[0]}" --json | jq -r .guid)
    cs doctor init --dir "$work/$1" --id "$2" --name "Dr. Ada Ek" --pin-file "$dir/pin" \
        --token "pkcs11:serial=${guid:16}?module-path=$OPENSC_MODULE" --adopt-keys \
        --cloud-file "$work/cloud/cloud.cbor" --authority "$work/board/certificate.pem" \
        --crl "$work/board/crl.pem" >/dev/null
}

register() { # [OPTION...]: the home $home; says how S_D came
    cs doctor register --dir "$home" --cloud-url "$cloud_url" --certificate "$dir/sign.pem" \
        --json "$@" | jq -r .delivery
}

load() {
    cs card load --dir "$dir" --home "$home" --reader "${readers[0]}" --json "$@"
}

shown() { # FILTER, of `card show`
    cs card show --reader "${readers[0]}" --json | jq -r "$1"
}
slot_82='.slots[] | select(.slot == "82") |
    "\(.key) \(.generated) \(.certificate.matches // "none")"'

audited() { # of the S_D of $home
    cs token audit --dir "$home" --json | jq -r '[.keys[] | select(.use == "scalar_mul") |
        "\(.slot // "none") \(.custody) \(.delivery) \(.local)"] | join(",")'
}

# changing LOG: the commands in it that change the card
changing() {
    awk '{ ins = substr($2, 3, 2) } ins ~ /^(fe|db|47)$/ { print $1 }' "$1"
}

# is_loaded: S_D is in the slot, the home says so, and what it was sealed in is gone.
is_loaded() {
    [ "$(shown "$slot_82")" = "yes no yes" ] && [ "$(shown .key_history)" = 1 ] &&
        jq -r .keys.scalar "$home/config.json" | grep -q '^pkcs11:.*id=%05' &&
        [ ! -e "$home/scalar.sealed" ] && [ ! -e "$home/scalar.sealed.new" ]
}

is_sealed() {
    [ -e "$home/scalar.sealed" ] && [ "$(jq -r .keys.scalar "$home/config.json")" = scalar.sealed ]
}

make_world
echo leak:opensc-pkcs11 >>"$work/lsan"
export LSAN_OPTIONS="suppressions=$work/lsan:print_suppressions=0"
[ "$suite" = ed25519 ] || make_tpm cloud
make_cloud "$suite"
start cloud

make_card D-1 00c0ffee --aes
home=$work/ek
join_doctor ek D-1

if [ "$suite" = ed25519 ]; then
    echo "# an X25519 key has no place on the card"
    equal "S_D is sealed" sealed "$(register)"
    refused 7 "of suite ed25519 stays sealed to 9D" card load --dir "$dir" --home "$home"
    equal "and stays so" "none sealed sealed false" "$(audited)"
    equal "nothing was done" none "$(shown "$slot_82")none"
    equal "and registering goes on" sealed "$(register)"
    eject 0
    exit 0
fi

echo "# what is refused"
refused 4 "is not registered" card load --dir "$dir" --home "$home"
equal "S_D is sealed" sealed "$(register)"
eject 0
insert 0 D-1 --log "$work/refused.log"
refused 5 "sign.csr" card load --dir "$work/cards/none" --home "$home"
refused 5 "doctor init" card load --dir "$dir" --home "$work/none"
cp -r "$dir" "$work/cards/wrong"
sed -i 's/^admin .*/admin 0102030405060708010203040506070801020304050607ff/' "$work/cards/wrong/record"
refused 4 "management key of the card" card load --dir "$work/cards/wrong" --home "$home"
sed -i 's/^done .*/done agree/' "$work/cards/wrong/record"
refused 4 "not finished" card load --dir "$work/cards/wrong" --home "$home"
for line in 'scalar 81' 'scalar 96' 'scalar 082' 'scalar' 'scalar 82\nscalar 83' 'slot 82'; do
    { cat "$dir/record" && printf '%b\n' "$line"; } >"$work/cards/wrong/record"
    refused 9 "not the record of a card" card load --dir "$work/cards/wrong" --home "$home"
done
equal "nothing was changed" "" "$(changing "$work/refused.log")"
eject 0
ada=$dir
make_card D-2 00000b0b
refused 7 "no token matches" card load --dir "$dir" --home "$home"
home=$work/bo
join_doctor bo D-2
equal "S_D of the other is sealed" sealed "$(register)"
eject 0
cp "$work/D-2" "$work/other"
cp -r "$dir" "$work/other.dir"
cp -r "$home" "$work/other.home"
home=$work/ek
insert 0 D-1
refused 7 "another than the record" card load --dir "$dir" --home "$home"
dir=$ada
insert 1 D-2
refused 7 "not the one of the record" card load --dir "$dir" --home "$home" --reader "${readers[1]}"
eject 1
eject 0
insert 0 D-1 --no-import
refused 7 "stays sealed to 9D.*no such command" card load --dir "$dir" --home "$home"
equal "a card without import: S_D as it was" "none sealed sealed false" "$(audited)"
equal "and registering goes on" sealed "$(register)"
eject 0

# A card, a directory and a home as they are now, for each trial. Refusals have left a slot chosen.
cp "$work/D-1" "$work/base"
cp -r "$dir" "$work/base.dir"
cp -r "$home" "$work/base.home"
trial() { # OPTION...
    cp "$work/base" "$work/trial"
    rm -rf "$work/trial.dir" "$work/trial.home"
    cp -r "$work/base.dir" "$work/trial.dir"
    cp -r "$work/base.home" "$work/trial.home"
    dir=$work/trial.dir
    home=$work/trial.home
    insert 0 trial "$@"
}

echo "# loaded"
sed -i '/^scalar/d' "$work/base.dir/record"
trial --log "$work/load.log"
load >"$work/loaded.json"
commands=$(changing "$work/load.log")
# uses of keys: of 9D and of S_D the first, of the management key both
others=$(awk 'substr($2, 3, 2) == "87" && (!seen[substr($2, 7, 2)]++ || $2 ~ /9b$/) { print $1 }' "$work/load.log")
equal "the slot, and one agree" "82 imported 1 0" \
    "$(jq -r '"\(.slot) \(.delivery) \(.token_ops.agree) \(.token_ops.scalar_mul)"' "$work/loaded.json")"
equal "the record names the slot" 82 "$(of_record scalar)"
equal "the card says imported" "yes no yes" "$(shown "$slot_82")"
equal "to people, too" 1 "$(cs card show | grep -c '^slot 82  *key imported$')"
equal "the management key's algorithm" AES-192 "$(of_record algorithm)"
is_loaded || fail "not loaded: $(cat "$home/config.json")"
equal "the audit tells the truth of it" "82 token imported false" "$(audited)"
equal "the certificate vouches for nothing" "Key Agreement" \
    "$(pkcs11-tool --module "$OPENSC_MODULE" --read-object --type cert --id 05 2>/dev/null |
        openssl x509 -inform DER -noout -ext keyUsage | tail -n 1 | tr -s ' ' | sed 's/^ //')"
equal "PIN once, no touch" "02 01" "$(opensc-tool -s 00:A4:04:00:05:A0:00:00:03:08:00 -s 00:F7:00:82 \
    2>/dev/null | sed -n 's/^01 01 11 02 02 \(.. ..\).*/\1/p')"
eject 0
insert 0 trial --log "$work/load.log" # out of its reader: what it does without its PIN
apdu() {
    opensc-tool -s 00:A4:04:00:05:A0:00:00:03:08:00 -s "$1" 2>/dev/null |
        sed -n 's/^Received (SW1=0x\(..\), SW2=0x\(..\)).*/\1\2/p' | tail -n 1
}
point=$(openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout -outform DER 2>/dev/null |
    tail -c 65 | od -An -tx1 | tr -d '\n' | tr ' ' :)
equal "S_D does nothing without the PIN" 6982 "$(apdu "00:87:11:82:47:7C:45:82:00:85:41$point")"
equal "and none is imported without the management key" 6982 \
    "$(apdu "00:FE:11:82:22:06:20$(printf ':01%.0s' $(seq 32))")"
: >"$work/load.log"
load >/dev/null
equal "again: nothing is written" "" "$(changing "$work/load.log")"
is_loaded || fail "not loaded any more"
eject 0
cp "$work/trial" "$work/after"
cp -r "$dir" "$work/after.dir"
cp -r "$home" "$work/after.home"

echo "# ended between two changes of files"
# a trial of what is before and after: card, record, home
between() { # WHAT CARD DIR HOME
    cp "$work/$2" "$work/base"
    for part in dir home; do rm -rf "$work/base.$part"; done
    cp -r "$work/$3.dir" "$work/base.dir"
    cp -r "$work/$4.home" "$work/base.home"
}
cp "$work/base" "$work/before"
cp -r "$work/base.dir" "$work/before.dir"
cp -r "$work/base.home" "$work/before.home"
between record before before before
trial --log "$work/full.log"
(ulimit -f 0 && load >/dev/null 2>&1) && fail "a record that cannot be written is no error"
equal "a record that cannot be written: the card is not changed" "" "$(changing "$work/full.log")"
is_sealed || fail "S_D is not sealed"
eject 0
between record before after before
trial
(ulimit -f 0 && load >/dev/null 2>&1) && fail "a config.json that cannot be written is no error"
equal "a config.json that cannot be written: the card is loaded" "yes no yes" "$(shown "$slot_82")"
is_sealed || fail "S_D is not sealed"
load >/dev/null
is_loaded || fail "a slot was chosen, and config.json was not written"
eject 0
between card after after before
trial --log "$work/between.log"
equal "a card that is loaded, and a home that does not know: sealed is what counts" \
    "none sealed sealed false" "$(audited)"
load >/dev/null
is_loaded || fail "the card was loaded, and the home did not know"
equal "nothing is written" "" "$(changing "$work/between.log")"
rm "$home/credential.cbor"
refused 4 "is not registered" card load --dir "$dir" --home "$home"
eject 0
between home after after after
cp "$work/before.home/scalar.sealed" "$work/base.home/"
trial
load >/dev/null
is_loaded || fail "the sealed file was left"
sed -i '/^scalar/d' "$dir/record" # put back from a copy of before
load >/dev/null
equal "a record of before: the slot is found" 82 "$(of_record scalar)"
# a registration that ended when config.json had the new S_D, and credential.cbor the old
jq '.keys.scalar = "scalar.sealed"' "$home/config.json" >"$work/config" && cp "$work/config" "$home/config.json"
{ head -c 1 "$work/before.home/scalar.sealed"; head -c 400 /dev/urandom; } >"$home/scalar.sealed.new"
cs token audit --dir "$home" --json >/dev/null
load >/dev/null
is_loaded || fail "after a registration that ended early, S_D is not found by its Y"
jq '.keys.scalar = "scalar.sealed"' "$home/config.json" >"$work/config" && cp "$work/config" "$home/config.json"
equal "or registers again" sealed "$(register)"
is_sealed || fail "not sealed after a registration"
eject 0

echo "# a fault at every command that changes the card"
between "AES" before before before
trials=0
interrupted=0
sweep() { # FAULT
    local status=0
    trials=$((trials + 1))
    # shellcheck disable=SC2086 # two words
    trial $1
    load >/dev/null 2>"$work/err" || status=$?
    eject 0
    insert 0 trial
    if [ "$status" -ne 0 ]; then
        interrupted=$((interrupted + 1))
        is_sealed || fail "$1: ended early, and S_D is not sealed: $(cat "$work/err")"
        load >/dev/null 2>"$work/err" || fail "$1: not gone on with: $(cat "$work/err")"
    fi
    is_loaded || fail "$1: not loaded (first exit status $status)"
    eject 0
}
for n in $commands; do
    for fault in "--fail-at $n:6f00" "--pull-at $n" "--pull-after $n"; do
        sweep "$fault"
    done
done
for n in $others; do # with a pull, OpenSC may wait for ever
    sweep "--fail-at $n:6f00"
done
echo "$interrupted of $trials runs ended early, and were gone on with"
equal "most end a run" yes "$([ "$interrupted" -ge $((trials * 2 / 3)) ] && echo yes)"

echo "# a new S_D over an old one, with a management key of 3DES"
between "3DES" other other other
trial
load >/dev/null
is_loaded || fail "not loaded"
equal "no algorithm is told, as before there were others" "" "$(of_record algorithm)"
equal "S_D anew" sealed "$(register)"
old=$(shown '.slots[] | select(.slot == "82") | .certificate.sha256')
eject 0
for part in '' .dir .home; do cp -rT "$work/trial$part" "$work/over$part"; done
between over over over over
rm -f "$work/over.log"
trial --log "$work/over.log"
load >/dev/null
is_loaded || fail "not loaded over the old one"
eject 0
mapfile -t commands < <(changing "$work/over.log")
equal "what changes the card: the key, its certificate in two parts" 3 "${#commands[@]}"
trials=0
interrupted=0
for fault in "--fail-at ${commands[0]}:6f00" "--pull-at ${commands[0]}" "--pull-after ${commands[0]}" \
    "--pull-after ${commands[1]}" "--fail-at ${commands[2]}:6f00" "--pull-after ${commands[2]}"; do
    sweep "$fault"
done
equal "each run ended early, and was gone on with" "$trials" "$interrupted"
insert 0 trial
equal "the old one is gone" no \
    "$([ "$(shown '.slots[] | select(.slot == "82") | .certificate.sha256')" = "$old" ] || echo no)"
equal "the new one acts as Y" "82 token imported false" "$(audited)"
eject 0

echo "# slot 82 is another's"
between "3DES" other other other
trial
make_key() { # SLOT
    yubico-piv-tool -r "${readers[0]}" --key="$(of_record admin)" -a generate -s "$1" -A ECCP256 >/dev/null 2>&1 ||
        fail "no key was made in slot $1"
}
make_key 82
before=$(shown '.slots[] | select(.slot == "82") | "\(.key) \(.generated)"')
equal "the next one is taken" 83 "$(load | jq -r .slot)"
equal "82 is as it was" "$before" "$(shown '.slots[] | select(.slot == "82") | "\(.key) \(.generated)"')"
equal "the history counts up to it" 2 "$(shown .key_history)"
equal "and S_D is in use" "83 token imported false" "$(audited)"
eject 0
trial
for slot in 82 83 84 85 86 87 88 89 8a 8b 8c 8d 8e 8f 90 91 92 93 94 95; do make_key $slot; done
refused 7 "each of its twenty retired slots" card load --dir "$dir" --home "$home"
is_sealed || fail "S_D is not sealed"
eject 0

echo "# new keys, with a fault where the S_D of the old ones goes"
between base after after after
trial --log "$work/keys.log"
cs card renew --dir "$dir" --new-keys >/dev/null
is_empty_history() { # of no key: without an address (SP 800-73-4, part 1, 3.3.3)
    sed -n 's/^object 5fc10c //p' "$work/trial" | grep -q 'c10100c20100fe00$'
}
is_gone() {
    [ "$(shown "$slot_82") $(shown .key_history)" = "yes yes none 0" ] &&
        [ "$(shown '[.slots[] | "\(.slot) \(.generated)"] | join(",")')" = "9C yes,9D yes,82 yes" ] &&
        [ "$(of_record "done")" = agree ] && is_empty_history
}
is_gone || fail "the old S_D is there, or the keys are not new"
eject 0
trial
sed -i '/^scalar/d' "$dir/record" # put back from a copy of before
cs card renew --dir "$dir" --new-keys >/dev/null
is_gone || fail "with a record of before, the old S_D is there, or the keys are not new"
eject 0
faults=(--pull-after --fail-at --pull-at)
for n in $(changing "$work/keys.log" | head -n 3); do # the key, its certificate, the history
    fault="${faults[0]} $n"
    [ "${faults[0]}" != --fail-at ] || fault=$fault:6f00
    faults=("${faults[@]:1}")
    # shellcheck disable=SC2086 # two words
    trial $fault
    cs card renew --dir "$dir" --new-keys >/dev/null 2>&1 && fail "$fault did not end the run"
    eject 0
    insert 0 trial
    cs card renew --dir "$dir" --new-keys >/dev/null || fail "$fault: not gone on with"
    is_gone || fail "$fault: the old S_D is there, or the keys are not new"
    eject 0
done
echo "ok: each of three runs ended early, and was gone on with"

echo "# registered again"
between base after after after
trial
equal "S_D is sealed again" sealed "$(register)"
is_sealed || fail "not sealed"
equal "the old one is not believed" "none sealed sealed false" "$(audited)"
equal "nor is it said how it came there" "agree unknown" "$(cs token audit --dir "$home" --json |
    jq -r '.keys[] | select(.slot == "82") | "\(.use) \(.delivery)"')"
old=$(shown '.slots[] | select(.slot == "82") | .certificate.sha256')
sed -i '/^scalar/d' "$dir/record" # put back from a copy of before: the new one takes the same slot
sed -i 's/use_file_caching = no/use_file_caching = public/' "$OPENSC_CONF"
cs token audit --dir "$home" >/dev/null # which puts the old certificate into the cache
refused 7 "use_file_caching is off" card load --dir "$dir" --home "$home" --reader "${readers[0]}"
is_sealed || fail "the file went, and the slot is not in use"
sed -i 's/use_file_caching = public/use_file_caching = no/' "$OPENSC_CONF"
load >/dev/null
is_loaded || fail "not loaded again"
equal "the new one is over the old" no "$([ "$(shown '.slots[] | select(.slot == "82") | .certificate.sha256')" = "$old" ] || echo no)"
equal "and acts as the new Y" "82 token imported false" "$(audited)"

echo "# unblocked, renewed"
cs card unblock --dir "$dir" >/dev/null
of_record pin >"$work/cards/D-1/pin" # of the home
cp "$work/cards/D-1/pin" "$dir/pin"
equal "another PIN, the same S_D" "82 token imported false" "$(audited)"
cs card renew --dir "$dir" >/dev/null
certify_dir
cs card renew --dir "$dir" --sign-certificate "$work/sign.pem" --agree-certificate "$work/agree.pem" >/dev/null
equal "renewed certificates leave it" "82 token imported false" "$(audited)"
equal "S_D anew" sealed "$(register)"
load --pin-file "$work/cards/D-1/pin" >/dev/null
is_loaded || fail "not loaded after a renewal"
cs card revoke --dir "$dir" --authority "$work/board" --cloud "$work/cloud" >/dev/null
cs card renew --dir "$dir" --new-keys >/dev/null
equal "with new keys, the old S_D is gone" "yes yes none 0" "$(shown "$slot_82") $(shown .key_history)"
certify_dir
cs card renew --dir "$dir" --sign-certificate "$work/sign.pem" --agree-certificate "$work/agree.pem" >/dev/null
refused 4 "not for the keys of this token" card load --dir "$dir" --home "$home"
home=$work/anew
join_doctor anew D-1
cs cloud enrol --dir "$work/cloud" --role doctor --id D-1 --code-file "$work/code"
equal "a home for the new keys" sealed "$(register --code-file "$work/code")"
load >/dev/null
is_loaded || fail "not loaded with the new keys"

echo "# wiped"
cs card wipe --serial $((0x00c0ffee)) >/dev/null
equal "a wiped card has neither key nor history" "0 null" "$(shown '"\(.slots | length) \(.key_history)"')"
eject 0
