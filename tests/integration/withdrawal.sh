#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# `chartseal card suspend`, `suspend --lift` and `revoke`, which touch no card: killed at each file
# that authority and cloud write, and at each write of the cloud's database, then run again. The list
# is sound at any time, and what was begun is finished or taken back.
# usage: withdrawal.sh CHARTSEAL KILL_RENAME
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" withdrawal
kill_rename=${2:?path of the library to preload}

make_world
make_cloud ed25519
start cloud
make_doctor doctor D-1
stop cloud
# the directory of a card, as the desk has it
card=$work/card
mkdir "$card"
cp "$work/doctor.csr" "$card/sign.csr"
cp "$work/doctor.pem" "$card/sign.pem"
openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout -out "$work/agree.pub" 2>/dev/null
cs authority issue --dir "$work/board" --request "$card/sign.csr" --agree-key "$work/agree.pub" \
    --out "$card/agree.pem" >/dev/null
cs authority crl --dir "$work/board" >/dev/null

keep() { # NAME: homes and tokens as they are
    local place
    for place in board cloud tokens; do cp -a "$work/$place" "$work/$1.$place"; done
}

begin() { # NAME
    local place
    for place in board cloud tokens; do
        rm -rf "${work:?}/$place"
        cp -a "$work/$1.$place" "$work/$place"
    done
}

suspend() { cs card suspend --dir "$card" --authority "$work/board" >/dev/null; }
lift() { cs card suspend --dir "$card" --authority "$work/board" --lift >/dev/null; }
revoke() { cs card revoke --dir "$card" --authority "$work/board" --cloud "$work/cloud" >/dev/null; }

listed() { # REASON: how many are on the list with that reason, or with any
    openssl crl -in "$work/board/crl.pem" -noout -text >"$work/list"
    grep -c "${1:-Serial Number}" "$work/list" || true
}

is_suspended() { [ "$(listed)" -eq 2 ] && [ "$(listed 'Certificate Hold')" -eq 2 ]; }
is_lifted() { [ "$(listed)" -eq 0 ]; }
is_revoked() {
    [ "$(listed)" -eq 2 ] && [ "$(listed 'Certificate Hold')" -eq 0 ] &&
        [ "$(database 'SELECT count(*) FROM credential WHERE current = 1 AND revoked_at <> 0')" -eq 1 ]
}

database() { # QUERY: of the cloud's, its one answer
    python3 -c 'import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])' "$work/cloud/chartseal.db" "$1"
}

sound() { # WHAT: whoever reads the homes now, finds them whole
    openssl crl -in "$work/board/crl.pem" -CAfile "$work/board/certificate.pem" -noout \
        2>"$work/verified" || fail "$1: no list: $(cat "$work/verified")"
    grep -q 'verify OK' "$work/verified" || fail "$1: a list that is not the authority's"
    jq -e . "$work/board/issued.json" >/dev/null || fail "$1: issued.json"
    [ "$(database 'PRAGMA integrity_check')" = ok ] || fail "$1: the database"
}

kills=0
kill_at() { # BASE VERB GOOD CALL N
    local base=$1 verb=$2 good=$3 call=$4 n=$5 status=0
    begin "$base"
    CS_KILL_CALL=$call CS_KILL_RENAME=$n LD_PRELOAD=$kill_rename ASAN_OPTIONS=verify_asan_link_order=0 \
        "$verb" 2>"$work/killed.err" || status=$?
    [ "$status" -eq 137 ] || fail "$verb is not killed at $call $n: $status: $(cat "$work/killed.err")"
    kills=$((kills + 1))
    sound "$verb, killed at $call $n"
    "$verb" || fail "$verb is not gone on with, after a kill at $call $n"
    "$good" || fail "$verb, killed at $call $n and run again: $(cat "$work/list")"
    sound "$verb, killed at $call $n and run again"
    if [ "$call" = pwrite ]; then
        cs audit verify --dir "$work/cloud" >/dev/null || fail "the cloud's log after a kill at $call $n"
    fi
}

sweep() { # BASE VERB GOOD CALL: before each, and after the last
    local base=$1 verb=$2 good=$3 call=$4 count n
    begin "$base"
    rm -f "$work/count"
    CS_KILL_CALL=$call CS_COUNT_RENAMES=$work/count LD_PRELOAD=$kill_rename \
        ASAN_OPTIONS=verify_asan_link_order=0 "$verb"
    "$good" || fail "$verb: $(cat "$work/list")"
    count=$(wc -l <"$work/count")
    [ "$count" -ge 2 ] || fail "$verb: $count calls of $call"
    for ((n = 1; n <= count; n++)); do
        kill_at "$base" "$verb" "$good" "$call" "$n"
    done
    kill_at "$base" "$verb" "$good" "$call" "$count+"
    say "$verb: killed at each of $count calls of $call, and gone on with"
}

keep fresh
sweep fresh suspend is_suspended rename
begin fresh
suspend
keep suspended
sweep suspended lift is_lifted rename
sweep fresh revoke is_revoked rename
sweep fresh revoke is_revoked pwrite
sweep suspended revoke is_revoked rename

say "a suspension that was cut off can be taken back, too"
for n in 1 2; do
    begin fresh
    status=0
    CS_KILL_RENAME=$n LD_PRELOAD=$kill_rename ASAN_OPTIONS=verify_asan_link_order=0 suspend \
        2>/dev/null || status=$?
    [ "$status" -eq 137 ] || fail "not killed"
    lift || fail "it is not taken back"
    is_lifted || fail "it is not off the list: $(cat "$work/list")"
done
say "$kills kills"
