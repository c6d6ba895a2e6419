#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Tokens whose PINs nobody knows: made by M of N operators, killed at each step and gone on with,
# wrong shares and altered transcripts refused, and then a whole visit with them.
# usage: ceremony.sh CHARTSEAL SHIM KILL_RENAME
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" ceremony
shim=${2:?path of the PKCS#11 shim}
kill_rename=${3:?path of the library to preload}
softhsm=$module
module=$shim # a script in CS_SHIM_SCRIPT says where it kills; without one it passes all on
export CS_SHIM_SCRIPT=$work/script
: >"$work/script"

# shellcheck source=tests/integration/ceremonies.sh
. "$(dirname "$0")/ceremonies.sh"

say "founding"
module=$softhsm make_world

say "a cloud by 2 of 3, in two runs"
hand_out cloud cloud 2 3 | jq -e '.step == "shares"' >/dev/null
[ "$(stat -c %a "$work"/shares-cloud/* | sort -u)" = 600 ] || fail "others may read shares"
! grep -qF "$(sed -n 2p "$work/shares-cloud/operator-1.user-pin")" -r "$work/cloud" ||
    fail "a share is in the home"
refused 5 "no config.json" cloud status --dir "$work/cloud"
ceremony cloud cloud 2 3 --shares "$(both cloud 1 3)" --json >"$work/made.json"
jq -e '.step == "finished" and .role == "cloud"' "$work/made.json" >/dev/null
refused 6 "PIN" token audit --dir "$work/cloud" # nobody has put it together yet
combine cloud 2 3
is_made cloud
[ "$(jq -r .fingerprint "$work/made.json")" = "$(sha256sum <"$work/cloud/cloud.cbor" | cut -c-64)" ]
refused_ceremony 9 "is over" cloud cloud 2 3 --shares "$(both cloud 1 3)"

say "every two of three give the PIN, and no one alone"
for pair in "1 2" "3 1" "2 3" "3 2 1"; do
    cp "$work/cloud.pin" "$work/kept.pin"
    # shellcheck disable=SC2086
    combine cloud $pair
    cmp "$work/kept.pin" "$work/cloud.pin"
done
for n in 1 2 3; do
    refused 6 "1 of the 2 shares" token combine --shares "$(shares cloud user-pin $n)" \
        --out "$work/none" --on-disk
done
refused 2 "given twice" token combine --shares "$(shares cloud user-pin 1 1)" --out "$work/none" \
    --on-disk
refused 2 "not for the user-pin" token combine --shares "$(shares cloud so-pin 1 2)" \
    --out "$work/none" --on-disk
cs token combine --so-pin --shares "$(shares cloud so-pin 1 2)" --out - | grep -qE '^[0-9a-f]{32}$'
chmod 640 "$work/shares-cloud/operator-1.user-pin"
refused 6 "open to others" token combine --shares "$(shares cloud user-pin 1 2)" \
    --out "$work/none" --on-disk
chmod 600 "$work/shares-cloud/operator-1.user-pin"
if [ "$(stat -f -c %T "$work")" != tmpfs ]; then
    refused 4 "is on a disk" token combine --shares "$(shares cloud user-pin 1 2)" --out "$work/none"
fi
[ ! -e "$work/none" ] || fail "a refused combination has written a PIN"

say "shares that are wrong"
hand_out other cloud 3 5 >/dev/null
refused_ceremony 6 "another ceremony" other cloud 3 5 \
    --shares "$(both other 1 2),$(both cloud 3)"
refused 6 "not of one PIN" token combine --out "$work/none" --on-disk \
    --shares "$(shares cloud user-pin 1),$(shares other user-pin 2)"
refused_ceremony 6 "2 of the 3 shares" other cloud 3 5 --shares "$(both other 1 5)"
refused_ceremony 6 "no share of the so-pin" other cloud 3 5 \
    --shares "$(shares other user-pin 1 2 3)"
target=$work/shares-other/operator-2.user-pin
cp "$target" "$work/good.share"
for ((i = 0; i < 12; i++)); do # a digit here and there
    python3 - "$work/good.share" "$target" "$i" <<'PYTHON'
import random, sys
text = open(sys.argv[1]).read()
head, digits = text.split("\n", 1)
random.seed(sys.argv[3])
places = [k for k, c in enumerate(digits) if c in "0123456789abcdef"]
k = random.choice(places)
digits = digits[:k] + random.choice([c for c in "0123456789abcdef" if c != digits[k]]) + digits[k + 1:]
open(sys.argv[2], "w").write(head + "\n" + digits)
PYTHON
    refused_ceremony 3 "operator-2.user-pin: .*digit" other cloud 3 5 --shares "$(both other 1 2 3)"
done
# altered by one who knows how: the checksum fits, but it is not what was handed out
python3 - "$work/good.share" "$target" <<'PYTHON'
import hashlib, sys
head, digits = open(sys.argv[1]).read().split("\n", 1)
share = bytearray.fromhex("".join(digits.split()))
share[20] ^= 1
share[-4:] = hashlib.sha256(share[:-4]).digest()[:4]
open(sys.argv[2], "w").write(head + "\n" + share.hex() + "\n")
PYTHON
refused_ceremony 6 "operator 2 is not the one that was handed out" other cloud 3 5 \
    --shares "$(both other 1 2 3)"
refused 6 "not what was given out" token combine --out "$work/none" --on-disk \
    --shares "$(shares other user-pin 1 2 3)"
cp "$work/good.share" "$target"
[ "$(softhsm2-util --show-slots | grep -c 'Label: *other')" -eq 0 ] || fail "a token for wrong shares"
refused_ceremony 2 "give the options of then" other cloud 2 5 --shares "$(both other 1 2 3)"
status=0
flock "$work/other" "$chartseal" cloud ceremony --dir "$work/other" --id other.example \
    --module "$module" --label other --operators 5 --needed 3 --pin-env PIN \
    --authority "$work/board/certificate.pem" >/dev/null 2>&1 || status=$?
[ "$status" -eq 10 ] || fail "two ceremonies at once in one directory (status $status)"
refused_ceremony 2 "no ceremony" third cloud 1 3
refused_ceremony 2 "no ceremony" third cloud 4 3
refused_ceremony 2 "token takes 4 to 255" third cloud 2 3 --share-dirs "$work" --pin-digits 9
refused_ceremony 9 "not of this ceremony" third cloud 2 2 --share-dirs "$work/shares-other"

say "shares lost before there is a token: begun anew, and the old ones are void"
cp -r "$work/shares-other" "$work/shares-old"
hand_out other cloud 3 5 --start-over >/dev/null
refused_ceremony 6 "of a run that was begun anew" other cloud 3 5 \
    --shares "$(both other 1 2),$(both old 3)"
ceremony other cloud 3 5 --shares "$(both other 5 1 3)" >/dev/null
combine other 2 4 5
is_made other
refused_ceremony 9 "is over" other cloud 3 5 --start-over

say "a transcript is not altered"
key=$(jq -r .sign_key "$work/made.json")
transcript cloud --key "$key" >"$work/printed"
grep -q "whole, and signed by the key" "$work/printed"
other_key=$(transcript other --json | jq -r .sign_key)
refused 4 "not by the key that you name" token transcript --key "$other_key" \
    --file "$work/cloud/ceremony.transcript"
lines=$(wc -l <"$work/cloud/ceremony.transcript")
[ "$lines" -eq 8 ] || fail "$lines lines in the transcript"
altered=0
for ((line = 1; line <= lines; line++)); do
    for way in digit drop swap reseal; do
        python3 - "$work/cloud/ceremony.transcript" "$work/altered" "$line" $way <<'PYTHON'
import hashlib, json, sys
source, target, line, way = sys.argv[1:]
lines = open(source).read().splitlines()
k = int(line) - 1
if way == "digit":      # any one character of a value
    at = lines[k].rindex('"', 0, lines[k].rindex('"')) + 1
    lines[k] = lines[k][:at] + ("1" if lines[k][at] != "1" else "2") + lines[k][at + 1:]
elif way == "drop":
    del lines[k]
elif way == "swap":
    j = k - 1 if k else 1
    lines[k], lines[j] = lines[j], lines[k]
else:                   # altered, and the chain made anew after it
    entry = json.loads(lines[k])
    if entry["step"] == "signature":
        entry["signature"] = entry["signature"][::-1]
    else:
        entry["time"] = "2020-01-01T00:00:00.000Z"
    prev = entry["prev"]
    for i in range(k, len(lines)):
        e = entry if i == k else json.loads(lines[i])
        e["prev"] = prev
        lines[i] = json.dumps(e, sort_keys=True, separators=(",", ":"))
        prev = hashlib.sha256(lines[i].encode()).hexdigest()
open(target, "w").write("\n".join(lines) + "\n")
PYTHON
        status=0
        cs token transcript --file "$work/altered" >/dev/null 2>&1 || status=$?
        { [ "$status" -eq 4 ] || [ "$status" -eq 9 ]; } ||
            fail "line $line, $way: the altered transcript is taken (status $status)"
        altered=$((altered + 1))
    done
done
head -c -1 "$work/cloud/ceremony.transcript" >"$work/altered"
refused 9 "not as it was written" token transcript --file "$work/altered"
say "$altered alterations refused"

say "killed at each step, and gone on with"
prefix=(env "ASAN_OPTIONS=verify_asan_link_order=0" "LD_PRELOAD=$kill_rename")
kills=0

role=cloud # of the victim

# until_made: as people would: the same command again, shares as far as they are handed out
until_made() {
    local status
    status=0
    ceremony victim $role 2 2 --shares "$(both victim 1 2)" >"$work/again.out" \
        2>"$work/again.err" || status=$?
    if [ "$status" -eq 2 ] && grep -q "no shares were handed out" "$work/again.err"; then
        hand_out victim $role 2 2 >/dev/null
        ceremony victim $role 2 2 --shares "$(both victim 1 2)" >/dev/null
    elif [ "$status" -eq 9 ] && grep -q "is over" "$work/again.err"; then
        return 0 # killed after the last step
    elif [ "$status" -ne 0 ]; then
        fail "after $1: status $status: $(cat "$work/again.err")"
    fi
}

kill_at() { # WHAT COMMAND...: a run that is killed; nothing half made passes for whole; then made
    local what=$1 status=0
    shift
    "$@" >"$work/killed.out" 2>&1 || status=$?
    [ "$status" -eq 137 ] || fail "not killed at $what (status $status): $(cat "$work/killed.out")"
    : >"$work/script"
    unset CS_KILL_RENAME
    kills=$((kills + 1))
    # the config is there and says so, or the transcript is unsigned, or all is done
    if ! transcript victim >/dev/null 2>&1 && [ -e "$work/victim/config.json" ]; then
        refused 2 "has not come to its end" $role status --dir "$work/victim"
    fi
    until_made "$what"
    combine victim 1 2
    is_made victim
    [ "$(softhsm2-util --show-slots | grep -c 'Label: *victim')" -eq 1 ] ||
        fail "not one token after a kill at $what"
    clear_victim
}

clear_victim() {
    forget_token victim
    rm -rf "$work/victim" "$work/shares-victim" "$work/victim.pin"
}

second_run() {
    ceremony victim $role 2 2 --shares "$(both victim 1 2)"
}

# count: how many there are to be killed at: of files in both runs, of calls in the second
count() {
    rm -f "$work/renames" "$work/calls"
    CS_COUNT_RENAMES=$work/renames hand_out victim $role 2 2 >/dev/null
    first=$(wc -l <"$work/renames")
    rm "$work/renames"
    CS_COUNT_RENAMES=$work/renames CS_SHIM_COUNTS=$work/calls second_run >/dev/null
    second=$(wc -l <"$work/renames")
    clear_victim
}

kill_second_run() {
    local n
    for ((n = 1; n <= second; n++)); do
        hand_out victim $role 2 2 >/dev/null
        CS_KILL_RENAME=$n kill_at "file $n of the second run" second_run
    done
    hand_out victim $role 2 2 >/dev/null
    CS_KILL_RENAME=$second+ kill_at "the last file" second_run
}

count
for ((n = 1; n <= first; n++)); do
    for after in "" +; do
        CS_KILL_RENAME=$n$after kill_at "file $n$after of the first run" hand_out victim $role 2 2
    done
done
kill_second_run
for call in C_InitToken C_InitPIN C_GenerateKeyPair C_GenerateKey C_SetAttributeValue C_Login; do
    count=$(grep -cx $call "$work/calls")
    [ "$count" -gt 0 ] || fail "$call is not among the calls"
    for ((n = 1; n <= count; n++)); do
        hand_out victim $role 2 2 >/dev/null
        echo "$call $n kill 0" >"$work/script"
        kill_at "$call $n" second_run
    done
done
say "$kills kills: $first files in the first run, $second in the second, and the token's calls"
role=hospital
count
kill_second_run
prefix=(env)
say "$kills with those of a hospital, $second files"

say "somebody else's token of that name"
hand_out taken cloud 2 2 >/dev/null
echo 11111111 >"$work/foreign"
cs token init --module "$module" --label taken --so-pin-file "$work/foreign" \
    --pin-file "$work/foreign" >/dev/null
refused_ceremony 6 "refuses the PIN" taken cloud 2 2 --shares "$(both taken 1 2)"

say "at the one screen of a room"
PYTHONPATH=$(dirname "$0") PYTHONDONTWRITEBYTECODE=1 python3 - "$chartseal" "$work" "$module" <<'PYTHON'
import os, re, subprocess, sys
from screen import Screen
chartseal, work, module = sys.argv[1:]
command = [chartseal, "cloud", "ceremony", "--dir", work + "/typed", "--id", "typed.example", "--module", module,
    "--label", "typed", "--operators", "3", "--needed", "2", "--pin-file", work + "/typed.pin",
    "--authority", work + "/board/certificate.pem", "--crl", work + "/board/crl.pem"]

screen = Screen(command)
shares = {}
for operator in (1, 2, 3):
    screen.until("operator %d of 3: come" % operator)
    screen.type("")
    for kind in ("user-pin", "so-pin"):
        shown = screen.until("Enter clears the screen")
        found = re.search(kind + r" of token typed: share of operator %d of 3\s+([0-9a-f ]+)\r" % operator, shown)
        shares[operator, kind] = " ".join(found.group(1).split())
        screen.type("")
        if "\033[2J\033[3J" not in screen.until("\033[3J"):
            sys.exit("the share stays on the screen")
for kind in ("user-pin", "so-pin"):
    for turn, operator in enumerate((3, 1), 1):
        screen.until("%s share of an operator (%d of 2)" % (kind, turn))
        text = shares[operator, kind]
        if turn == 1:
            screen.type(text[:-1] + ("0" if text[-1] != "0" else "1"))
            screen.until("a digit is wrong")
            screen.until("share of an operator")
        screen.type(text.upper() if turn == 2 else text.replace(" ", ""))
shown, status = screen.end()
if status != 0 or "made the token typed" not in shown:
    sys.exit("status %d: %s" % (status, shown))
for share in shares.values():
    if share in shown or share.replace(" ", "") in shown:
        sys.exit("a typed share was echoed")

# and the PIN for a service, typed too, into a pipe
os.mkfifo(work + "/typed.pin", 0o600)
reader = subprocess.Popen(["cat", work + "/typed.pin"], stdout=subprocess.PIPE)
screen = Screen([chartseal, "token", "combine", "--out", work + "/typed.pin"])
for operator in (2, 3):
    screen.until("user-pin share of an operator")
    screen.type(shares[operator, "user-pin"])
shown, status = screen.end()
pin = reader.communicate()[0]
if status != 0 or not re.fullmatch(rb"[0-9a-f]{32}\n", pin):
    sys.exit("status %d: %s" % (status, shown))
os.remove(work + "/typed.pin")
with open(os.open(work + "/typed.pin", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
    file.write(pin)
# never on a terminal
screen = Screen([chartseal, "token", "combine", "--out", "-"])
shown, status = screen.end()
if status != 4 or "not shown on a terminal" not in shown:
    sys.exit("status %d: %s" % (status, shown))
PYTHON
is_made typed

say "a hospital by 3 of 5"
module=$softhsm
cloud_url=http://127.0.0.1:${ports[cloud]}
start cloud
hand_out hospital hospital 3 5 >/dev/null
ceremony hospital hospital 3 5 --shares "$(both hospital 2 4 5)" >/dev/null
combine hospital 1 3 4
is_made hospital
certify "$work/hospital/request.pem" "$work/hospital.pem"
enrol hospital hospital.example
cs hospital register --dir "$work/hospital" --cloud-url "$cloud_url" \
    --code-file "$work/hospital.example.code" --certificate "$work/hospital.pem" >/dev/null
start hospital

say "a whole visit"
make_doctor doctor D-1
make_patient patient P-1
record=$(import hospital P-1 cardiology "$data/patient.json")
visit doctor patient cardiology --record "$record"
cmp "$data/patient.json" "$work/visit.record"
cmp "$data/diagnosis.txt" "$work/visit.diagnosis"
stop hospital
stop cloud
transcript hospital --json >"$work/transcript.json"
for pin in cloud hospital other; do
    ! grep -rqF "$(cat "$work/$pin.pin")" "$work/$pin" "$work/log" || fail "the PIN of $pin is in its home"
done
