# shellcheck shell=bash disable=SC2154 # chartseal, work, module: of who sources it
# SPDX-License-Identifier: Apache-2.0
#
# Ceremonies, for the tests that hold some; to be sourced after parties.sh.
# shellcheck disable=SC2154 # what parties.sh sets

# ceremony NAME ROLE NEEDED OPERATORS [OPTION...]: one run, with the token NAME, the home
# $work/NAME, shares in $work/shares-NAME; of NAME.example, or who ids says
ceremony() {
    local name=$1 role=$2 needed=$3 operators=$4 own=()
    shift 4
    [ "$role" = cloud ] || own=(--cloud-file "$work/cloud/cloud.cbor")
    mkdir -p "$work/shares-$name"
    "${prefix[@]}" "$chartseal" "$role" ceremony --dir "$work/$name" --id "${ids[$name]:-$name.example}" \
        --module "$module" --label "$name" --operators "$operators" --needed "$needed" \
        --pin-file "$work/$name.pin" --authority "$work/board/certificate.pem" \
        --crl "$work/board/crl.pem" --listen "127.0.0.1:${ports[$name]:=$(free_port)}" \
        "${own[@]}" "$@"
}
prefix=(env)
declare -A ports=() ids=()

hand_out() { # as ceremony
    ceremony "$@" --share-dirs "$work/shares-$1" --json
}

shares() { # NAME KIND NUMBER...: the files, with commas between
    local name=$1 kind=$2 number list=
    shift 2
    for number in "$@"; do list+=,$work/shares-$name/operator-$number.$kind; done
    echo "${list#,}"
}

both() { # NAME NUMBER...: shares of both PINs
    local name=$1
    shift
    echo "$(shares "$name" user-pin "$@"),$(shares "$name" so-pin "$@")"
}

refused_ceremony() { # STATUS TEXT, then as ceremony
    local wanted=$1 text=$2 status=0
    shift 2
    ceremony "$@" >"$work/refused.out" 2>"$work/refused.err" || status=$?
    [ "$status" -eq "$wanted" ] ||
        fail "status $status, not $wanted: ceremony $*: $(cat "$work/refused.err")"
    grep -qi -- "$text" "$work/refused.err" || fail "no '$text' in: $(cat "$work/refused.err")"
}

combine() { # NAME NUMBER...: its PIN into $work/NAME.pin
    local name=$1
    shift
    cs token combine --shares "$(shares "$name" user-pin "$@")" --out "$work/$name.pin" \
        --on-disk >/dev/null
}

transcript() { # NAME [OPTION...]
    local name=$1
    shift
    cs token transcript --file "$work/$name/ceremony.transcript" "$@"
}

is_made() { # NAME: the home opens with the PIN of the shares, all keys are where they should be
    transcript "$1" --json >"$work/transcript.json"
    cs token audit --dir "$work/$1" --json >"$work/audit.json"
    jq -e '.exposed == 0 and
        all(.keys[]; (.local and .never_extractable) or (.left == "backup") or (.left == "restored"))' \
        "$work/audit.json" >/dev/null || fail "the audit of $1: $(cat "$work/audit.json")"
    [ "$(jq '[.entries[] | select(.step == "audit").keys[].label] | sort' "$work/transcript.json")" = \
        "$(jq '[.keys[].name] | sort' "$work/audit.json")" ] ||
        fail "$1 has other keys than its transcript says"
}

forget_token() { # LABEL: SoftHSM's token of that label, if there is one
    softhsm2-util --delete-token --token "$1" >/dev/null 2>&1 || true
}

