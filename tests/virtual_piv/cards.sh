# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# shellcheck disable=SC2034 # variables for whoever sources this
#
# Sourced by tests that run under with_readers.sh: virtual PIV cards, and a CA for their keys. Needs
# $virtual_piv, the program, and $work, a directory.

: "${virtual_piv:?}" "${work:?}"
default_admin_key=01:02:03:04:05:06:07:08:01:02:03:04:05:06:07:08:01:02:03:04:05:06:07:08
readers=("Virtual PCD 00 00" "Virtual PCD 00 01")
card_pids=()

# seen READER yes|no: waits until pcscd has, or has no more, a card in that reader.
seen() {
    local wanted=$2 state
    for _ in $(seq 200); do
        state=$(opensc-tool -l 2>/dev/null | awk -v n="$1" '$1 == n { print tolower($2) }')
        if [ "$state" = "$wanted" ]; then
            # pcscd looks every 400 ms, but a failed command tells it, too: a card that comes before
            # it has looked, it takes for the one that has gone, and does not power it
            if [ "$wanted" = no ]; then sleep 0.5; fi
            return 0
        fi
        sleep 0.05
    done
    echo "reader $1: no change of card" >&2
    return 1
}

# insert READER NAME [OPTION...]: a card that remembers in $work/NAME, in reader 0 or 1.
insert() {
    local reader=$1 name=$2
    shift 2
    "$virtual_piv" --state "$work/$name" --port $((35963 + reader)) "$@" &
    card_pids[reader]=$!
    seen "$reader" yes
}

# eject READER
eject() {
    kill "${card_pids[$1]}"
    wait "${card_pids[$1]}"
    seen "$1" no
}

# admin READER ARGUMENT...: piv-tool, after the default management key (of 3DES, or $admin_algorithm). It exits with the number of
# bytes that it has written, so standard error decides.
admin() {
    local reader=$1 complaints
    shift
    echo "$default_admin_key" >"$work/admin-key"
    PIV_EXT_AUTH_KEY=$work/admin-key piv-tool -r "$reader" -A "M:9B:${admin_algorithm:-03}" "$@" \
        >"$work/piv-tool.out" 2>"$work/piv-tool.err" || true
    complaints=$(grep -v '^Using reader' "$work/piv-tool.err" || true)
    if [ -n "$complaints" ]; then
        echo "piv-tool $*: $complaints" >&2
        return 1
    fi
}

# Hex on standard input, as bytes on standard output.
unhex() {
    printf '%b' "$(tr -d ' \n' | sed 's/../\\x&/g')"
}

# The public key (DER) that a GENERATE answered, on standard output: its point behind P-256's header.
answered_key() {
    {
        echo 3059301306072a8648ce3d020106082a8648ce3d030107034200
        sed -n '/^Received/,$p' "$work/piv-tool.out" | sed '1d; s/^\(.\{47\}\).*/\1/' | tr -d ' \n' |
            cut -c 11-
    } | unhex
}

# generate READER SLOT: makes the key; its public half is then in $work/SLOT.pub.
generate() {
    admin "$1" -s "00:47:00:$2:05:AC:03:80:01:11:00" && answered_key >"$work/$2.pub.der" &&
        openssl pkey -pubin -inform DER -in "$work/$2.pub.der" -out "$work/$2.pub"
}

# issue KEY NAME KEY-USAGE OUT: a certificate of the test's CA for a public key.
issue() {
    if [ ! -e "$work/ca.pem" ]; then
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=test CA" \
            -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=nobody" \
            -keyout "$work/any.key" -out "$work/any.csr" 2>/dev/null
    fi
    echo "keyUsage = critical, $3" >"$work/extensions"
    openssl x509 -req -in "$work/any.csr" -force_pubkey "$1" -subj "/CN=$2" -days 30 \
        -CA "$work/ca.pem" -CAkey "$work/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
        -extfile "$work/extensions" -out "$4" 2>/dev/null
}

# certify READER SLOT NAME KEY-USAGE: for the key that generate has left.
certify() {
    issue "$work/$2.pub" "$3" "$4" "$work/$2.pem" && admin "$1" -C "$2" -i "$work/$2.pem"
}

# personalise READER NAME: as a doctor's card: 9A for the token's label, 9C signs, 9D agrees.
personalise() {
    generate "$1" 9A && certify "$1" 9A "$2" digitalSignature &&
        generate "$1" 9C && certify "$1" 9C "$2" digitalSignature,nonRepudiation &&
        generate "$1" 9D && certify "$1" 9D "$2" keyAgreement
}

# retire READER SLOT NAME: a key made here goes to a retired slot (82..95) by Yubico's import, with its
# certificate and the key history that OpenSC finds it by. Its private half is in $work/SLOT.key.
retire() {
    local history tag
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/$2.key" 2>/dev/null &&
        openssl pkey -in "$work/$2.key" -pubout -out "$work/$2.pub" &&
        issue "$work/$2.pub" "$3" keyAgreement "$work/$2.pem" || return
    yubico-piv-tool -r "${readers[$1]}" -a import-key -s "$2" -i "$work/$2.key" 2>/dev/null &&
        yubico-piv-tool -r "${readers[$1]}" -a import-certificate -s "$2" -i "$work/$2.pem" 2>/dev/null ||
        return
    # certificates on the card: 1; elsewhere: 0; no address of others
    history=C10101C20100F300FE00
    tag=5C035FC10C53$(printf '%02X' $((${#history} / 2)))
    admin "$1" -s "$(printf '00DB3FFF%02X%s%s' $(((${#tag} + ${#history}) / 2)) "$tag" "$history" |
        sed 's/../&:/g; s/:$//')"
}
