#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A hospital whose storage key survives its token, by choice: made with a backup, rehearsed, the token
# lost, restored on another, and a visit that reads a record of before. What is refused on the way,
# and what a kill leaves.
# usage: backup.sh CHARTSEAL SHIM KILL_RENAME
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" backup
shim=${2:?path of the PKCS#11 shim}
kill_rename=${3:?path of the library to preload}
# shellcheck source=tests/integration/ceremonies.sh
. "$(dirname "$0")/ceremonies.sh"

all() { # NAME NUMBER...: all three shares
    echo "$(both "$@"),$(shares "$1" wrapping-key "${@:2}")"
}

# with NAME ROLE NEEDED OPERATORS [OPTION...]: ceremony, with a backup
with() {
    ceremony "$@" --backup "$work/$1.backup" --rehearse-label "$1-2"
}

refused_with() { # STATUS TEXT, then as with
    refused_ceremony "$@" --backup "$work/$3.backup" --rehearse-label "$3-2"
}

keys_in() { # LABEL [NAME]: of the token, opened with the PIN of NAME
    cs token audit --uri "$(uri "$1")" --pin-file "$work/${2:-$1}.pin" --json | jq '.keys | length'
}

forget_token() { # LABEL
    softhsm2-util --delete-token --token "$1" >/dev/null 2>&1 || fail "no token $1"
}

service_of[first]=hospital
service_of[second]=hospital

say "founding"
make_world
make_cloud ed25519
start cloud

say "a hospital with a backup, by 2 of 3"
with first hospital 2 3 --share-dirs "$work/shares-first" --json | jq -e '.step == "shares"' >/dev/null
[ "$(find "$work/shares-first" -name 'operator-*.wrapping-key' -perm 600 | wc -l)" -eq 3 ] ||
    fail "not three shares of the wrapping key"
[ ! -e "$work/first.backup" ] || fail "there is a backup before there are shares"
refused_with 6 "no share of the wrapping-key" first hospital 2 3 --shares "$(both first 1 3)"
refused_with 6 "1 of the 2 shares of the wrapping-key" first hospital 2 3 \
    --shares "$(both first 1 3),$(shares first wrapping-key 1)"
refused_ceremony 2 "give the options of then" first hospital 2 3 --shares "$(both first 1 3)"
with first hospital 2 3 --shares "$(all first 1 3)" --json >"$work/made.json"
jq -e '.step == "finished" and .backup.shares == "2 of 3" and .restored == null' "$work/made.json" \
    >/dev/null || fail "$(cat "$work/made.json")"
combine first 2 3
is_made first
[ "$(keys_in first)" -eq 3 ] || fail "not three keys in the token"
[ "$(keys_in first-2 first)" -eq 0 ] || fail "the second token is not empty"
[ "$(stat -c %a "$work/first.backup")" = 600 ]

say "it is said everywhere"
digest=$(sha256sum <"$work/first.backup" | cut -c-64)
transcript first --json >"$work/transcript.json"
jq -e --arg digest "$digest" '
    [.entries[].step] == ["begin", "shares", "gather", "trial", "token", "backup", "rehearsal",
        "keys", "opened", "audit", "signature"] and
    (.entries[0].backup | test("by choice")) and
    all(.entries[] | select(.step == "backup" or .step == "rehearsal"); .sha256 == $digest) and
    any(.entries[]; .step == "backup" and (.says | test("storage key has left the token once"))) and
    any(.entries[]; .step == "audit" and .survivors == 1 and .exposed == 0)' \
    "$work/transcript.json" >/dev/null || fail "the transcript: $(cat "$work/transcript.json")"
jq -e --arg digest "$digest" '.ok and .backup.sha256 == $digest and
    [.keys[] | select(.left == "backup").use] == ["prf"] and
    all(.keys[]; .extractable | not)' "$work/audit.json" >/dev/null || fail "$(cat "$work/audit.json")"
cs token audit --dir "$work/first" >"$work/said"
grep -q "HAS LEFT its token once" "$work/said" || fail "the audit is silent"
check=$(jq -r .storage_check "$work/first/config.json")
[ "$(jq -r .check "$work/first.backup")" = "$check" ]

say "what a home did not choose, it does not get"
cp -r "$work/first" "$work/other"
jq 'del(.backup)' "$work/first/config.json" >"$work/other/config.json"
refused 7 "could be read out once" hospital status --dir "$work/other"
status=0
cs token audit --dir "$work/other" >"$work/refused.out" 2>&1 || status=$?
[ "$status" -eq 7 ] || fail "an audit of a home that did not choose it: $status"
# nor by a word in config.json that no ceremony has written
for change in '.backup.sha256 = "00"' '.restored = .backup'; do
    jq "$change" "$work/first/config.json" >"$work/other/config.json"
    refused 7 "what the transcript of its ceremony does not" token audit --dir "$work/other"
    grep -q "hospital-storage" "$work/refused.out" || fail "the keys are not told all the same"
    ! cs token audit --dir "$work/other" --json >"$work/refused.out" 2>/dev/null ||
        fail "an audit of what the transcript does not say"
    jq -e '.ok | not' "$work/refused.out" >/dev/null || fail "$(cat "$work/refused.out")"
done
cp "$work/first/config.json" "$work/other/config.json"
cs token audit --dir "$work/other" >/dev/null
sed -i '$d' "$work/other/ceremony.transcript" # its signature
refused 4 "is not signed" token audit --dir "$work/other"
rm "$work/other/ceremony.transcript"
refused 5 "ceremony.transcript is not there.*put it back" token audit --dir "$work/other"
cp "$work/first/ceremony.transcript" "$work/other"
jq '.keys.sign |= sub("hospital-sign"; "hospital-none")' "$work/first/config.json" \
    >"$work/other/config.json"
refused 7 "keys.sign of .*config.json is no key of the token" token audit --dir "$work/other"
grep -q "hospital-storage" "$work/refused.out" || fail "the keys are not told all the same"
rm -r "$work/other"

say "records, and then the token is lost"
certify "$work/first/request.pem" "$work/first.pem"
enrol hospital first.example
cs hospital register --dir "$work/first" --cloud-url "$cloud_url" \
    --code-file "$work/first.example.code" --certificate "$work/first.pem" >/dev/null
start first
make_doctor doctor D-1
make_patient patient P-1
make_patient patient2 P-2
head -c 300000 /dev/urandom >"$work/large"
record=$(import first P-1 cardiology "$data/patient.json")
import first P-2 cardiology "$work/large" >/dev/null
: >"$work/empty"
import first P-1 surgery "$work/empty" >/dev/null
visit doctor patient cardiology --record "$record"
cmp "$data/patient.json" "$work/visit.record"
cs doctor visit --dir "$work/doctor" --patient P-1 --department cardiology \
    --emergency "she came unconscious" --diagnosis "$data/diagnosis.txt" --record-out "$work/emergency.record" >/dev/null
cmp "$data/patient.json" "$work/emergency.record"
stop first
cs hospital list --dir "$work/first" --json | jq -c '[.records[] | del(.signature)] | sort' >"$work/list.before"
cs hospital status --dir "$work/first" --json >"$work/status.before"
jq -e --arg digest "$digest" '.backup.sha256 == $digest' "$work/status.before" >/dev/null
cs hospital status --dir "$work/first" >"$work/said"
grep -q "HAS LEFT its token once" "$work/said" || fail "status is silent"
forget_token first
refused 7 "no token" hospital status --dir "$work/first"

say "what is no backup, and who cannot restore it"
ids[second]=first.example
restore() { # NAME ROLE NEEDED OPERATORS [OPTION...]: ceremony, from first.backup
    ceremony "$@" --restore "$work/first.backup"
}
refused_restore() { # STATUS TEXT, then as restore
    refused_ceremony "$@" --restore "$work/first.backup"
}
restore second hospital 2 2 --share-dirs "$work/shares-second" >/dev/null
give=(second hospital 2 2 --shares "$(both second 1 2)")
refused_restore 6 "1 of the 2 shares of the wrapping-key" "${give[@]}" \
    --restore-shares "$(shares first wrapping-key 2)"
refused_restore 2 "given twice" "${give[@]}" --restore-shares "$(shares first wrapping-key 2 2)"
refused_restore 2 "does not open a backup" "${give[@]}" --restore-shares "$(both first 1 2)"
with stranger hospital 2 2 --share-dirs "$work/shares-stranger" >/dev/null
refused_restore 6 "of another ceremony than .*first.backup" "${give[@]}" \
    --restore-shares "$(shares stranger wrapping-key 1 2)"
refused_restore 3 "digit" "${give[@]}" --restore-shares "$work/first.backup"
cp "$work/first.backup" "$work/good.backup"
refused_ceremony 5 "" "${give[@]}" --restore "$work/none.backup" \
    --restore-shares "$(shares first wrapping-key 1 2)"
for name in $'un\x07clean' $'un\xffclean'; do
    cp "$work/first.backup" "$work/$name"
    refused_ceremony 2 "--restore goes into a transcript" "${give[@]}" --start-over \
        --restore "$work/$name"
    rm "$work/$name"
done
ids[third]=third.example
refused_ceremony 2 "is a backup of hospital first.example" third hospital 2 2 \
    --restore "$work/first.backup" --share-dirs "$work"
refused_ceremony 2 "is a backup of hospital first.example" third cloud 2 2 \
    --restore "$work/first.backup" --share-dirs "$work"
size=$(stat -c %s "$work/good.backup")
altered=0
for ((at = 0; at < size; at += 7)); do
    python3 - "$work/good.backup" "$work/first.backup" "$at" <<'PYTHON'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
at = int(sys.argv[3])
data[at] = ord("1") if data[at] != ord("1") else ord("2")
open(sys.argv[2], "wb").write(data)
PYTHON
    status=0
    restore "${give[@]}" --restore-shares "$(shares first wrapping-key 1 2)" \
        >"$work/refused.out" 2>"$work/refused.err" || status=$?
    # another file than it was begun with: CS_E_CORRUPT by its form, CS_E_USAGE by its digest
    { [ "$status" -eq 9 ] || [ "$status" -eq 2 ]; } ||
        fail "byte $at altered: status $status: $(cat "$work/refused.err")"
    altered=$((altered + 1))
done
say "$altered altered files refused"
# begun with an altered one: what is sealed tells
python3 - "$work/good.backup" "$work/first.backup" <<'PYTHON'
import json, sys
backup = json.load(open(sys.argv[1]))
backup["wrapped"] = backup["wrapped"][:-1] + ("0" if backup["wrapped"][-1] != "0" else "1")
open(sys.argv[2], "w").write(json.dumps(backup, sort_keys=True, separators=(",", ":")) + "\n")
PYTHON
restore second hospital 2 2 --start-over --share-dirs "$work/shares-second" >/dev/null
refused_restore 4 "not as it was written at its ceremony" second hospital 2 2 \
    --shares "$(both second 1 2)" --restore-shares "$(shares first wrapping-key 1 2)"
[ "$(softhsm2-util --show-slots | grep -c 'Label: *second')" -eq 0 ] || fail "a token for it"
cp "$work/good.backup" "$work/first.backup"
refused_restore 2 "begin anew" "${give[@]}" --restore-shares "$(shares first wrapping-key 1 2)"

say "restored on a second token, by other operators, with a backup again"
second() {
    with second hospital 2 2 --restore "$work/first.backup" "$@"
}
second --start-over --share-dirs "$work/shares-second" >/dev/null
second --shares "$(all second 1 2)" --restore-shares "$(shares first wrapping-key 3 2)" --json \
    >"$work/made.json"
jq -e '.backup.shares == "2 of 2" and .restored.from_serial != null' "$work/made.json" >/dev/null ||
    fail "$(cat "$work/made.json")"
combine second 1 2
is_made second
jq -e '(.entries[0].backup | test("^by choice: one key comes from a backup, and leaves")) and
    any(.entries[]; .step == "audit" and
        (.says | test("came from a backup, by choice, and has left this token once")))' \
    "$work/transcript.json" >/dev/null || fail "the transcript: $(cat "$work/transcript.json")"
jq -e '.restored.sha256 == "'"$digest"'" and .backup.sha256 != "'"$digest"'" and
    [.keys[] | select(.left == "restored").use] == ["prf"]' "$work/audit.json" >/dev/null ||
    fail "$(cat "$work/audit.json")"
transcript second --json | jq -e '[.entries[].step] == ["begin", "shares", "gather", "trial",
    "token", "restore", "backup", "rehearsal", "keys", "opened", "audit", "signature"]' >/dev/null ||
    fail "$(transcript second)"
