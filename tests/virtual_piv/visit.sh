#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A doctor's card in real use: made at a desk, certified by an authority, taken up by `doctor init`,
# registered, and used for visits, through OpenSC and pcscd. Then revoked. Run by with_readers.sh.
#
# usage: with_readers.sh visit.sh CHARTSEAL VIRTUAL-PIV SUITE
set -euo pipefail
virtual_piv=${2:?}
suite=${3:?}
here=$(cd "$(dirname "$0")" && pwd)
work=of-parties.sh # which makes it, and has another `certify`
# shellcheck source=tests/virtual_piv/cards.sh
. "$here/cards.sh"
# shellcheck source=tests/integration/parties.sh
. "$here/../integration/parties.sh" "$1" piv
# shellcheck source=tests/integration/tpms.sh
[ "$suite" = ed25519 ] || . "$here/../integration/tpms.sh"

# shellcheck source=tests/virtual_piv/doctors.sh
. "$here/doctors.sh"

card_uri() { # of the card in the first reader; OpenSC's serial number is half of the GUID
    local guid
    guid=$(cs card show --reader "${readers[0]}" --json | jq -r .guid)
    echo "pkcs11:serial=${guid:16}?module-path=$OPENSC_MODULE"
}

# join_doctor DIR ID [OPTION...]: a home for the card, and its registration.
join_doctor() {
    cs doctor init --dir "$work/$1" --id "$2" --name "Dr. Ada Ek" --token "$(card_uri)" \
        --pin-file "$work/cards/$2/pin" --cloud-file "$work/cloud/cloud.cbor" --adopt-keys \
        --authority "$work/board/certificate.pem" --crl "$work/board/crl.pem" --json "${@:3}"
}

make_world
echo leak:opensc-pkcs11 >>"$work/lsan"
export LSAN_OPTIONS="suppressions=$work/lsan:print_suppressions=0"
[ "$suite" = ed25519 ] || make_tpm cloud
make_cloud "$suite"
start cloud
make_hospital hospital hospital.example
start hospital
make_patient patient P-1
import hospital P-1 cardiology "$data/patient.json" >/dev/null

echo "# a card, and a home for it"
insert 0 ada --blank --serial 00c0ffee --log "$work/card.log"
make_doctors_card "Dr. Ada Ek" D-1
refused 7 "--adopt-keys takes those" doctor init --dir "$work/unasked" --id D-1 \
    --name "Dr. Ada Ek" --token "$(card_uri)" --pin-file "$work/cards/D-1/pin" \
    --cloud-file "$work/cloud/cloud.cbor" --authority "$work/board/certificate.pem"
refused 3 "PUBLIC KEY" authority issue --dir "$work/board" --request "$work/cards/D-1/sign.csr" \
    --agree-key "$work/cards/D-1/sign.csr" --out "$work/x.pem"
equal "the keys in 9C and 9D are taken" 2 "$(join_doctor ek D-1 | jq .adopted)"
cs doctor register --dir "$work/ek" --cloud-url "$cloud_url" \
    --certificate "$work/cards/D-1/sign.pem" --json >"$work/registered.json"
equal "S_D is sealed to 9D" sealed "$(jq -r .delivery "$work/registered.json")"
if [ "$suite" = p256 ]; then
    cs card load --dir "$work/cards/D-1" --home "$work/ek" >/dev/null
fi

echo "# a visit"
: >"$work/card.log"
visit ek patient cardiology
cmp "$data/patient.json" "$work/visit.record" || fail "the record did not arrive"
cmp "$data/diagnosis.txt" "$work/visit.diagnosis" || fail "the diagnosis did not arrive"
# sign 4, agree 3, scalar_mul 2; a sealed S_D costs one more agree for each scalar_mul
wanted="4 5 2"
[ "$suite" = ed25519 ] || wanted="4 3 2"
equal "what the visit asks of the card" "$wanted" \
    "$(jq -r '.token_ops | "\(.sign) \(.agree) \(.scalar_mul)"' "$work/visit-doctor.json")"
