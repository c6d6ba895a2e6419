#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A cloud that wants its patients' keys in TPMs that a manufacturer certified: who has one is taken,
# who has a simulator or a smartcard is not; and what PC keeps of it.
# usage: attestation.sh CHARTSEAL
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" attestation
# shellcheck source=tests/integration/tpms.sh
. "$(dirname "$0")/tpms.sh"

for tool in tpm2_createek openssl; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed" && exit 77; }
done

# A manufacturer of TPMs, NAME; and its certificate for the endorsement key of a TPM, in NV memory.
make_maker() { # NAME
    openssl ecparam -name prime256v1 -genkey -noout -out "$work/$1.key"
    openssl req -x509 -new -key "$work/$1.key" -subj "/CN=$1" -days 3650 -out "$work/$1.pem" \
        -addext 'keyUsage=critical,keyCertSign,cRLSign' 2>/dev/null
}

endorse() { # MAKER NAME
    local to=(-T "$(tcti "$2")") at=$work/$2.ek
    tpm2_createek "${to[@]}" -Q -G ecc256 -c "$at.ctx" -u "$at.pem" -f pem
    tpm2_flushcontext "${to[@]}" -t
    printf '%s\n' 'basicConstraints=critical,CA:FALSE' 'keyUsage=critical,keyAgreement' \
        'extendedKeyUsage=2.23.133.8.1' 'subjectAltName=critical,URI:urn:tpm:id' >"$at.ext"
    openssl req -new -key "$work/$1.key" -subj "/CN=none" 2>/dev/null |
        openssl x509 -req -CA "$work/$1.pem" -CAkey "$work/$1.key" -set_serial 7 -days 3650 \
            -force_pubkey "$at.pem" -subj / -extfile "$at.ext" -outform DER -out "$at.der" 2>/dev/null
    tpm2_nvdefine "${to[@]}" -Q -C o -s "$(stat -c %s "$at.der")" \
        -a 'ownerwrite|ownerread|authread|no_da' 0x01c0000a
    tpm2_nvwrite "${to[@]}" -Q -C o -i "$at.der" 0x01c0000a
}

init_patient() { # DIR ID [OPTION...]
    echo "passphrase of $2" >"$work/$1.phrase"
    cs patient init --dir "$work/$1" --id "$2" --token "$(uri "$1")" \
        --passphrase-file "$work/$1.phrase" --cloud-file "$work/cloud/cloud.cbor" \
        --authority "$work/board/certificate.pem" --crl "$work/board/crl.pem" "${@:3}" >/dev/null
    enrol patient "$2"
}

register_of() { # DIR ID
    register=(patient register --dir "$work/$1" --cloud-url "$cloud_url"
        --code-file "$work/$2.code" --passphrase-file "$work/$1.phrase")
}

of_party() { # ID FILTER
    cs cloud attestation --dir "$work/cloud" --role patient --id "$1" --json | jq -r "$2"
}

say "founding"
make_maker known
make_maker unknown
make_world
make_tpm cloud
attempt=(cloud init --dir "$work/none" --id pc --token "$(uri cloud)" --pin-file "$work/pin"
    --authority "$work/board/certificate.pem")
refused 2 "tpm-roots" "${attempt[@]}" --require-attestation patient
refused 2 "no role" "${attempt[@]}" --require-attestation patient,janitor \
    --tpm-roots "$work/known.pem"
refused 4 "no CA certificate" "${attempt[@]}" --tpm-roots "$work/pin"
make_cloud p256 --tpm-roots "$work/known.pem" --require-attestation patient
start cloud

for name in good strange bare; do
    make_tpm "$name"
done
endorse known good
endorse unknown strange

say "a TPM that a known manufacturer certified"
init_patient good P-good
register_of good P-good
cs "${register[@]}" --json >"$work/registered.json"
[ "$(jq -r .delivery "$work/registered.json")" = duplicated ] || fail "delivery"
[ "$(jq -r .token_ops.attest "$work/registered.json")" = 4 ] ||
    fail "operations: $(cat "$work/registered.json")"
[ "$(of_party P-good .attested)" = genuine ] || fail "P-good: $(of_party P-good .)"
[ "$(of_party P-good '.attestation | length')" -gt 1000 ] || fail "no statements are kept"

say "again, with the same code: a renewal"
cs "${register[@]}" >/dev/null
[ "$(of_party P-good .serial)" = 2 ] || fail "serial: $(of_party P-good .)"

say "a TPM of another manufacturer's, one without a certificate, and none at all"
for name in strange bare; do
    init_patient $name P-$name
    register_of $name P-$name
    refused 4 "attestation" "${register[@]}"
done
make_token card
init_patient card P-card --pin-file "$work/pin"
register_of card P-card
refused 4 "attestation" "${register[@]}"
attempt=(cloud attestation --dir "$work/cloud" --role patient --id P-bare)
refused 5 "registered" "${attempt[@]}"

say "the code of who was refused is still good, for a TPM that is certified"
endorse known bare
register_of bare P-bare
cs "${register[@]}" >/dev/null
[ "$(of_party P-bare .attested)" = genuine ] || fail "P-bare: $(of_party P-bare .)"

say "what PC shows, and what is in the audit log"
cs cloud status --dir "$work/cloud" --json >"$work/status.json"
jq -e '.attested == {none: 0, stated: 0, bound: 0, genuine: 3}' "$work/status.json" >/dev/null ||
    fail "status: $(cat "$work/status.json")"
cs cloud attestation --dir "$work/cloud" --role patient --id P-good --out "$work/said" >/dev/null
h=$(sha256sum "$work/said" | cut -d' ' -f1)
cs audit export --dir "$work/cloud" >"$work/shown" || fail "audit export"
grep -q "attested genuine, h(attestation) $h" "$work/shown" || fail "the audit log: $(cat "$work/shown")"

say "what a token audit says of the keys"
cs token audit --dir "$work/good" --json >"$work/keys.json"
jq -e '.token.endorsement == "certificate" and
    ([.keys[] | select(.use != "scalar_mul") | .attestable] == [true, true]) and
    (.keys[] | select(.use == "sign") | .attributes | contains("fixedTPM fixedParent"))' \
    "$work/keys.json" >/dev/null || fail "token audit: $(cat "$work/keys.json")"
jq -e '.keys[] | select(.use == "scalar_mul") | .attestable == false' "$work/keys.json" >/dev/null ||
    fail "S_P is no key of the TPM's making"
cs token audit --dir "$work/card" --json | jq -e '.token.endorsement == ""' >/dev/null ||
    fail "a card attests nothing"