cs token audit --dir "$work/second" >"$work/said"
grep -q "COMES FROM A BACKUP" "$work/said" || fail "the audit is silent"
[ "$(jq -r .storage_check "$work/second/config.json")" = "$check" ] || fail "another storage key"
[ "$(jq -r .keys.sign "$work/second/config.json")" != "$(jq -r .keys.sign "$work/first/config.json")" ]
jq 'del(.restored)' "$work/second/config.json" >"$work/config"
cp "$work/second/config.json" "$work/config.kept"
cp "$work/config" "$work/second/config.json"
refused 7 "was not made in token second" hospital status --dir "$work/second"
cp "$work/config.kept" "$work/second/config.json"

say "the same hospital again, with other keys"
refused 4 "not registered" hospital recover --dir "$work/second" --database "$work/first/chartseal.db"
cs authority revoke --dir "$work/board" --certificate "$work/first.pem" >/dev/null
certify "$work/second/request.pem" "$work/second.pem"
cs cloud trust --dir "$work/cloud" --crl "$work/board/crl.pem" >/dev/null
cs cloud revoke --dir "$work/cloud" --role hospital --id first.example >/dev/null
enrol hospital first.example
cs hospital register --dir "$work/second" --cloud-url "$cloud_url" \
    --code-file "$work/first.example.code" --certificate "$work/second.pem" >/dev/null
