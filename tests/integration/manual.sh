#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The manual has every party, verb and option that the help tells of.
# usage: manual.sh CHARTSEAL
set -euo pipefail
chartseal=${1:?path of the command}
manual=$(sed 's/\\f[A-Z]//g; s/\\//g' "$(dirname "$0")/../../docs/man/chartseal.1")
lacking=0
looked=0

want() {
    looked=$((looked + 1))
    if ! grep -qE -e "$1([^a-z-]|\$)" <<<"$manual"; then
        echo "FAILED: the manual lacks '$1'" >&2
        lacking=$((lacking + 1))
    fi
}

options_of() {
    "$chartseal" "$@" --help | grep -oE '^ +--[a-z0-9-]+' | tr -d ' '
}

words_of() { # the first word or two of the indented lines before the first option
    "$chartseal" "$@" --help | sed -n '/^ *--/q; s/^  \([a-z]*\( [a-z]*\)\?\)  .*/\1/p'
}

for party in authority cloud hospital doctor patient token card audit; do
    while read -ra verb; do
        want "chartseal $party ${verb[*]}"
        for option in $(options_of "$party" "${verb[@]}"); do want "$option"; done
    done < <(words_of "$party")
done
want "chartseal demo telecare"
for option in $(options_of demo) $(options_of demo telecare); do want "$option"; done
[ "$looked" -gt 100 ] || { echo "FAILED: only $looked things were looked for" >&2 && exit 1; }
[ "$lacking" -eq 0 ]
