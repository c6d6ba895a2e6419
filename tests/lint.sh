#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Style and analysis of everything that is tracked. Every check runs, then the verdict is given.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

LINES_PER_FILE=800
LINES_PER_FUNCTION=80

usage() {
    cat <<'TEXT'
usage: tests/lint.sh [--fast]

  --fast  leave out clang-tidy and cppcheck

clang-tidy reads the compile commands of build/dev, which is configured if it is missing.
TEXT
}

fast=
for argument in "$@"; do
    case $argument in
    -h | --help) usage && exit 0 ;;
    --fast) fast=yes ;;
    *)
        echo "tests/lint.sh: unknown option '$argument'" >&2
        usage >&2
        exit 2
        ;;
    esac
done

# The tracked files that match; in an unpacked archive, all that are not built.
files() {
    {
        if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
            git ls-files -- "$@"
        else
            local pattern tests=()
            for pattern in "$@"; do
                tests+=(-o -path "*/${pattern#\*}" -o -name "$pattern")
            done
            find . -path ./build -prune -o -type f \( "${tests[@]:1}" \) -print | sed 's,^\./,,'
        fi
    } | while read -r name; do
        if [ -f "$name" ]; then echo "$name"; fi
    done
}

mapfile -t sources < <(files '*.c' '*.h')
mapfile -t units < <(files '*.c' | grep -v '^tests/fuzz/')
mapfile -t scripts < <(files '*.sh' .ci/run)
jobs=$(nproc)
failed=()

# check NAME COMMAND…: COMMAND fails, or prints complaints, or both.
check() {
    local name=$1 output started=$SECONDS
    shift
    if output=$("$@" 2>&1) && [ -z "$output" ]; then
        echo "lint: $name: clean ($((SECONDS - started)) s)"
    else
        echo "lint: $name: FAILED"
        printf '%s\n' "$output"
        failed+=("$name")
    fi
}

licence_lines() {
    local name
    while read -r name; do
        head -n 2 "$name" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
            echo "$name: no SPDX line in its first two lines"
    done < <(files '*.c' '*.h' '*.sh' '*.cmake' 'CMakeLists.txt' '*/CMakeLists.txt' .ci/run)
}

file_lengths() {
    local name n
    for name in "${sources[@]}"; do
        n=$(wc -l <"$name")
        if [ "$n" -gt $LINES_PER_FILE ]; then echo "$name: $n lines, over $LINES_PER_FILE"; fi
    done
}

# With the brace style of .clang-format a function is what lies between a { and a } in column 1.
function_lengths() {
    awk -v most=$LINES_PER_FUNCTION '
        FNR == 1 { begin = 0 }
        /^[a-z].*\(/ { name = $0 }
        /^\{/ { begin = FNR }
        /^\}/ && begin {
            if (FNR - begin + 1 > most)
                printf "%s:%d: %d lines, over %d: %s\n", FILENAME, begin, FNR - begin + 1, most, name
            begin = 0
        }' "${units[@]}"
}

# Data flows one way: what each room may include besides itself.
declare -A may_include=(
    [base]=""
    [crypto]="base"
    [wire]="base crypto"
    [token]="base crypto"
    [pkcs11]="base crypto token"
    [tpm]="base crypto token"
    [protocol]="base crypto wire token"
    [store]="base crypto"
    [service]="base crypto wire token protocol store"
    [piv]="base crypto"
    [cli]="base crypto wire token protocol store service piv"
)
# The room of a public header.
declare -A room_of_header=(
    [error]=base [bytes]=base [secret]=base
    [crypto]=crypto [group]=crypto [hpke]=crypto [duplicate]=crypto [tpm_statement]=crypto [stream]=crypto
    [certificate]=crypto [ocsp]=crypto [biometric]=crypto
    [token]=token [wire]=wire
    [party]=protocol [registration]=protocol [session]=protocol [consultation]=protocol
    [search]=protocol [at_rest]=protocol [telecare]=protocol [wire_telecare]=wire
)

room_of_file() {
    case $1 in
    src/*/*) echo "$1" | cut -d/ -f2 ;;
    pkcs11/*) echo pkcs11 ;;
    tpm/*) echo tpm ;;
    provisioning/piv/*) echo piv ;;
    esac
}

room_of_include() {
    local path=$1 header
    case $path in
    chartseal/*)
        header=$(basename "$path" .h)
        echo "${room_of_header[$header]:-$header}"
        ;;
    */*) echo "${path%%/*}" ;;
    esac
}