[ "$(cs hospital status --dir "$work/second" --json | jq .record)" -eq 0 ]
head=$(cs audit verify --dir "$work/first" --json | jq -r .head)
refused 2 "this home's own" hospital recover --dir "$work/second" \
    --database "$work/second/chartseal.db"
refused 5 "cannot be read" hospital recover --dir "$work/second" --database "$work/none.db"
# a database that somebody has worked on, its oldest record: a chunk, a header, a record in another patient's row
for way in chunk header row; do
    cp "$work/first/chartseal.db" "$work/worked-on.db"
    python3 - "$work/worked-on.db" $way <<'PYTHON'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
if sys.argv[2] == "row":
    n, own = db.execute("SELECT number, row_key FROM record ORDER BY 1 LIMIT 1").fetchone()
    other, = db.execute("SELECT row_key FROM record WHERE row_key <> ? LIMIT 1", (own,)).fetchone()
    db.execute("UPDATE record SET row_key = ? WHERE number = ?", (other, n))
else:
    table = "chunk" if sys.argv[2] == "chunk" else "record"
    place = "place" if table == "chunk" else "number"
    n, sealed = db.execute("SELECT %s, sealed FROM %s ORDER BY 1 LIMIT 1" % (place, table)).fetchone()
    sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    db.execute("UPDATE %s SET sealed = ? WHERE %s = ?" % (table, place), (sealed, n))
