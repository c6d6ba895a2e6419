#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# How often a doctor is asked for the PIN of her card, through OpenSC and pcscd, by a pinentry that
# counts; what her station does with what it holds when the card is pulled, used by others, or is
# another doctor's in the middle of a visit; and that no verb spends a try by itself. Run by
# with_readers.sh.
#
# usage: with_readers.sh pin.sh CHARTSEAL VIRTUAL-PIV
set -euo pipefail
virtual_piv=${2:?}
here=$(cd "$(dirname "$0")" && pwd)
work=of-parties.sh # which makes it
# shellcheck source=tests/virtual_piv/cards.sh
. "$here/cards.sh"
# shellcheck source=tests/integration/parties.sh
. "$here/../integration/parties.sh" "$1" pin

# shellcheck source=tests/virtual_piv/doctors.sh
. "$here/doctors.sh"

tries() { # of the card in the first reader, as it tells itself once it has forgotten the last PIN
    opensc-tool --reset >/dev/null 2>&1
    cs card show --reader "${readers[0]}" --json | jq .pin_tries
}

# sent LOG: the PINs that a card has been sent
sent() {
    awk 'substr($2, 1, 4) == "0020" && $3 > 5' "$1" | wc -l
}

# -- a person: a pinentry that notes what it says and gives what is in $work/typed

mkdir "$work/bin"
cat >"$work/bin/pinentry" <<TEXT
#!/bin/sh
echo OK ready
while read -r command rest; do
    case \$command in
    SETDESC) echo "\$rest" >>$work/asked; echo OK ;;
    GETPIN)
        pin=\$(cat $work/typed)
        if [ "\$pin" = cancel ]; then echo "ERR 83886179 cancelled"; else echo "D \$pin"; echo OK; fi ;;
    BYE) exit 0 ;;
    *) echo OK ;;
    esac
