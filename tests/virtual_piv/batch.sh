#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# `chartseal card provision --batch`: a hundred cards in two readers at once, five of which fail, and
# the same command again for those. Run by with_readers.sh.
#
# usage: with_readers.sh batch.sh CHARTSEAL VIRTUAL-PIV LATER, a library that makes a program live later
set -euo pipefail
virtual_piv=${2:?}
later=${3:?}
here=$(cd "$(dirname "$0")" && pwd)
work=of-parties.sh # which makes it
# shellcheck source=tests/virtual_piv/cards.sh
. "$here/cards.sh"
# shellcheck source=tests/integration/parties.sh
. "$here/../integration/parties.sh" "$1" batch
[ -e "$module" ] || {
    echo "skipped: no SoftHSM for the authority; install the package softhsm2" >&2
    exit 77
}
many=${BATCH_CARDS:-100}
make_world
{
    echo "# the doctors of a day"
    for ((i = 1; i <= many; i++)); do printf 'D-%d,Dr. Number %d\n' "$i" "$i"; done
} >"$work/doctors.csv"

# batch [OPTION...]: in the background; results in $work/results
batch() {
    : >"$work/results"
    "$chartseal" card provision --batch "$work/doctors.csv" --dir "$work/cards" \
        --authority "$work/board" --json "$@" >"$work/results" 2>"$work/log/batch.err" &
    batch_pid=$!
}

# hand CARD READER [OPTION...]: a person puts the card in, waits for its line, takes it out.
hand() {
    local serial card lines
    card=$1
    serial=$(printf '%08x' "$card")
    lines=$(grep -c "\"serial\":$card," "$work/results" || true)
    "$virtual_piv" --state "$work/card-$card" --port $((35963 + $2)) --blank --serial "$serial" "${@:3}" &
    card_pids[$2]=$!
    for _ in $(seq 600); do
        [ "$(grep -c "\"serial\":$card," "$work/results" || true)" -eq "$lines" ] || break
        kill -0 "$batch_pid" 2>/dev/null || break
        sleep 0.05
    done
    kill "${card_pids[$2]}"
    wait "${card_pids[$2]}" || true
    sleep 1 # pcscd looks every 400 ms, and the desk every 200
}

# feed READER CARD...: one after the other; every twentieth fails: as it gets its management key, at
# the making of its second key, at its certificate.
feed() {
    local reader=$1 card
    shift
    for card; do
        case $((card % 60)) in
        19) hand "$card" "$reader" --fail-at 66:6f00 ;;
        39) hand "$card" "$reader" --pull-at 74 ;;
        59) hand "$card" "$reader" --pull-after 87 ;;
        *) hand "$card" "$reader" ;;
        esac
    done
}

say "lists that are none"
for bad in 'D-1' ',Dr. Nobody' 'D-1,' '../D,Dr. Path' 'a/b,Dr. Path' '.,Dr. Dot' $'D-1,Dr. A\nD-1,Dr. B' '# nobody'; do
    printf '%s\n' "$bad" >"$work/bad.csv"
    refused 3 "bad.csv" card provision --batch "$work/bad.csv" --dir "$work/cards"
done
refused 2 "is of one card" card provision --batch "$work/doctors.csv" --dir "$work/cards" --id D-1
refused 2 "are of a --batch" card provision --dir "$work/cards/x" --name X --id X --authority "$work/board"
refused 2 "give --name and --id" card provision --dir "$work/cards/x"

say "a list of the authority's that is too old is found before the first card"
LD_PRELOAD=$later LATER_S=$((8 * 86400)) ASAN_OPTIONS=verify_asan_link_order=0 \
    refused 4 "crl.pem, which .chartseal authority crl. makes anew: .*too old" \
    card provision --batch "$work/doctors.csv" --dir "$work/cards" --authority "$work/board" --timeout 1

say "$many cards"
begun=$SECONDS
batch --timeout 12
feed 0 $(seq 1 2 "$many") &
left=$!
feed 1 $(seq 2 2 "$many")
wait "$left"
status=0
wait "$batch_pid" || status=$?
took=$((SECONDS - begun))
failing=$((many / 20))
[ "$status" -ne 0 ] || fail "a batch with $failing that failed ends well"
failed=$(jq -s 'map(select(.id and (.ok | not))) | length' "$work/results")
[ "$failed" -eq "$failing" ] || fail "$failed failed, not $failing: $(grep '"ok":false' "$work/results")"
[ "$(jq -s 'map(select(.id)) | length' "$work/results")" -eq "$many" ] || fail "not a line for each card"
[ "$(jq -s 'map(select(.ok and .step == "finished")) | length' "$work/results")" -eq $((many - failing)) ] ||
    fail "not all others are finished"
[ "$(jq -r 'select(.id | not) | .error.code' "$work/results")" = timeout ] || fail "the end is not told"
say "$many cards, $failing of which failed, in $took s"

say "the failed ones again: the same cards"
batch --timeout 12
for ((card = 19; card <= many; card += 20)); do
    hand "$card" 0
done
wait "$batch_pid" || fail "the batch did not end well: $(cat "$work/results" "$work/log/batch.err")"
[ "$(jq -s 'map(select(.ok)) | length' "$work/results")" -eq "$failing" ] || fail "others were made again"
[ "$(find "$work/cards" -mindepth 1 -maxdepth 1 | wc -l)" -eq "$many" ] || fail "not a directory for each"
[ "$(cat "$work"/cards/*/record | grep -c '^done finished$')" -eq "$many" ] || fail "not all are finished"
[ "$(cat "$work"/cards/*/record | sed -n 's/^serial //p' | sort -u | wc -l)" -eq "$many" ] || fail "a card twice"
[ "$(cat "$work"/cards/*/record | grep -e '^pin ' | sort -u | wc -l)" -gt $((many - 3)) ] || fail "PINs repeat"
for dir in "$work"/cards/*; do
    [ "$(stat -c %a "$dir/pin-letter.txt" "$dir/record" | sort -u)" = 600 ] || fail "modes in $dir"
    [ -s "$dir/sheet.txt" ] || fail "$dir has no sheet"
    if grep -q -F "$(sed -n 's/^pin //p' "$dir/record")" "$dir/sheet.txt"; then fail "a PIN on a sheet"; fi
    openssl verify -CAfile "$work/board/certificate.pem" "$dir/sign.pem" >/dev/null || fail "$dir/sign.pem"
done
say "once more: nothing is left to do"
batch
wait "$batch_pid" || fail "a finished batch does not end well"
[ ! -s "$work/results" ] || fail "it made something"

say "certificates that those whom the desk trusts have not issued are not written"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=other" \
    -keyout "$work/other.key" -out "$work/other.pem" 2>/dev/null
printf 'D-X,Dr. X\n' >"$work/doctors.csv"
batch --trust "$work/other.pem" --timeout 6
hand 9001 0
wait "$batch_pid" && fail "a batch of certificates that are refused ends well"
jq -r 'select(.id == "D-X") | .error' "$work/results" | grep -q "the certificate to sign" ||
    fail "not told: $(cat "$work/results")"
[ "$(sed -n 's/^done //p' "$work/cards/D-X/record")" != finished ] || fail "the card is finished"
batch --timeout 12
hand 9001 0
wait "$batch_pid" || fail "not gone on with by the authority's own certificate: $(cat "$work/results")"