db.commit()
PYTHON
    refused 9 "record [0-9a-f]\{32\}: " hospital recover --dir "$work/second" \
        --database "$work/worked-on.db"
    mv "$work/refused.err" "$work/refused.$way"
done
grep -q "another patient's row" "$work/refused.row" || fail "$(cat "$work/refused.row")"
kept=$(cs hospital status --dir "$work/second" --json | jq .record)
[ "$kept" -lt 5 ] || fail "a record that was worked on is kept"
# its notice: altered, under the key of a publication that waits here, or that publication itself
waiting() {
    cs hospital status --dir "$work/second" --json | jq -c '[.unpublished, .notices, .unreadable]'
}
for way in sealed key publication; do
    cp "$work/first/chartseal.db" "$work/worked-on.db"
    python3 - "$work/worked-on.db" $way "$work/second/chartseal.db" <<'PYTHON'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
n, sealed = db.execute("SELECT number, sealed FROM outbox WHERE kind = 2").fetchone()
key, own = sqlite3.connect("file:%s?mode=ro" % sys.argv[3], uri=True).execute(
    "SELECT key, sealed FROM outbox WHERE kind = 1 ORDER BY number LIMIT 1").fetchone()
if sys.argv[2] == "sealed":
    sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    db.execute("UPDATE outbox SET sealed = ? WHERE number = ?", (sealed, n))
elif sys.argv[2] == "key":
    db.execute("UPDATE outbox SET key = ? WHERE number = ?", (key, n))
else:
    db.execute("UPDATE outbox SET key = ?, sealed = ? WHERE number = ?", (key, own, n))
db.commit()
PYTHON
    refused 9 "notice [0-9]* of the outbox is none" hospital recover --dir "$work/second" \
        --database "$work/worked-on.db"
    [ "$(waiting)" = "[3,0,0]" ] || fail "a notice that was worked on: $(waiting)"
