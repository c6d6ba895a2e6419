# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Sourced after cards.sh: assertions, and the end of a script: cards ejected, $work removed.

: "${work:?}" "${readers[@]:?}"
failures=0

finish() {
    local status=$?
    for pid in "${card_pids[@]:-}"; do
        if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; fi
    done
    rm -rf "$work"
    if [ "$status" -eq 0 ] && [ "$failures" -gt 0 ]; then
        echo "$failures check(s) failed" >&2
        exit 1
    fi
    exit "$status"
}
trap finish EXIT

# equal WHAT WANTED GOT
equal() {
    if [ "$2" = "$3" ]; then
        echo "ok: $1"
    else
        echo "FAILED: $1: wanted '$2', got '$3'" >&2
        failures=$((failures + 1))
    fi
}