# operations SLOT: those with the key of that slot that the card has carried out
operations() {
    awk -v slot="$1" 'substr($2, 1, 4) == "0087" && substr($2, 7, 2) == slot && $4 == "9000"' \
        "$work/card.log" | wc -l
}
# and one when 9D is opened, and 82, before a patient comes: is the public half the private one's?
wanted="4 6 0"
scalar="doctor-scalar:scalar_mul:sealed"
[ "$suite" = ed25519 ] || wanted="4 4 3"
[ "$suite" = ed25519 ] || scalar="Retired KEY MAN 1:scalar_mul:token"
equal "what the card did" "$wanted" "$(operations 9c) $(operations 9d) $(operations 82)"
equal "keys: 9C, 9D, and S_D" "SIGN key:sign:token,KEY MAN key:agree:token,$scalar" \
    "$(cs token audit --dir "$work/ek" --json |
        jq -r '[.keys[] | "\(.name):\(.use):\(.custody)"] | join(",")')"

echo "# a card that takes 150 ms for each operation"
eject 0
insert 0 ada --delay-ms 150
# the time is the machine's, too, which others use: the best of a few counts
best=9999
most=$((9 * 150 * 115 / 100))
for _ in {1..8}; do
    visit ek patient cardiology
    own=$(jq '.own_seconds * 1000 | floor' "$work/visit-doctor.json")
    echo "the doctor's part took $own ms"
    [ "$own" -ge "$best" ] || best=$own
    [ "$best" -gt "$most" ] || break
done
[ "$best" -ge $((9 * 150)) ] || fail "nine operations of 150 ms in $best ms"
[ "$best" -le "$most" ] || fail "the doctor's part takes $best ms: over 15 % more than 9 * 150 ms"
echo "ok: the doctor's part takes nine operations and $((best - 1350)) ms"
eject 0

[ "$suite" = ed25519 ] || exit 0 # the rest is the same in both

# everybody CRL: to cloud and hospital, doctor and patient; services take it in within two seconds
everybody() {
    local party
    for party in cloud hospital patient; do
        cs $party trust --dir "$work/$party" --crl "$work/board/crl.pem" >/dev/null
    done
    sleep 3
}

# refuses WHO WORD: a visit ends with that. A station whose patient has refused waits for another.
refuses() {
    local status=0
    patience=8 visit ek patient cardiology || status=$?
    [ "$status" -ne 0 ] || fail "$1: the visit of a card that counts no more goes on"
    grep -qs "$2" "$work"/visit-*.json "$work/log/doctor.err" "$work/log/patient.err" ||
        fail "$1: no '$2' in: $(cat "$work"/visit-*.json)"
    echo "ok: $1: $2"
}

echo "# suspended, and found again"
insert 0 ada
cp "$work/board/crl.pem" "$work/before.pem"
cs card suspend --dir "$work/cards/D-1" | grep "authority revoke --hold" >/dev/null ||
    fail "the desk is not told what to run"
cs card suspend --dir "$work/cards/D-1" --authority "$work/board" >/dev/null
cs card suspend --dir "$work/cards/D-1" --authority "$work/board" >/dev/null # it may be done again
equal "both certificates are on the list" 2 \
    "$(openssl crl -in "$work/board/crl.pem" -noout -text | grep -c 'Certificate Hold')"
# each by itself: only its home has the list
cs patient trust --dir "$work/patient" --crl "$work/board/crl.pem" >/dev/null
refuses "the patient refuses a suspended card" revoked
cp "$work/before.pem" "$work/patient/crl.pem"
cp "$work/board/crl.pem" "$work/cloud/crl.pem"
sleep 3
refuses "the cloud refuses it" revoked
cp "$work/before.pem" "$work/cloud/crl.pem"
cp "$work/board/crl.pem" "$work/hospital/crl.pem"
sleep 3
refuses "the hospital refuses it" revoked
cs card suspend --dir "$work/cards/D-1" --lift | grep "authority release" >/dev/null ||
    fail "the desk is not told what to run"
cs card suspend --dir "$work/cards/D-1" --lift --authority "$work/board" >/dev/null
everybody
visit ek patient cardiology
echo "ok: a card that was found counts again"

echo "# renewed, with the same keys"
cs card renew --dir "$work/cards/D-1" >/dev/null
cs authority issue --dir "$work/board" --request "$work/cards/D-1/sign.csr" --out "$work/sign2.pem" >/dev/null
cs authority issue --dir "$work/board" --request "$work/cards/D-1/sign.csr" \
    --agree-key "$work/cards/D-1/agree.pub" --out "$work/agree2.pem" >/dev/null
cs card renew --dir "$work/cards/D-1" --sign-certificate "$work/sign2.pem" \
    --agree-certificate "$work/agree2.pem" >/dev/null
