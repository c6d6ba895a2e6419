#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Every check there is, from a fresh checkout: packages, lint, build with sanitizers, tests.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'TEXT'
usage: tests/run.sh [--no-install] [--no-lint] [--label LABEL]

  --no-install   install no packages
  --no-lint      leave out tests/lint.sh
  --label LABEL  only the tests of that label: unit, kat, tpm, piv, protocol, integration
TEXT
}

install=yes
lint=yes
label=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --no-install) install= ;;
    --no-lint) lint= ;;
    --label)
        label=${2:?tests/run.sh: --label needs a label}
        shift
        ;;
    *)
        echo "tests/run.sh: unknown option '$1'" >&2
        usage >&2
        exit 2
        ;;
    esac
    shift
done

sets=(build run test)
if [ -n "$lint" ]; then
    sets+=(lint)
fi
if [ -n "$install" ]; then
    provisioning/packages.sh "${sets[@]}"
fi

echo "configuring and building build/dev"
cmake --preset dev >/dev/null </dev/null
cmake --build --preset dev </dev/null
lint_status=0
if [ -n "$lint" ]; then
    tests/lint.sh || lint_status=$?
fi

# What sanitizers hide: the memory that a large record takes, as it is built for use.
large_status=0
if [ -z "$label" ]; then
    echo "configuring and building build/release, for a record of 1 GiB"
    cmake --preset release >/dev/null </dev/null
    cmake --build --preset release </dev/null >/dev/null
    tests/integration/large.sh build/release/chartseal 1024 || large_status=$?
fi

selection=()
if [ -n "$label" ]; then
    selection=(-L "^$label\$")
fi
# A complaint of lint, or of the large record, does not keep the tests from running; it is in the exit
# status.
ctest --preset dev -j "$(nproc)" --no-tests=error "${selection[@]}" </dev/null
exit $((lint_status != 0 ? lint_status : large_status))