done
kept=$(cs hospital status --dir "$work/second" --json | jq .record)
cs hospital recover --dir "$work/second" --database "$work/first/chartseal.db" --json \
    >"$work/recovered.json"
jq -e --arg head "$head" --argjson kept "$kept" '.records + $kept == 5 and .there == $kept and .notices == 1 and .old_head == $head' \
    "$work/recovered.json" >/dev/null || fail "$(cat "$work/recovered.json")"
cs hospital notices --dir "$work/second" --json >"$work/notices.once"
cs hospital recover --dir "$work/second" --database "$work/first/chartseal.db" --json |
    jq -e '.records == 0 and .there == 5 and .notices == 0' >/dev/null || fail "a second recovery is another"
cs hospital notices --dir "$work/second" --json >"$work/notices.again"
cmp "$work/notices.once" "$work/notices.again"
cs hospital list --dir "$work/second" --json | jq -c '[.records[] | del(.signature)] | sort' \
    >"$work/list.after"
cmp "$work/list.before" "$work/list.after"
cs audit verify --dir "$work/second" >/dev/null
cs audit export --dir "$work/second" --out "$work/events.json" >/dev/null
grep -qF "the log of before ends at $head" "$work/events.json" || fail "the log does not say it"
cs audit export --dir "$work/second" --database "$work/first/chartseal.db" --json \
    --out "$work/events.before" | jq -e '.entries == '"${head%%:*}"' and .unreadable == 0' >/dev/null
grep -q "she came unconscious" "$work/events.before" || fail "the log of before is not read"
refused 5 "cannot be read" audit export --dir "$work/second" --database "$work/none.db"

cs hospital notices --dir "$work/second" --json | jq -e '.notices[0].reason == "she came unconscious"' \
    >/dev/null || fail "a notice was lost"
cs hospital notices --dir "$work/second" \
    --acknowledge "$(jq '.notices[0].number' "$work/notices.once")" >/dev/null
cs hospital recover --dir "$work/second" --database "$work/first/chartseal.db" >/dev/null
cs hospital notices --dir "$work/second" --json | jq -e '.notices == []' >/dev/null ||
    fail "a notice that was dealt with comes again"

say "a visit reads what was there before"
start second
visit doctor patient cardiology --record "$record"
cmp "$data/patient.json" "$work/visit.record"
visit doctor patient2 cardiology
cmp "$work/large" "$work/visit.record"
stop second

say "and from the backup of that, without another"
ids[third]=first.example
forget_token second
third() {
    ceremony third hospital 2 2 --restore "$work/second.backup" "$@"
}
third --share-dirs "$work/shares-third" >/dev/null
third --shares "$(both third 1 2)" --restore-shares "$(shares second wrapping-key 1 2)" --json |
    jq -e '.backup == null and .restored != null' >/dev/null
combine third 1 2
is_made third
jq -e '(.entries[0].backup | test("^none anew: one key comes from a backup")) and
    any(.entries[]; .step == "audit" and .survivors == 1 and
        (.says | test("came from a backup") and (test("left") | not)))' \
    "$work/transcript.json" >/dev/null || fail "the transcript: $(cat "$work/transcript.json")"
[ "$(jq -r .storage_check "$work/third/config.json")" = "$check" ] || fail "another storage key"

say "a cloud: SoftHSM does not wrap s, and says so before there is a token"
with pc cloud 2 2 --share-dirs "$work/shares-pc" >/dev/null
refused_with 7 "master key s can have no backup.*CKR_KEY_NOT_WRAPPABLE" pc cloud 2 2 --shares "$(all pc 1 2)"
[ "$(softhsm2-util --show-slots | grep -cE 'Label: *pc *$')" -eq 0 ] || fail "a token was made"
[ "$(softhsm2-util --show-slots | grep -cE 'Label: *pc-2 *$')" -eq 1 ]
ceremony pc cloud 2 2 --start-over --share-dirs "$work/shares-pc" >/dev/null
ceremony pc cloud 2 2 --shares "$(both pc 1 2)" >/dev/null
combine pc 1 2
is_made pc

say "at the one screen of a room, restored with a new backup"
PYTHONPATH=$(dirname "$0") PYTHONDONTWRITEBYTECODE=1 python3 - "$chartseal" "$work" "$module" <<'PYTHON'
import re, sys
from screen import Screen
chartseal, work, module = sys.argv[1:]
kinds = ("user-pin", "so-pin", "wrapping-key")

