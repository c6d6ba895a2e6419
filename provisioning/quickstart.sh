#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# From a fresh checkout to a visit at the doctor's, with every key in a software token.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'TEXT'
usage: provisioning/quickstart.sh [--no-install]

Installs what Chartseal needs, builds it into build/release and runs its demonstration: a medical
authority, a public cloud, a hospital, a doctor and a patient, each with a token of its own, and one
visit from consent to the filed diagnosis. May be run again; changes nothing outside of build/.

  --no-install  install no packages
TEXT
}

install=yes
for argument in "$@"; do
    case $argument in
    -h | --help) usage && exit 0 ;;
    --no-install) install= ;;
    *)
        echo "quickstart.sh: unknown option '$argument'" >&2
        usage >&2
        exit 2
        ;;
    esac
done

record=tests/data/patient.json
program=build/release/chartseal

if [ -n "$install" ]; then
    provisioning/packages.sh build run
fi

echo "building $program"
log=build/release.log
mkdir -p build
if ! { cmake --preset release && cmake --build --preset release; } >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "quickstart.sh: the build failed; all of it is in $log" >&2
    exit 1
fi

echo "running $program demo --record $record"
"$program" demo --record "$record"

cat <<TEXT

That was everybody on one machine. Next:
  $program --help           the commands of each party
  docs/deployment.md                  each party for real, with an HSM or a card
  docs/protocol.md                    what went over the wire, and why
TEXT
