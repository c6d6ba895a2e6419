#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Who is asked may also leave: ^C and SIGTERM end a visit while it waits for a person, and nothing
# about the patient has been sent.
# usage: prompts.sh CHARTSEAL
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" prompts

begin_station() { # OPTION...: the doctor's side, its standard input our descriptor 7; sets $station
    local i
    rm -f "$work/port"
    "$chartseal" doctor visit --dir "$work/doctor" --listen 127.0.0.1:0 --port-file "$work/port" \
        --department surgery --no-record --timeout 60 "$@" \
        >"$work/station.out" 2>"$work/station.err" <"$work/typing" 7>&- &
    station=$!
    for ((i = 0; i < 200; i++)); do
        [ ! -s "$work/port" ] || return 0
        sleep 0.05
    done
    fail "the station opens no port: $(cat "$work/station.err")"
}

ends() { # PID STATUS WHAT
    local status=0
    wait "$1" || status=$?
    [ "$status" -eq "$2" ] || fail "$3: status $status, not $2"
}

# asked_patient ANSWER: a patient at a terminal, who is asked about the doctor and does that: types
# a text, or interrupt (^C), or gets SIGTERM. The exit status is that of the command.
asked_patient() {
    python3 - "$1" "$chartseal" patient visit --dir "$work/patient" --station \
        "127.0.0.1:$(cat "$work/port")" --diagnosis-out "$work/diagnosis" --no-consent --timeout 60 <<'PYTHON'
import os, pty, select, signal, sys, time
answer, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)

def read(seconds):
    if not select.select([terminal], [], [], seconds)[0]:
        return b""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""

shown = b""
until = time.time() + 30
while b"[y/N]" not in shown and time.time() < until:
    shown += read(1)
if b"[y/N]" not in shown:
    sys.exit("not asked: %r" % shown)
time.sleep(0.3)
if answer == "terminate":
    os.kill(pid, signal.SIGTERM)
else:
    os.write(terminal, b"\x03" if answer == "interrupt" else answer.encode())
until = time.time() + 20
while time.time() < until:
    shown += read(0.2)
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        sys.stdout.write(shown.decode())
        sys.exit(os.waitstatus_to_exitcode(status))
os.kill(pid, signal.SIGKILL)
sys.exit("does not end: %r" % shown)
PYTHON
}

say "founding"
make_world
make_cloud ed25519
start cloud
make_doctor doctor D-1
make_patient patient P-1
mkfifo "$work/typing"
exec 7<>"$work/typing"

say "a patient who is asked"
begin_station --diagnosis "$data/diagnosis.txt" # which waits on for one who stays
for answer in interrupt terminate $'n\n' $'\n'; do
    status=0
    asked_patient "$answer" >"$work/shown" || status=$?
    [ "$status" -eq 10 ] || fail "status $status after '$answer': $(cat "$work/shown")"
    grep -q 'nothing about you was sent' "$work/shown" || fail "$(cat "$work/shown")"
done
asked_patient $'yes\n' >"$work/shown" || fail "after yes: $(cat "$work/shown")"
ends "$station" 0 "the station, after yes"
cmp "$work/diagnosis" "$data/diagnosis.txt"

say "a doctor who is to write"
for signal in TERM INT; do
    begin_station --diagnosis -
    "$chartseal" patient visit --dir "$work/patient" --station "127.0.0.1:$(cat "$work/port")" \
        --doctor D-1 --diagnosis-out "$work/diagnosis" --no-consent --timeout 60 >"$work/patient.out" \
        2>"$work/patient.err" </dev/null 7>&- &
    patient=$!
    for ((i = 0; i < 200; i++)); do
        ! grep -q 'patient P-1 is here' "$work/station.out" || break
        sleep 0.05
    done
    sleep 0.3
    kill "-$signal" "$station"
    for ((i = 0; i < 200; i++)); do
        kill -0 "$station" 2>/dev/null || break
        sleep 0.05
    done
    [ "$i" -lt 200 ] || fail "the station goes on after SIG$signal"
    ends "$station" 10 "the station, after SIG$signal"
    ends "$patient" 10 "the patient, after SIG$signal to the station"
    grep -q 'waiting for input' "$work/station.err" || fail "$(cat "$work/station.err")"
done

say "a doctor who writes nothing"
: >"$work/empty"
begin_station --diagnosis "$work/empty"
refused 10 "doctor's side refused (cancelled)" patient visit --dir "$work/patient" --station \
    "127.0.0.1:$(cat "$work/port")" --doctor D-1 --diagnosis-out "$work/diagnosis" --no-consent
ends "$station" 10 "the station, without a diagnosis"
exec 7>&-
stop cloud