def of_first(operator):
    lines = open("%s/shares-first/operator-%d.wrapping-key" % (work, operator)).read().splitlines()
    return [line for line in lines if not line.startswith("#")][0]

screen = Screen([chartseal, "hospital", "ceremony", "--dir", work + "/typed", "--id", "first.example",
    "--module", module, "--label", "typed", "--operators", "2", "--needed", "2", "--pin-file", work + "/typed.pin",
    "--cloud-file", work + "/cloud/cloud.cbor", "--authority", work + "/board/certificate.pem",
    "--backup", work + "/typed.backup", "--rehearse-label", "typed-2", "--restore", work + "/first.backup"])
shares = {}
for operator in (1, 2):
    screen.until("operator %d of 2: come" % operator)
    screen.type("")
    for kind in kinds:
        shown = screen.until("Enter clears the screen")
        found = re.search(kind + r" of token typed: share of operator %d of 2\s+([0-9a-f ]+)\r" % operator, shown)
        shares[operator, kind] = " ".join(found.group(1).split())
        screen.type("")
for kind in kinds:
    for operator in (1, 2):
        screen.until("%s share of an operator (%d of 2)" % (kind, operator))
        screen.type(shares[operator, kind])
screen.until("the ceremony that the backup was made in")
screen.type("")
for turn, operator in enumerate((3, 1), 1):
    screen.until("wrapping-key share of an operator (%d of 2)" % turn)
    screen.type(of_first(operator))
screen.until("the rehearsal: wrapping-key shares again")
screen.type("")
for turn, operator in enumerate((2, 1), 1):
    screen.until("wrapping-key share of an operator (%d of 2)" % turn)
    screen.type(shares[operator, "wrapping-key"])
shown, status = screen.end()
for said in ("made the token typed", "HAS LEFT its token once", "COMES FROM A BACKUP"):
    if status != 0 or said not in shown:
        sys.exit("status %d, no '%s': %s" % (status, said, shown))
for share in shares.values():
    if share in shown or share.replace(" ", "") in shown:
        sys.exit("a typed share was echoed")
PYTHON
[ "$(jq -r .storage_check "$work/typed/config.json")" = "$check" ] || fail "another storage key"

say "killed at each step, and gone on with"
module=$shim # a script in CS_SHIM_SCRIPT says where it kills; without one it passes all on
export CS_SHIM_SCRIPT=$work/script
: >"$work/script"
prefix=(env "ASAN_OPTIONS=verify_asan_link_order=0" "LD_PRELOAD=$kill_rename")
kills=0
extra=() # of the victim's ceremony

first_run() {
    with victim hospital 2 2 "${extra[@]}" --share-dirs "$work/shares-victim"
}

second_run() {
    with victim hospital 2 2 "${extra[@]}" --shares "$(all victim 1 2)"
}

clear_victim() {
    softhsm2-util --delete-token --token victim >/dev/null 2>&1 || true
    softhsm2-util --delete-token --token victim-2 >/dev/null 2>&1 || true
    rm -rf "$work/victim" "$work/shares-victim" "$work/victim.pin" "$work/victim.backup"
}

# as people would: the same command again
until_made() { # WHAT
    local status=0
    second_run >"$work/again.out" 2>"$work/again.err" || status=$?
    if [ "$status" -eq 9 ] && grep -q "is over" "$work/again.err"; then
        return 0 # killed after the last step
    fi
    [ "$status" -eq 0 ] || fail "after $1: status $status: $(cat "$work/again.err")"
}

is_whole() { # WHAT: what is there after all, and what is not
    combine victim 1 2
    is_made victim
    [ "$(keys_in victim)" -eq 3 ] || fail "other keys in the token after a kill at $1"
    [ "$(keys_in victim-2 victim)" -eq 0 ] || fail "keys in the second token after a kill at $1"
    [ "$(jq -r .check "$work/victim.backup")" = \
        "$(jq -r .storage_check "$work/victim/config.json")" ] ||
        fail "a backup of another key after a kill at $1"
    [ "$(transcript victim --json | jq -r \
        '[.entries[] | select(.step == "backup")] | last.sha256')" = \
        "$(sha256sum <"$work/victim.backup" | cut -c-64)" ] || fail "another backup than it says"
    [ "$(softhsm2-util --show-slots | grep -cE 'Label: *victim(-2)? *$')" -eq 2 ] ||
        fail "not two tokens after a kill at $1"
}