done
TEXT
# and an editor for the diagnosis: it waits until the test has done what it does in mid visit
cat >"$work/bin/editor" <<TEXT
#!/bin/sh
touch $work/writing
while [ -e $work/wait ]; do sleep 0.05; done
[ -t 0 ] && [ -t 1 ] || exit 1
[ -e $work/empty ] || cat $data/diagnosis.txt >"\$1"
TEXT
chmod 700 "$work"/bin/*
export PATH=$work/bin:$PATH DISPLAY=:99 EDITOR=editor
unset VISUAL

# typing TEXT: from now on; what was asked before is forgotten.
typing() {
    (umask 077 && echo "$1" >"$work/typed")
    : >"$work/asked"
}

asked() {
    wc -l <"$work/asked"
}

# -- a station at a terminal, which stays

# station_begin [OPTION...]: its answers go to $work/answers, through the terminal or, with to_file,
# as its standard output; the rest to $work/station.err
to_file=
station_begin() {
    rm -f "$work"/{port,answers,station.err,writing,wait}
    to_file=$to_file python3 - "$work/answers" "$work/station.err" "$chartseal" doctor visit --dir "$work/ek" \
        --listen 127.0.0.1:0 --port-file "$work/port" --department cardiology --timeout 60 --json \
        "$@" <<'PYTHON' &
import os, pty, sys
answers, errors, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    if os.environ["to_file"]:
        os.dup2(os.open(answers, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 1)
    os.execv(command[0], command)
with open(answers, "ab", buffering=0) as out:
    while True:
        try:
            text = os.read(terminal, 4096)
        except OSError:
            break
        if not text:
            break
        out.write(text.replace(b"\r", b""))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PYTHON
    pids[station]=$!
}

await() { # FILE: until it is there
    local i
    for ((i = 0; i < 600; i++)); do
        [ ! -s "$1" ] || return 0
        sleep 0.05
    done
    fail "no $1: $(cat "$work"/{answers,station.err})"
}

# comes [WHAT...]: a patient, and what is done when the diagnosis is being written
comes() {
    local port status=0 patient
    await "$work/port"
    port=$(tr -d '\n' <"$work/port")
    rm -f "$work"/{port,writing}
    [ $# -eq 0 ] || touch "$work/wait"
    "$chartseal" patient visit --dir "$work/patient" --station "127.0.0.1:$port" --doctor D-1 \
        --signal "$data/ecg-360hz-u16le.bin" --diagnosis-out "$work/diagnosis" --timeout 60 --json \
        >"$work/patient.json" 2>>"$work/log/patient.err" &
    patient=$!
    if [ $# -gt 0 ]; then
        local i
        for ((i = 0; i < 600; i++)); do
            [ ! -e "$work/writing" ] || break
            sleep 0.05
        done
        "$@"
        rm "$work/wait"
    fi
    wait "$patient" || status=$?
    return "$status"
}

# station_end STATUS
station_end() {
    local status=0
    wait "${pids[station]}" || status=$?
    unset "pids[station]"
    [ "$status" -eq "$1" ] ||
        fail "the station: status $status, not $1: $(cat "$work"/{answers,station.err})"
}

answers() { # FILTER: of all answers together
    jq -rs "$1" "$work/answers"
}

export ASAN_OPTIONS=fast_unwind_on_malloc=0
make_world
echo leak:opensc >>"$work/lsan"
echo leak:pcsclite >>"$work/lsan"
export LSAN_OPTIONS="suppressions=$work/lsan:print_suppressions=0"
unset ASAN_OPTIONS
make_cloud ed25519
start cloud
make_hospital hospital hospital.example
start hospital
make_patient patient P-1
import hospital P-1 cardiology "$data/patient.json" >/dev/null

echo "# two cards, and a home for one that says nothing of a PIN"
insert 0 bob --blank --serial 00000b0b
make_doctors_card "Dr. Bob Ox" D-2
eject 0
insert 0 ada --blank --serial 00c0ffee --log "$work/card.log"
make_doctors_card "Dr. Ada Ek" D-1
guid=$(cs card show --reader "${readers[0]}" --json | jq -r .guid)
uri="pkcs11:serial=${guid:16}?module-path=$OPENSC_MODULE"
pin=$(cat "$work/cards/D-1/pin")
typing "$pin"
cs doctor init --dir "$work/ek" --id D-1 --name "Dr. Ada Ek" --token "$uri" \
    --cloud-file "$work/cloud/cloud.cbor" --adopt-keys \
    --authority "$work/board/certificate.pem" --crl "$work/board/crl.pem" >/dev/null
typing "$pin"
cs doctor register --dir "$work/ek" --cloud-url "$cloud_url" \
    --certificate "$work/cards/D-1/sign.pem" >/dev/null
# nothing is held without a visit, which would be until the process ends, and nothing says so
equal "a registration asks for its login and its signature" 2 "$(asked)"
cs token login --dir "$work/ek" >/dev/null
equal "a login asks once" 3 "$(asked)"
! grep "held" "$work/asked" || fail "a PIN is held for a visit that is none"

echo "# one visit, by each policy"
policy() { # HOLD PROMPTS: options, what is wanted
    typing "$pin"
    : >"$work/card.log"
    # shellcheck disable=SC2086 # none, or two
    visit ek patient cardiology $1
    equal "${1:-by default}: prompts" "$2 $2" \
        "$(asked) $(jq .pin_prompts "$work/visit-doctor.json")"
    equal "${1:-by default}: PINs sent to the card" "$each_sent" "$(sent "$work/card.log")"
}
typing "$pin"
: >"$work/card.log"
visit ek patient cardiology --pin-hold each
each_sent=$(sent "$work/card.log")
equal "each: prompts, for the login and four signatures" "5 5" \
    "$(asked) $(jq .pin_prompts "$work/visit-doctor.json")"
equal "each: what is said" "Dr. Ada Ek login,signature 1,signature 2,signature 3,signature 4," \
    "$(sed 's/^PIN of token Dr. Ada Ek (serial [0-9a-f]*); login$/Dr. Ada Ek login/
        s/^PIN of token Dr. Ada Ek .*; \(signature .\), key SIGN key$/\1/' "$work/asked" | tr '\n' ,)"
policy "" 1
policy "--pin-hold visit" 1
policy "--pin-hold 4/10" 1
policy "--pin-hold 3/10" 2
policy "--pin-hold 1/10" 4
refused 2 "each, visit, or N/T" doctor visit --dir "$work/ek" --listen 127.0.0.1:0 \
    --department cardiology --diagnosis "$data/diagnosis.txt" --pin-hold always
refused 2 "1 to 250 signatures" doctor visit --dir "$work/ek" --listen 127.0.0.1:0 \
    --department cardiology --diagnosis "$data/diagnosis.txt" --pin-hold 251/60
cp "$work/ek/config.json" "$work/config.json"
hold_is() { # JSON: pin.hold of config.json
    jq ".pin.hold = $1" "$work/config.json" >"$work/ek/config.json"
}
hold_is '"each"'
policy "" 5
policy "--pin-hold visit" 1
hold_is '"8"'
refused 3 "pin.hold" doctor csr --dir "$work/ek" --out "$work/x.csr"
hold_is 1
refused 3 "pin.hold" doctor csr --dir "$work/ek" --out "$work/x.csr"
cp "$work/config.json" "$work/ek/config.json"

echo "# several visits of one process"
refused 2 "for one patient" doctor visit --dir "$work/ek" --listen 127.0.0.1:0 \
    --department cardiology --visits 2 --diagnosis "$data/diagnosis.txt"
several() { # HOLD PROMPTS-OF-EACH
    typing "$pin"
    station_begin --visits 3 --pin-hold "$1"
    for _ in 1 2 3; do comes; done
    station_end 0
    equal "$1: prompts of each visit" "$2" "$(answers 'map(.pin_prompts) | join(" ")')"
}
several visit "1 1 1"
equal "the wire is counted for each visit" true \
    "$(answers '.[2].wire.messages < 2 * .[0].wire.messages and .[2].wire.bytes < 2 * .[0].wire.bytes')"
grep -q "the signatures to come; held until this visit is over" "$work/asked" ||
    fail "the second PIN is not asked for before the patient comes: $(cat "$work/asked")"
to_file=yes
several 8/60 "1 0 1"
to_file=
several each "5 4 4"
nothing_written() {
    touch "$work/empty"
}
typing "$pin"
station_begin --visits 2
comes nothing_written && fail "an empty diagnosis was sent"
rm "$work/empty"
comes
station_end 10
equal "a diagnosis that is not written ends that visit, and no other" "cancelled true" \
    "$(answers '"\(.[0].error.code) \(.[1].ok)"')"

echo "# pulled in mid visit, and put back"
pulled() {
    kill -USR1 "${card_pids[0]}"
    seen 0 no
    kill -USR2 "${card_pids[0]}"
    seen 0 yes
}
# what was held is not used again: another login, which is asked for. Where each is asked for, OpenSC
# notices the pull when it has the PIN, so that this one was for nothing.
for hold in "visit 2" "8/60 2" "each 7"; do
    typing "$pin"
    : >"$work/card.log"
    station_begin --pin-hold "${hold% *}"
    comes pulled
    station_end 0
    equal "${hold% *}: prompts" "${hold#* } true" \
        "$(answers '.[0] | "\(.pin_prompts) \(.diagnosis.filed != null)"')"
    equal "${hold% *}: PINs sent, two of them after the pull" $((each_sent + 1)) \
        "$(sent "$work/card.log")"
done
typing "$pin"
station_begin --visits 2
cancelled() {
    pulled
    echo cancel >"$work/typed"
}
comes cancelled && fail "a diagnosis was signed though the PIN was not given"
typing "$pin"
comes
station_end 10
equal "nobody gives it: that visit ends, and the next is well" "cancelled true" \
    "$(answers '"\(.[0].error.code) \(.[1].ok)"')"
equal "no try was spent" 3 "$(tries)"

echo "# used by others in mid visit"
others() {
    pkcs11-tool --module "$OPENSC_MODULE" --login --pin "$pin" --list-objects >/dev/null 2>&1
    [ "$(tries)" = 3 ] || fail "the card of a visit cannot be looked at" # which resets it
}
typing "$pin"
station_begin
comes others
station_end 0
equal "what others do is no loss, and asks nobody" "1 true" \
    "$(answers '.[0] | "\(.pin_prompts) \(.diagnosis.filed != null)"')"
status=0
wrong() {
    local i
    for i in 1 2; do
        pkcs11-tool --module "$OPENSC_MODULE" --login --pin 99999$i --list-objects \
            >/dev/null 2>&1 || true
    done
    equal "somebody else has left one try" 1 "$(tries)"
}
typing "$pin"
: >"$work/card.log"
station_begin
comes wrong || status=$?
station_end 6
[ "$status" -ne 0 ] || fail "signed, with the last try"
equal "the last try is not spent by a PIN that is held" "pin-final-try 1" \
    "$(answers '.[0].error.code') $(tries)"

echo "# one try left: no verb uses it, or asks"
typing "$pin"
: >"$work/card.log"
never() { # VERB...
    refused 6 "one PIN try left" "$@"
}
never doctor csr --dir "$work/ek" --out "$work/x.csr"
never doctor register --dir "$work/ek"
never doctor visit --dir "$work/ek" --listen 127.0.0.1:0 --department cardiology \
    --diagnosis "$data/diagnosis.txt"
never token audit --dir "$work/ek"
never token audit --uri "$uri" --pin-file "$work/cards/D-1/pin"
never token login --dir "$work/ek"
refused 6 "one try for its PIN left" card change-pin --serial $((0x00c0ffee)) --pin-file "$work/cards/D-1/pin" \
    --new-pin-file "$work/so.pin"
refused 6 "is not sent again" card renew --dir "$work/cards/D-1"
equal "nobody was asked, no PIN was sent, the try is left" "0 0 1" \
    "$(asked) $(sent "$work/card.log") $(tries)"
cs token login --dir "$work/ek" --force-final-try >/dev/null
equal "whoever knows it forces it" "1 3" "$(asked) $(tries)"

echo "# another doctor's card in mid visit"
exchanged() {
    eject 0
    insert 0 bob --log "$work/bob.log"
}
for hold in visit 8/60 each; do
    typing "$pin"
    : >"$work/bob.log"
    station_begin --visits 2 --pin-hold "$hold"
    comes exchanged && fail "signed, with another doctor's card"
    await "$work/port" # the next visit of the same process begins, and Bob's card is still there
    equal "$hold: refused" "token-absent" "$(answers '.[0].error.code')"
    answers '.[0].error.message' | grep -q "is another, Dr. Bob Ox (serial .*put the first one back" ||
        fail "what is wrong is not said: $(answers '.[0].error.message')"
    equal "$hold: Bob's card was sent no PIN, and has all its tries" "0 3" \
        "$(sent "$work/bob.log") $(tries)"
    eject 0
    insert 0 ada --log "$work/card.log"
    comes
    station_end 7
    equal "$hold: with the right card the next visit goes well, after a login" true \
        "$(answers '.[1].diagnosis.filed != null')"
    equal "$hold: and is asked for" yes \
        "$(answers '.[1].pin_prompts >= 1' | sed 's/true/yes/')"
    equal "$hold: and no try was spent" 3 "$(tries)"
done

echo "# suspended while the station serves"
suspended() {
    cs card suspend --dir "$work/cards/D-1" --authority "$work/board" >/dev/null
    cs doctor trust --dir "$work/ek" --crl "$work/board/crl.pem" >/dev/null
}
typing "$pin"
station_begin --visits 2
comes suspended
station_end 4
equal "the next visit takes the list in, and is none" "true revoked 1" \
    "$(answers '"\(.[0].ok) \(.[1].error.code)"') $(asked)"
cs card suspend --dir "$work/cards/D-1" --lift --authority "$work/board" >/dev/null
cs doctor trust --dir "$work/ek" --crl "$work/board/crl.pem" >/dev/null

echo "# stolen: what the verbs do without the PIN"
typing cancel
: >"$work/card.log"
without() { # VERB...
    refused 10 "no PIN was given" "$@"
}
without doctor csr --dir "$work/ek" --out "$work/x.csr"
without doctor register --dir "$work/ek"
without doctor visit --dir "$work/ek" --listen 127.0.0.1:0 --department cardiology \
    --diagnosis "$data/diagnosis.txt"
without token audit --dir "$work/ek"
without token login --dir "$work/ek"
equal "no PIN, no signature, no agreement" "0 0" \
    "$(sent "$work/card.log") $(awk 'substr($2, 1, 4) == "0087" && $4 == "9000"' "$work/card.log" | wc -l)"
equal "what is public is shown" "Dr. Ada Ek" \
    "$(cs card show --reader "${readers[0]}" --json | jq -r '.slots[] | select(.slot == "9C") | .certificate.name')"
for verb in "doctor csr --dir $work/ek --out $work/x.csr" "token login --dir $work/ek"; do
    typing 98765$((RANDOM % 10))
    : >"$work/card.log"
    before=$(tries)
    # shellcheck disable=SC2086 # words
    refused 6 "refuses the PIN" $verb
    equal "$verb: a wrong PIN is sent once" "1 1 1" \
        "$(asked) $(sent "$work/card.log") $((before - $(tries)))"
done
