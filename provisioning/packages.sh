#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The Debian packages that Chartseal needs: the one place where they are listed.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: packages.sh [--list] SET...

Installs the Debian packages of each SET that are not installed yet. Sets:
  build   to compile and install Chartseal
  run     to use it: a software token (SoftHSM), and the tools around PKCS#11 and TPMs
  test    to run its tests
  lint    to check its sources

  --list  print the names, install nothing

Needs root or sudo, and only if something is missing.
TEXT
}

packages_of() {
    case $1 in
    build) echo build-essential cmake ninja-build pkg-config libssl-dev libsodium-dev \
        libp11-kit-dev libtss2-dev libcbor-dev libsqlite3-dev libmicrohttpd-dev libcurl4-openssl-dev \
        libjansson-dev libfec-dev libykpiv-dev libqrencode-dev ;;
    run) echo softhsm2 p11-kit p11-kit-modules opensc pcscd libccid libtss2-tcti-device0 tpm2-tools \
        sqlite3 ;;
    test) echo libcmocka-dev jq sqlite3 openssl curl python3 procps swtpm libtss2-tcti-swtpm0 tpm2-tools \
        tpm2-openssl tpm2-abrmd libtss2-tcti-tabrmd0 dbus-daemon opensc opensc-pkcs11 pcscd \
        libpcsclite-dev vsmartcard-vpcd iproute2 yubico-piv-tool ;;
    lint) echo clang clang-format clang-tidy cppcheck shellcheck groff-base ;;
    *) echo "packages.sh: no set named '$1'; the sets are build, run, test and lint" >&2
        return 2 ;;
    esac
}

fail() {
    echo "packages.sh: $*" >&2
    exit 1
}

missing_of() {
    local name
    for name in "$@"; do
        if [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" != installed ]; then
            echo "$name"
        fi
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    elif [ -t 0 ]; then
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo -n env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

install_packages() {
    as_root apt-get install -y -q --no-install-recommends "$@" </dev/null
}

known_to_apt() {
    [ "$(apt-cache policy "$@" | grep -c 'Candidate: [^(]')" -eq $# ]
}

list=
names=()
for argument in "$@"; do
    case $argument in
    -h | --help) usage && exit 0 ;;
    --list) list=yes ;;
    *)
        set_names=$(packages_of "$argument") || exit 2
        read -ra set_names <<<"$set_names"
        names+=("${set_names[@]}")
        ;;
    esac
done
if [ ${#names[@]} -eq 0 ]; then
    usage >&2
    exit 2
fi
if [ -n "$list" ]; then
    printf '%s\n' "${names[@]}"
    exit 0
fi

command -v dpkg-query >/dev/null ||
    fail "this is no Debian system; install the equivalents of: ${names[*]}"
mapfile -t missing < <(missing_of "${names[@]}")
if [ ${#missing[@]} -eq 0 ]; then
    echo "packages: all ${#names[@]} are installed"
    exit 0
fi
if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
    fail "missing: ${missing[*]}
Installing them needs root, and there is no sudo. As root: apt-get install ${missing[*]}"
fi

echo "packages: installing ${missing[*]}"
if known_to_apt "${missing[@]}" && install_packages "${missing[@]}"; then
    exit 0
fi
# No package lists yet, or lists older than what the mirror still has.
echo "packages: fetching the package lists"
as_root apt-get update -q </dev/null || fail "apt-get update failed; look at the network and the mirror"
install_packages "${missing[@]}" ||
    fail "apt-get could not install ${missing[*]}; its reason is above"