kill_at() { # WHAT: the second run
    local status=0
    second_run >"$work/killed.out" 2>&1 || status=$?
    [ "$status" -eq 137 ] || fail "not killed at $1 (status $status): $(cat "$work/killed.out")"
    : >"$work/script"
    unset CS_KILL_RENAME
    kills=$((kills + 1))
    if ! transcript victim >/dev/null 2>&1 && [ -e "$work/victim/config.json" ]; then
        refused 2 "has not come to its end" hospital status --dir "$work/victim"
    fi
    until_made "$1"
    is_whole "$1"
    clear_victim
}

# Calls that change a token; and every file, where `files` is not empty.
sweep() { # CALL...
    local n call count written
    first_run >/dev/null
    rm -f "$work/renames" "$work/calls"
    CS_COUNT_RENAMES=$work/renames CS_SHIM_COUNTS=$work/calls second_run >/dev/null
    written=${files:+$(wc -l <"$work/renames")}
    clear_victim
    for ((n = 1; n <= ${written:-0}; n++)); do
        first_run >/dev/null
        CS_KILL_RENAME=$n kill_at "file $n"
    done
    for call in "$@"; do
        count=$(grep -cx "$call" "$work/calls")
        [ "$count" -gt 0 ] || fail "$call is not among the calls"
        for ((n = 1; n <= count; n++)); do
            first_run >/dev/null
            echo "$call $n kill 0" >"$work/script"
            kill_at "$call $n"
        done
    done
}

say "a token that has lost the key of the backup gets no other in its place"
first_run >/dev/null
echo "C_UnwrapKey 2 kill 0" >"$work/script" # the rehearsal's; the trial's is the first
status=0
second_run >"$work/killed.out" 2>&1 || status=$?
[ "$status" -eq 137 ] || fail "not killed in the rehearsal ($status): $(cat "$work/killed.out")"
: >"$work/script"
[ "$(tail -1 "$work/victim/ceremony.transcript" | jq -r .step)" = backup ] ||
    fail "not killed after the backup"
combine victim 1 2
[ "$(keys_in victim)" -eq 1 ] || fail "not the storage key alone"
lost=$(dirname "$(grep -laE 'victim {4}' "$work"/tokens/*/token.object)")
find "$lost" -name '*.object' ! -name token.object -delete
[ "$(keys_in victim)" -eq 0 ] || fail "the key is not lost"
for _ in again "and again"; do
    status=0
    second_run >"$work/refused.out" 2>"$work/refused.err" || status=$?
    { [ "$status" -eq 7 ] && grep -q "storage key in token victim is not the one" "$work/refused.err"; } ||
        fail "status $status of a ceremony with another key: $(cat "$work/refused.err")"
done
refused 2 "has not come to its end" hospital status --dir "$work/victim"
clear_victim

say "where another file has come to lie meanwhile, it is moved away"
first_run >/dev/null
cp "$work/pin" "$work/victim.backup"
status=0
second_run >"$work/refused.out" 2>"$work/refused.err" || status=$?
{ [ "$status" -eq 9 ] && grep -q "move it away, or mount the medium" "$work/refused.err"; } ||
    fail "status $status with another file: $(cat "$work/refused.err")"
cmp "$work/pin" "$work/victim.backup"
rm "$work/victim.backup"
until_made "another file was moved away"
is_whole "another file"
clear_victim

for n in 6 7 8; do # while the wrapping-key shares are written: those of before are void
    status=0
    CS_KILL_RENAME=$n first_run >"$work/killed.out" 2>&1 || status=$?
    [ "$status" -eq 137 ] || fail "the first run was not killed at file $n: $(cat "$work/killed.out")"
    kills=$((kills + 1))
    first_run >/dev/null
    until_made "file $n of the first run"
    is_whole "file $n of the first run"
    clear_victim
done
files=
sweep C_GenerateKey C_WrapKey
files=yes # a restoration with a backup does all that a backup does
extra=(--restore "$work/first.backup" --restore-shares "$(shares first wrapping-key 1 3)")
ids[victim]=first.example
sweep C_InitToken C_InitPIN C_CreateObject C_GenerateKeyPair C_WrapKey C_UnwrapKey \
    C_SetAttributeValue C_DestroyObject
say "$kills kills"