include_direction() {
    local line name room path target
    grep -HoE '^#include [<"][a-z0-9_]+/[a-z0-9_/.-]+[>"]' "${sources[@]}" |
        while IFS= read -r line; do
            name=${line%%:*}
            path=${line#*[<\"]}
            path=${path%[>\"]}
            room=$(room_of_file "$name")
            target=$(room_of_include "$path")
            if [ -z "$room" ] || [ -z "$target" ] || [ "$room" = "$target" ]; then continue; fi
            if [[ $path == chartseal/* && -z ${may_include[$target]+known} ]]; then
                echo "$path: name its room in tests/lint.sh"
            fi
            if [ -z "${may_include[$target]+known}" ]; then continue; fi # a library's header
            case " ${may_include[$room]} " in
            *" $target "*) ;;
            *) echo "$name: $room may not include $path" ;;
            esac
        done
}

# forbid WHY REGEX FILE…: no line of the files may match.
forbid() {
    local why=$1 regex=$2
    shift 2
    if [ $# -gt 0 ]; then grep -HnE "$regex" "$@" | sed "s|\$|   <- $why|"; fi
}

outside_of() {
    printf '%s\n' "${sources[@]}" | grep '^src/\|^pkcs11/\|^tpm/\|^provisioning/' | grep -Ev "^($1)/"
}

seams() {
    local pure others
    mapfile -t pure < <(files 'src/protocol/*' 'src/wire/*' | grep '\.[ch]$')
    forbid "protocol/ and wire/ do no I/O and keep no clock" \
        '(^|[^>.A-Za-z0-9_])(fopen|open|openat|read|write|socket|connect|time|clock_gettime|gettimeofday|getenv|printf|puts|system|popen)\(' \
        "${pure[@]}"
    mapfile -t others < <(outside_of src/store)
    forbid "SQLite is behind store.h" '^#include <sqlite3' "${others[@]}"
    mapfile -t others < <(outside_of pkcs11)
    forbid "PKCS#11 is behind token.h" '^#include <p11-kit' "${others[@]}"
    mapfile -t others < <(outside_of tpm)
    forbid "TPMs are behind token.h" '^#include <tss2' "${others[@]}"
    mapfile -t others < <(outside_of provisioning/piv)
    forbid "PIV cards are behind piv.h" '^#include <ykpiv' "${others[@]}"
    mapfile -t others < <(outside_of 'src/service|src/cli')
    forbid "HTTP is in service/" '^#include <(microhttpd|curl)' "${others[@]}"
    return 0
}

unfinished() {
    forbid "unfinished work is not committed" '\b(TO''DO|FIX''ME|XX''X)\b' "${sources[@]}" "${scripts[@]}"
    return 0
}

shell_syntax() {
    local name status=0
    for name in "${scripts[@]}"; do bash -n "$name" || status=1; done
    return $status
}

manual_pages() {
    local name
    while read -r name; do groff -man -ww -z -Tutf8 "$name"; done < <(files 'docs/man/*.1')
}

# One line for each file: the mending is `clang-format -i`, whatever is wrong in it.
format() {
    clang-format --dry-run -Werror "${sources[@]}" 2>&1 |
        sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: error:.*/\1: not formatted; clang-format -i does it/p' |
        sort -u
}

# What clang-tidy says of one source, less its counts; gathered first, since several run at once and
# would write into each other's lines. clang knows fewer names of warnings than gcc, whose command
# lines these are.
tidy_one() {
    local output status
    output=$(clang-tidy -p build/dev --quiet --extra-arg=-Wno-unknown-warning-option "$1" 2>&1)
    status=$?
    printf '%s\n' "$output" | grep -vE '^[0-9]+ warnings? (generated|treated)|^$|^Suppressed '
    return $status
}
export -f tidy_one

tidy() {
    [ -f build/dev/compile_commands.json ] || cmake --preset dev >/dev/null || return 1
    # A source that no target compiles has no compile command, and nothing to be checked with.
    for name in "${units[@]}"; do
        if grep -qF "\"file\": \"$PWD/$name\"" build/dev/compile_commands.json; then
            echo "$name"
        fi
    done | xargs -r -P "$jobs" -I '{}' bash -c 'tidy_one {}'
}

analyse() {
    # readdir on a stream of its own is safe with threads in glibc, and readdir_r is deprecated
    cppcheck -j "$jobs" --suppress=readdirCalled --std=c11 --quiet --error-exitcode=1 --inline-suppr --library=posix \
        --enable=warning,performance,portability --suppress=missingIncludeSystem \
        -D_GNU_SOURCE -I include -I src -I provisioning -I tests/support "${units[@]}"
}

check "licence lines" licence_lines
check "lengths of files" file_lengths
check "lengths of functions" function_lengths
check "direction of includes" include_direction
check "seams" seams
check "unfinished work" unfinished
check "shell syntax" shell_syntax
check "shellcheck" shellcheck "${scripts[@]}"
check "manual pages" manual_pages
check "format" format
if [ -z "$fast" ]; then
    check "cppcheck" analyse
    check "clang-tidy" tidy
fi

if [ ${#failed[@]} -gt 0 ]; then
    (
        IFS=,
        echo "lint: failed: ${failed[*]}" >&2
    )
    exit 1
fi
echo "lint: clean"
