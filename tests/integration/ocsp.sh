#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A doctor with a certificate of an outside authority that has an OCSP responder (OpenSSL's): she
# brings its answer along; patient, cloud and hospital each check it, and each by its own policy.
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" ocsp

ca=$work/ca
mkdir -p "$ca"

make_ca() {
    local name
    for name in ca responder; do
        openssl ecparam -name prime256v1 -genkey -noout -out "$ca/$name.key"
    done
    openssl req -x509 -new -key "$ca/ca.key" -subj '/CN=Outside Authority' -days 30 \
        -addext 'keyUsage=critical,keyCertSign,cRLSign' -out "$ca/ca.pem"
    openssl req -new -key "$ca/responder.key" -subj '/CN=Responder' |
        openssl x509 -req -CA "$ca/ca.pem" -CAkey "$ca/ca.key" -set_serial 90 -days 10 \
            -extfile <(printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=OCSPSigning\n') \
            -out "$ca/responder.pem" 2>/dev/null
    responder_port=$(free_port)
    responder_url=http://127.0.0.1:$responder_port/board
}

# outside REQUEST OUT [EXTENSION]
outside() {
    openssl x509 -req -in "$1" -CA "$ca/ca.pem" -CAkey "$ca/ca.key" -set_serial 17 -days 20 \
        -extfile <(printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=%s\n' "$3"
            printf 'authorityInfoAccess=OCSP;URI:%s\n' "$responder_url") -out "$2" 2>/dev/null
}

# respond STATUS: V, or R and when; a responder that says so
respond() {
    local i
    silence
    printf '%s\t400101000000Z\t%s\t11\tunknown\t/CN=doctor\n' "$1" "${2:-}" >"$ca/index.txt"
    openssl ocsp -index "$ca/index.txt" -CA "$ca/ca.pem" -rsigner "$ca/responder.pem" \
        -rkey "$ca/responder.key" -port "$responder_port" -nmin 60 \
        >"$work/log/responder.out" 2>"$work/log/responder.err" &
    pids[responder]=$!
    # not by a connection: it takes one at a time, and waits for what that has to say
    for ((i = 0; i < 100; i++)); do
        ! grep -q "waiting for OCSP client" "$work/log/responder.err" || return 0
        sleep 0.1
    done
    fail "the responder does not listen"
}

silence() {
    [ -z "${pids[responder]:-}" ] || kill_hard responder
}

# list STATUS: V, or R and when; the authority's list that says so
list() {
    printf '%s\t400101000000Z\t%s\t11\tunknown\t/CN=doctor\n' "$1" "${2:-}" >"$ca/list.txt"
    printf '%s\n' '[ca]' 'default_ca=a' '[a]' "database=$ca/list.txt" 'default_md=sha256' \
        'default_crl_days=7' "crlnumber=$ca/number" >"$ca/ca.conf"
    [ -s "$ca/number" ] || echo 01 >"$ca/number"
    openssl ca -config "$ca/ca.conf" -gencrl -keyfile "$ca/ca.key" -cert "$ca/ca.pem" \
        -out "$ca/crl.pem" 2>/dev/null
}

# all PATIENT CLOUD HOSPITAL: their policies, taken in by the services that run
all() {
    cs patient trust --dir "$work/patient" --ocsp "$1" >/dev/null
    cs cloud trust --dir "$work/cloud" --ocsp "$2" >/dev/null
    cs hospital trust --dir "$work/hospital" --ocsp "$3" >/dev/null
    sleep 3
}

# age SECONDS PARTY: less than the option can say
age() {
    jq ".ocsp.max_age_s = $1" "$work/$2/config.json" >"$work/config.new"
    cat "$work/config.new" >"$work/$2/config.json"
    sleep 3
}

# comes_to WHAT WHO: a visit that fails with 4, because WHO found no answer that is fresh
comes_to() {
    local what=$1 who=$2 status=0
    patience=8 visit doctor patient cardiology || status=$?
    [ "$status" -eq 4 ] || fail "$what: status $status"
    jq -r .error.message "$work/visit-doctor.json" | grep -qE "the $who('s side)? refused \\(ocsp\\)" ||
        fail "$what: $(cat "$work/visit-doctor.json")"
}

# begin_visit DIAGNOSIS: a station that waits; come: the patient does. $status is the station's.
begin_visit() {
    rm -f "$work"/visit.* "$work"/visit-*.json
    "$chartseal" doctor visit --dir "$work/doctor" --listen 127.0.0.1:0 \
        --port-file "$work/visit.port" --department cardiology --diagnosis "$1" --timeout 60 --json \
        <&0 >"$work/visit-doctor.json" 2>"$work/log/doctor.err" &
    station=$!
    for _ in {1..200}; do
        [ ! -s "$work/visit.port" ] || return 0
        sleep 0.05
    done
    fail "the station opened no port: $(cat "$work/log/doctor.err")"
}

come() {
    status=0
    "$chartseal" patient visit --dir "$work/patient" \
        --station "127.0.0.1:$(tr -d '\n' <"$work/visit.port")" --doctor D-1 \
        --signal "$data/ecg-360hz-u16le.bin" --diagnosis-out "$work/visit.diagnosis" --timeout 60 \
        --json >"$work/visit-patient.json" 2>"$work/log/patient.err" || true
    wait "$station" || status=$?
}

make_world
make_ca
cat "$work/board/certificate.pem" "$ca/ca.pem" >"$work/both.pem"
make_cloud ed25519
start cloud
make_hospital hospital hospital.example
start hospital
make_patient patient P-1
import hospital P-1 cardiology "$data/patient.json" >/dev/null
member doctor doctor D-1 --name "Dr. D-1"
cs doctor csr --dir "$work/doctor" --out "$work/doctor.csr" >/dev/null
for party in cloud hospital patient doctor; do
    cs "$party" trust --dir "$work/$party" --authority "$work/both.pem" >/dev/null
done

say "a certificate for something else than a person is not taken"
outside "$work/doctor.csr" "$work/web.pem" serverAuth
refused 4 "extended key usage" doctor register --dir "$work/doctor" --cloud-url "$cloud_url" \
    --certificate "$work/web.pem"
outside "$work/doctor.csr" "$work/doctor.pem" clientAuth

say "registered by a certificate and an answer about it, which the cloud requires"
all preferred required preferred
cs doctor register --dir "$work/doctor" --cloud-url "$cloud_url" \
    --certificate "$work/doctor.pem" >/dev/null 2>"$work/warning" &&
    fail "registered without an answer"
grep -q "$responder_url" "$work/warning" || fail "the responder is not named"
grep -q "OCSP" "$work/warning" || fail "not for want of an answer: $(cat "$work/warning")"
respond V
cs doctor register --dir "$work/doctor" --cloud-url "$cloud_url" \
    --certificate "$work/doctor.pem" >/dev/null
[ -s "$work/doctor/ocsp.der" ] || fail "the answer is not kept"

say "a visit where everybody requires an answer"
all required required required
visit doctor patient cardiology
cmp "$work/visit.record" "$data/patient.json"
[ ! -s "$work/log/doctor.err" ] || fail "a warning: $(cat "$work/log/doctor.err")"
cs cloud status --dir "$work/cloud" --json | jq -e .ocsp.required >/dev/null

say "no responder: the answer that is kept does, for as long as it counts"
silence
visit doctor patient cardiology
for party in patient cloud hospital; do
    age 1 "$party"
    comes_to "an old answer at the $party" "$party"
    age 86400 "$party"
done

say "no responder and no answer: refused by who requires one, each by itself"
rm "$work/doctor/ocsp.der"
all required preferred preferred
comes_to "no answer" patient
grep -q "$responder_url" "$work/log/doctor.err" || fail "the doctor is not told which responder"
all preferred required preferred
comes_to "no answer" cloud
all preferred preferred required
comes_to "no answer" hospital
all preferred preferred preferred
visit doctor patient cardiology
grep -q "$responder_url" "$work/log/doctor.err" || fail "no warning names the responder"

say "a responder that gives something else is as none"
python3 -m http.server --bind 127.0.0.1 --directory "$ca" "$responder_port" \
    >"$work/log/garbage.out" 2>&1 &
pids[responder]=$!
sleep 2
visit doctor patient cardiology
grep -q "HTTP status" "$work/log/doctor.err" || fail "not told: $(cat "$work/log/doctor.err")"
silence

say "revoked at the responder: the station itself does not begin"
respond R 260101000000Z
refused 4 "revoked" doctor visit --dir "$work/doctor" --listen 127.0.0.1:0 --department cardiology \
    --diagnosis "$data/diagnosis.txt" --timeout 5
grep -q "$responder_url" "$work/refused.err" || fail "the responder is not named"
say "and who keeps quiet about it is refused where an answer is required"
silence
rm "$work/doctor/ocsp.der"
all preferred preferred required
comes_to "a revoked doctor without an answer" hospital

say "a list that is taken in while a station waits holds for the patient who comes"
respond V
all preferred preferred preferred
begin_visit "$data/diagnosis.txt"
list R "$(date -u +%y%m%d%H%M%SZ)"
cs doctor trust --dir "$work/doctor" --crl "$ca/crl.pem" >/dev/null
come
[ "$status" -eq 4 ] || fail "by the new list she is revoked: status $status"
jq -e '.error.code == "revoked"' "$work/visit-doctor.json" >/dev/null ||
    fail "not for being revoked: $(cat "$work/visit-doctor.json")"
sleep 1 # a list is not older than the one before
list V
cs doctor trust --dir "$work/doctor" --crl "$ca/crl.pem" >/dev/null

say "an answer that ends while the doctor writes is brought again before the diagnosis is filed"
all preferred preferred required
age 12 hospital
age 12 doctor
rm -f "$work/doctor/ocsp.der"
begin_visit - < <(sleep 20 && cat "$data/diagnosis.txt")
come
[ "$status" -eq 0 ] || fail "status $status: $(cat "$work/visit-doctor.json")"
jq -e '.record != null and .diagnosis.filed != null' "$work/visit-doctor.json" >/dev/null ||
    fail "not filed: $(cat "$work/visit-doctor.json")"
age 86400 hospital
age 86400 doctor
silence
rm "$work/doctor/ocsp.der"

say "another responder than the certificate's"
respond V
refused 2 "http" doctor trust --dir "$work/doctor" --ocsp-url ftp://x
refused 2 "required or preferred" doctor trust --dir "$work/doctor" --ocsp maybe
refused 2 "required or preferred" doctor trust --dir "$work/doctor" --ocsp maybe \
    --authority "$work/board/certificate.pem"
cmp "$work/doctor/authorities.pem" "$work/both.pem" || fail "a wrong option changed something"
refused 2 "ocsp-max-age" doctor trust --dir "$work/doctor" --ocsp-max-age 0
cs doctor trust --dir "$work/doctor" --ocsp-url "http://127.0.0.1:$(free_port)/" >/dev/null
comes_to "a wrong responder" hospital
cs doctor trust --dir "$work/doctor" --ocsp-url "${responder_url%/board}" >/dev/null
visit doctor patient cardiology
rm "$work/doctor/ocsp.der"
cs doctor trust --dir "$work/doctor" --ocsp-url certificate >/dev/null
visit doctor patient cardiology
[ -s "$work/doctor/ocsp.der" ] || fail "the certificate's own responder is not asked again"
silence
stop hospital
stop cloud
