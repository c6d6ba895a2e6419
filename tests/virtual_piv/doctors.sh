# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Sourced after cards.sh and parties.sh by tests of doctors' cards in use: a check that ends the
# script, and the skip where the other parties have no token.

: "${work:?}" "${module:?}" "${readers[@]:?}"

# equal WHAT WANTED GOT
equal() {
    [ "$2" = "$3" ] || fail "$1: wanted '$2', got '$3'"
    echo "ok: $1"
}

[ -e "$module" ] || {
    echo "skipped: no SoftHSM for the others; install the package softhsm2" >&2
    exit 77
}

# make_doctors_card NAME ID: of the blank one in the first reader, with the board's certificates.
make_doctors_card() {
    local dir=$work/cards/$2
    local desk=(card provision --dir "$dir" --name "$1" --id "$2" --reader "${readers[0]}")
    cs "${desk[@]}" >/dev/null
    cs authority issue --dir "$work/board" --request "$dir/sign.csr" --out "$dir/sign.pem" >/dev/null
    cs authority issue --dir "$work/board" --request "$dir/sign.csr" \
        --agree-key "$dir/agree.pub" --out "$dir/agree.pem" >/dev/null
    cs "${desk[@]}" --sign-certificate "$dir/sign.pem" --agree-certificate "$dir/agree.pem" >/dev/null
    sed -n 's/^pin //p' "$dir/record" >"$dir/pin"
    chmod 600 "$dir/pin"
}
