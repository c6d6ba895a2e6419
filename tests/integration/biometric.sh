#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The biometric password from init to registration: an eye, another scan of it, another eye, a
# passphrase, and what is left in the home.
# usage: biometric.sh CHARTSEAL
# shellcheck source=tests/integration/parties.sh
. "$(dirname "$0")/parties.sh" "$1" biometric

try_init() { # DIR OPTION...: the arguments of init, for refused and cs
    init=(patient init --dir "$work/$1" --id "$1" --token "$(uri "$1")" --pin-file "$work/pin"
        --cloud-file "$work/cloud/cloud.cbor" --authority "$work/board/certificate.pem" "${@:2}")
}

try_register() { # DIR OPTION...
    register=(patient register --dir "$work/$1" --cloud-url "$cloud_url"
        --code-file "$work/$1.code" "${@:2}")
}

say "founding"
make_world
make_cloud ed25519
start cloud
eyes "$work"
echo 'correct horse' >"$work/phrase"
echo 'battery staple' >"$work/wrong"
for name in P-eye P-late P-phrase; do
    make_token "$name"
    enrol patient "$name"
done

say "what is no biometric password"
try_init P-eye --template "$work/iris" --passphrase-file "$work/phrase"
refused 2 "not both" "${init[@]}"
head -c 255 "$work/iris" >"$work/short"
try_init P-eye --template "$work/short"
refused 3 "256 bytes" "${init[@]}"
head -c 256 /dev/zero >"$work/dark"
try_init P-eye --template "$work/dark"
refused 3 "saw no eye" "${init[@]}"

say "an eye at init"
try_init P-eye --template "$work/iris"
cs "${init[@]}" >/dev/null
[ "$(jq -r .biometric "$work/P-eye/config.json")" = template ] || fail "config.json"
[ "$(stat -c '%a %s' "$work/P-eye/biometric.bin")" = "600 354" ] || fail "biometric.bin"
[ "$(stat -c '%a %s' "$work/P-eye/device.key")" = "600 32" ] || fail "device.key"
cp "$work/P-eye/biometric.bin" "$work/kept"

say "an init that is repeated keeps the enrolment"
rm "$work/P-eye/config.json"
try_init P-eye --template "$work/stranger"
refused 9 "another eye" "${init[@]}"
try_init P-eye --template "$work/scan"
cs "${init[@]}" >/dev/null
cmp "$work/kept" "$work/P-eye/biometric.bin"

say "registration with that eye and no other"
try_register P-eye --template "$work/stranger"
refused 6 "scan again" "${register[@]}"
try_register P-eye --passphrase-file "$work/phrase"
refused 2 "a template was enrolled" "${register[@]}"
try_register P-eye
refused 2 "template FILE" "${register[@]}"
try_register P-eye --template "$work/scan"
printf 'x' | dd of="$work/P-eye/biometric.bin" bs=1 seek=100 conv=notrunc status=none
refused 9 "altered" "${register[@]}"
cp "$work/kept" "$work/P-eye/biometric.bin"
cs "${register[@]}" >/dev/null
[ -s "$work/P-eye/credential.cbor" ] || fail "no credential"

say "an eye at registration only"
try_init P-late
cs "${init[@]}" >/dev/null
[ ! -e "$work/P-late/biometric.bin" ] || fail "enrolled nothing, and kept something"
try_register P-late --template "$work/iris"
cs "${register[@]}" >/dev/null
[ "$(jq -r .biometric "$work/P-late/config.json")" = template ] || fail "config.json"
try_register P-late --template "$work/stranger"
refused 6 "scan again" "${register[@]}"
try_register P-late --template "$work/scan"
cs "${register[@]}" >/dev/null
cmp -s "$work/P-late/device.key" "$work/P-eye/device.key" && fail "one key for two devices"

say "a passphrase at init"
try_init P-phrase --passphrase-file "$work/phrase"
cs "${init[@]}" >/dev/null
[ "$(stat -c '%a %s' "$work/P-phrase/biometric.bin")" = "600 98" ] || fail "biometric.bin"
try_register P-phrase --passphrase-file "$work/wrong"
refused 6 "type it again" "${register[@]}"
try_register P-phrase --passphrase-file "$work/phrase"
cs "${register[@]}" >/dev/null

say "no home has an eye or a passphrase in it"
python3 - "$work" <<'PYTHON'
import glob, os, sys
work = sys.argv[1]
secrets = [open(work + "/" + n, "rb").read()[:13] for n in ("iris", "scan", "phrase")]
files = [f for f in glob.glob(work + "/P-*/*") if os.path.isfile(f)]
assert len(files) > 20, files
found = [f for f in files for s in secrets if s in open(f, "rb").read()]
assert not found, found
PYTHON
stop cloud
say "done"