before=$(cs doctor register --dir "$work/ek" --json | jq .serial)
[ "$(cs doctor register --dir "$work/ek" --certificate "$work/sign2.pem" --json | jq .serial)" -gt "$before" ] ||
    fail "S_D is not issued anew"
visit ek patient cardiology
echo "ok: a renewed card, and S_D issued anew"

echo "# stolen, out of its reader: what it does without its PIN"
eject 0
insert 0 ada
p11() {
    pkcs11-tool --module "$OPENSC_MODULE" "$@" 2>"$work/p11.err"
}
equal "public data is read" 2 "$(p11 --list-objects --type cert | grep -c '^Certificate')"
equal "no private key is shown" 0 "$(p11 --list-objects --type privkey | grep -c '^Private' || true)"
openssl rand -out "$work/digest" 32
p11 --sign --mechanism ECDSA --id 02 --input-file "$work/digest" --output-file "$work/x" >/dev/null &&
    fail "9C signs without a PIN"
# straight at the card: sign with 9C, agree with 9D, make a key, write an object, change the PIN
apdu() {
    opensc-tool -s 00:A4:04:00:05:A0:00:00:03:08:00 -s "$1" 2>/dev/null |
        sed -n 's/^Received (SW1=0x\(..\), SW2=0x\(..\)).*/\1\2/p' | tail -n 1
}
zeros=$(printf ':00%.0s' $(seq 32))
equal "9C does not sign" 6982 "$(apdu "00:87:11:9C:26:7C:24:82:00:81:20$zeros")"
point=$(openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout -outform DER 2>/dev/null |
    tail -c 65 | od -An -tx1 | tr -d '\n' | tr ' ' :)
equal "9D does not agree" 6982 "$(apdu "00:87:11:9D:47:7C:45:82:00:85:41$point")"
equal "no key is made" 6982 "$(apdu 00:47:00:9C:05:AC:03:80:01:11)"
equal "no object is written" 6982 "$(apdu 00:DB:3F:FF:08:5C:03:5F:C1:05:53:01:00)"
refused 6 "tries are left" card change-pin --serial $((0x00c0ffee)) --pin-file "$work/pin" --new-pin-file "$work/so.pin"
equal "that was one try" 2 "$(cs card show --json | jq .pin_tries)"

echo "# revoked"
cs card revoke --dir "$work/cards/D-1" >"$work/told"
for word in "authority revoke --dir AUTHORITY" "cloud revoke"; do
    grep -q "$word" "$work/told" || fail "the desk is not told to run $word"
done
cs card revoke --dir "$work/cards/D-1" --authority "$work/board" --cloud "$work/cloud" >/dev/null
cs card revoke --dir "$work/cards/D-1" --authority "$work/board" --cloud "$work/cloud" >/dev/null
equal "all four certificates are on the list, the renewed and those of before" 4 \
    "$(openssl crl -in "$work/board/crl.pem" -noout -text | grep -c 'Serial Number')"
refused 4 "revoked for good" authority release --dir "$work/board" --certificate "$work/sign2.pem"
sleep 3
refuses "a revoked credential is refused before any list of the authority arrives" revoked
everybody
refuses "and with it" revoked
refused 4 "revoked" doctor register --dir "$work/ek"

echo "# the card again, with other keys"
cs card renew --dir "$work/cards/D-1" --new-keys --pin-file "$work/cards/D-1/pin" >/dev/null
cs authority issue --dir "$work/board" --request "$work/cards/D-1/sign.csr" --out "$work/sign3.pem" >/dev/null
cs authority issue --dir "$work/board" --request "$work/cards/D-1/sign.csr" \
    --agree-key "$work/cards/D-1/agree.pub" --out "$work/agree3.pem" >/dev/null
cs card renew --dir "$work/cards/D-1" --sign-certificate "$work/sign3.pem" \
    --agree-certificate "$work/agree3.pem" >/dev/null
equal "the new keys are taken" 2 "$(join_doctor again D-1 | jq .adopted)"
cs cloud enrol --dir "$work/cloud" --role doctor --id D-1 --code-file "$work/D-1.code"
cs doctor register --dir "$work/again" --cloud-url "$cloud_url" --code-file "$work/D-1.code" \
    --certificate "$work/cards/D-1/sign.pem" >/dev/null
visit again patient cardiology
echo "ok: a visit with the new keys"
