#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A revoked card is refused by patient, cloud and hospital, each by itself: as soon as it has the new
# list, by `trust --crl`; and without it as soon as the old one is too old. The card's authority is
# another one, whose lists can be made with any date. Run by with_readers.sh.
#
# usage: with_readers.sh revoked.sh CHARTSEAL VIRTUAL-PIV
set -euo pipefail
virtual_piv=${2:?}
here=$(cd "$(dirname "$0")" && pwd)
work=of-parties.sh # which makes it
# shellcheck source=tests/virtual_piv/cards.sh
. "$here/cards.sh"
# shellcheck source=tests/integration/parties.sh
. "$here/../integration/parties.sh" "$1" revoked
[ -e "$module" ] || {
    echo "skipped: no SoftHSM for the others; install the package softhsm2" >&2
    exit 77
}
card=$work/cards/D-1

# -- the authority of the cards

printf '%s\n' '[ca]' 'default_ca=a' '[a]' "database=$work/pki.index" 'default_md=sha256' \
    "crlnumber=$work/pki.number" >"$work/pki.conf"
: >"$work/pki.index"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/pki.key" \
    -out "$work/pki.pem" -subj '/CN=Card PKI' -days 30 -addext keyUsage=keyCertSign,cRLSign \
    2>/dev/null

pki() {
    openssl ca -config "$work/pki.conf" -keyfile "$work/pki.key" -cert "$work/pki.pem" "$@" 2>/dev/null
}

lists=0
pki_list() { # OUT UNTIL: a later one than the one before
    lists=$((lists + 1))
    printf '%02d\n' "$lists" >"$work/pki.number"
    pki -gencrl -crl_lastupdate "20200101$(printf %06d $lists)Z" -crl_nextupdate "$2" -out "$work/$1"
}

pki_certify() { # USAGE OUT [OPTION...]
    openssl x509 -req -in "$card/sign.csr" -CA "$work/pki.pem" -CAkey "$work/pki.key" -days 30 \
        -set_serial "0x$(openssl rand -hex 8 | sed 's/^./5/')" -extfile <(echo "keyUsage=critical,$1") \
        -out "$2" "${@:3}" 2>/dev/null
}

# -- what the parties have

parties=(patient cloud hospital)
with_list() { # LIST PARTY...: as `trust --crl` takes it in
    local list=$1 party
    shift
    note_lists "$@"
    for party; do
        cs "$party" trust --dir "$work/$party" --crl "$work/$list" >/dev/null
    done
    wait_for_lists "$@"
}

put_back() { # LIST PARTY...: an earlier one, which `trust` would not
    local list=$1 party
    shift
    note_lists "$@"
    for party; do cat "$work/board/crl.pem" "$work/$list" >"$work/$party/crl.pem"; done
    wait_for_lists "$@"
}

taken_in() { # PARTY: how often it has taken in a list
    grep -c 'crl.pem and the OCSP policy taken in' "$work/log/$1.err" || true
}

declare -A lists_before=()
note_lists() { # PARTY...
    local party
    for party; do [ "$party" = patient ] || lists_before[$party]=$(taken_in "$party"); done
}

wait_for_lists() { # PARTY...: until the services have the new one
    local party
    for party; do
        [ "$party" != patient ] || continue
        for _ in $(seq 200); do
            [ "$(taken_in "$party")" -eq "${lists_before[$party]}" ] || continue 2
            sleep 0.1
        done
        fail "$party does not take in its new list"
    done
}

others() { # PARTY: but that one
    printf '%s\n' "${parties[@]}" | grep -vx "$1"
}

# refused_for WHAT CODE: the visit ends, for that
refused_for() {
    local status=0
    patience=6 visit doctor patient cardiology --no-record || status=$?
    [ "$status" -eq 4 ] || fail "$1: the visit ends with $status"
    grep -qs "\"code\": *\"$2\"" "$work"/visit-*.json || fail "$1: no '$2' in: $(cat "$work"/visit-*.json)"
    echo "ok: $1: $2"
}

make_world
echo leak:opensc-pkcs11 >>"$work/lsan"
export LSAN_OPTIONS="suppressions=$work/lsan:print_suppressions=0"
make_cloud ed25519
start cloud
make_hospital hospital hospital.example
start hospital
make_patient patient P-1
import hospital P-1 cardiology "$data/patient.json" >/dev/null
pki_list good.pem 20990101000000Z
cat "$work/board/certificate.pem" "$work/pki.pem" >"$work/both.pem"
for party in "${parties[@]}"; do
    cs "$party" trust --dir "$work/$party" --authority "$work/both.pem" --crl "$work/good.pem" >/dev/null
done

echo "# a card, and a visit"
insert 0 ada --blank --serial 00c0ffee
desk=(card provision --dir "$card" --name "Dr. Ada Ek" --id D-1 --reader "${readers[0]}")
cs "${desk[@]}" >/dev/null
pki_certify digitalSignature "$work/sign.pem"
pki_certify keyAgreement "$work/agree.pem" -force_pubkey "$card/agree.pub"
cs "${desk[@]}" --sign-certificate "$work/sign.pem" --agree-certificate "$work/agree.pem" >/dev/null
sed -n 's/^pin //p' "$card/record" >"$work/card.pin"
chmod 600 "$work/card.pin"
guid=$(cs card show --json | jq -r .guid)
cs doctor init --dir "$work/doctor" --id D-1 --name "Dr. Ada Ek" \
    --token "pkcs11:serial=${guid:16}?module-path=$OPENSC_MODULE" --pin-file "$work/card.pin" \
    --cloud-file "$work/cloud/cloud.cbor" --adopt-keys --authority "$work/both.pem" \
    --crl "$work/good.pem" >/dev/null
sleep 2.5
cs doctor register --dir "$work/doctor" --cloud-url "$cloud_url" --certificate "$card/sign.pem" >/dev/null
begun=$SECONDS
visit doctor patient cardiology
took=$((SECONDS - begun))

echo "# the old list ends, and there is no new one"
# long enough for a visit before its end
ends=$(($(date +%s) + 3 * took + 12))
pki_list short.pem "$(date -u -d "@$ends" +%Y%m%d%H%M%SZ)"
with_list short.pem "${parties[@]}"
visit doctor patient cardiology
[ "$(date +%s)" -lt "$ends" ] || fail "the machine is too slow: the list ended before the visit"
pki_list long.pem 20990101000000Z
while [ "$(date +%s)" -le "$ends" ]; do sleep 0.5; done
for party in "${parties[@]}"; do
    mapfile -t rest < <(others "$party")
    with_list long.pem "${rest[@]}"
    refused_for "the list of $party alone is too old" lists
    put_back short.pem "${rest[@]}"
done
with_list long.pem "${parties[@]}"
visit doctor patient cardiology
echo "ok: all have a list that counts: a visit"

echo "# revoked, and the new list reaches one of them"
for certificate in "$card/sign.pem" "$card/agree.pem"; do pki -revoke "$certificate"; done
pki_list revoked.pem 20990101000000Z
[ "$(openssl crl -in "$work/revoked.pem" -noout -text | grep -c 'Serial Number')" -eq 2 ] ||
    fail "the card is not on the list"
visit doctor patient cardiology
echo "ok: nobody knows yet"
for party in "${parties[@]}"; do
    with_list revoked.pem "$party"
    refused_for "$party alone has the new list" revoked
    put_back long.pem "$party"
done
with_list revoked.pem "${parties[@]}"
refused_for "all have it" revoked
eject 0
stop hospital
stop cloud
