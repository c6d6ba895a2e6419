#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A doctor whose reader has a pad for the PIN: the person is told when to enter it, on standard error
# and apart from the answer; no file and no pinentry is asked; and what goes wrong at the pad is told
# and not begun again. The pad is the shim's.
# usage: pin_pad.sh CHARTSEAL SHIM
shim=${2:?}
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" pad

export CS_SHIM_SCRIPT=$work/script CS_SHIM_COUNTS=$work/counts CS_SHIM_PAD_PIN=12345678
: >"$CS_SHIM_SCRIPT"
mkdir "$work/bin"
printf '#!/bin/sh\ntouch %s/pinentry-was-asked\nexit 1\n' "$work" >"$work/bin/pinentry"
chmod 700 "$work/bin/pinentry"
export PATH=$work/bin:$PATH DISPLAY=:99

pad() { # RULE...: a pad, and what else the shim is to do
    printf '%s\n' "C_GetTokenInfo * flags 0x100" "$@" >"$work/script.new"
    mv "$work/script.new" "$CS_SHIM_SCRIPT" # another file: the counts begin anew
    : >"$CS_SHIM_COUNTS"
}

logins() {
    grep -c '^C_Login$' "$CS_SHIM_COUNTS" || true
}

say "founding"
make_world
make_cloud ed25519
module=$shim
member doctor ek D-1 --name "Dr. Ada Ek"
jq 'del(.pin.file)' "$work/ek/config.json" >"$work/config.json"
cp "$work/config.json" "$work/ek/config.json"

say "entered at the reader"
pad "C_Login * pad 0"
cs doctor csr --dir "$work/ek" --out "$work/ek.csr" --json >"$work/out" 2>"$work/err"
[ "$(jq .ok "$work/out")" = true ] || fail "no answer in JSON: $(cat "$work/out")"
grep -q "^chartseal: enter the PIN of token ek (serial [0-9a-f]*) at the reader: login$" "$work/err" ||
    fail "the person is not told: $(cat "$work/err")"
[ "$(wc -l <"$work/err")" -eq 1 ] || fail "more is told: $(cat "$work/err")"
grep -q "with a PIN" "$CS_SHIM_COUNTS" && fail "a PIN was sent past the pad"

say "not entered, or a wrong one"
ends() { # STATUS TEXT RULE
    local status=0
    pad "$3"
    cs doctor csr --dir "$work/ek" --out "$work/x.csr" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" -eq "$1" ] || fail "$3: status $status: $(cat "$work/err")"
    grep -q "$2" "$work/err" || fail "$3: no '$2' in: $(cat "$work/err")"
    [ "$(logins)" -eq 1 ] || fail "$3: $(logins) logins"
    [ "$(grep -c "enter the PIN" "$work/err")" -eq 1 ] || fail "$3: told more than once"
    [ ! -e "$work/x.csr" ] || fail "$3: a request was written"
}
ends 10 "not entered at the reader in time, or it was cancelled" "C_Login * fail 0x50"
ends 6 "refuses the PIN" "C_Login * fail 0xa0"
ends 6 "unlock it" "C_Login * fail 0xa4"
ends 7 "CKR_GENERAL_ERROR" "C_Login * fail 0x5"

say "one try left: nobody is told to enter it"
pad "C_GetTokenInfo * flags 0x20000"
refused 6 "one PIN try left" doctor csr --dir "$work/ek" --out "$work/x.csr"
[ "$(logins)" -eq 0 ] || fail "the last try was begun"

say "a token whose PINs are set at the pad is not made here"
pad
refused 7 "at its reader's own pad" token init --module "$shim" --label other \
    --so-pin-file "$work/so.pin" --pin-file "$work/pin"
[ ! -e "$work/pinentry-was-asked" ] || fail "pinentry was asked"
