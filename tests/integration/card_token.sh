#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# `chartseal card provision --module`: a token made through its own PKCS#11 module, taken up by a
# doctor; and a failure, and the end of the process, at every call that it takes.
#
# usage: card_token.sh CHARTSEAL SHIM
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" card-token
shim=${2:?}

# make DIR [OPTION...]
make() {
    cs card provision --module "$shim" --dir "$work/$1" --name "Dr. Ada Ek" --id "D 1" "${@:2}"
}

labels() { # of all tokens that are initialised
    cs token list --module "$module" --json | jq -r '.[] | select(.initialised) | .label'
}

make_world
make_cloud ed25519
start cloud

say "a token"
make first --json >"$work/made.json"
label=$(jq -r .label "$work/made.json")
[ "$(jq -r .step "$work/made.json")" = finished ] || fail "it is not finished"
openssl req -in "$work/first/sign.csr" -verify -noout 2>/dev/null || fail "the request is not signed"
[ "$(stat -c %a "$work/first/pin-letter.txt" "$work/first/pin" "$work/first/so-pin" | sort -u)" = 600 ] ||
    fail "modes of the PINs"
grep -q "^    $(cat "$work/first/pin")$" "$work/first/pin-letter.txt" || fail "the letter has no PIN"
! grep -q -F -f "$work/first/pin" -f "$work/first/so-pin" "$work/first/sheet.txt" || fail "a PIN on the sheet"
grep -q "^token  *$label$" "$work/first/sheet.txt" || fail "the sheet names no token"
make first >/dev/null
[ "$(labels | grep -c -x -F "$label")" -eq 1 ] || fail "it was made twice"
refused 9 "another module or doctor" card provision --module "$shim" --dir "$work/first" --name X --id D-2
refused 2 "reader is of a PIV card" card provision --module "$shim" --dir "$work/x" --name X --id X \
    --reader R
refused 2 "trust is of a PIV card" card provision --module "$shim" --dir "$work/x" --name X --id X \
    --trust "$work/x"

say "a doctor takes it up"
certify "$work/first/sign.csr" "$work/first.pem"
cs doctor init --dir "$work/doctor" --id "D 1" --name "Dr. Ada Ek" --adopt-keys --json \
    --token "pkcs11:token=$label?module-path=$module" --pin-file "$work/first/pin" \
    --cloud-file "$work/cloud/cloud.cbor" --authority "$work/board/certificate.pem" \
    --crl "$work/board/crl.pem" | jq -e '.adopted == 2' >/dev/null || fail "its keys are not taken"
cs doctor register --dir "$work/doctor" --cloud-url "$cloud_url" --certificate "$work/first.pem" >/dev/null

say "a failure, and the end, at every call"
export CS_SHIM_SCRIPT=$work/script CS_SHIM_COUNTS=$work/counts
: >"$work/script"
: >"$work/counts"
make counted >/dev/null
export CS_SHIM_COUNTS=$work/counts2
trials=0
ended=0
for call in C_InitToken C_InitPIN C_Login C_GenerateKeyPair C_SetAttributeValue C_SignInit C_Sign \
    C_OpenSession C_DeriveKey; do
    count=$(grep -c -x "$call" "$work/counts" || true)
    for ((n = 1; n <= count; n++)); do
        for action in "fail 0x30" "kill 0"; do
            trials=$((trials + 1))
            dir=trial-$trials
            echo "$call $n $action" >"$work/script"
            make $dir >/dev/null 2>"$work/trial.err" || ended=$((ended + 1))
            : >"$work/script"
            make $dir --json >"$work/trial.json" 2>"$work/trial.err" ||
                fail "$call $n $action: not gone on with: $(cat "$work/trial.err")"
            label=$(jq -r .label "$work/trial.json")
            [ "$(labels | grep -c -x -F "$label")" -eq 1 ] || fail "$call $n $action: tokens: $(labels)"
            keys=$(cs token audit --uri "pkcs11:token=$label?module-path=$module" \
                --pin-file "$work/$dir/pin" --json | jq -r '[.keys[].use] | sort | join(",")')
            [ "$keys" = agree,sign ] || fail "$call $n $action: keys: $keys"
        done
    done
done
say "$ended of $trials runs ended early, and were gone on with"
[ "$ended" -ge $((trials * 2 / 3)) ] || fail "the faults do not happen"
stop cloud
