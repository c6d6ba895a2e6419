#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs a build into an empty prefix, moves it, and compiles and runs a program against it with
# nothing but what pkg-config says.
set -euo pipefail
build=${1:?usage: install.sh BUILD-DIRECTORY}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${CMAKE:-cmake}" --install "$build" --prefix "$work/first" >"$work/install.log"
mv "$work/first" "$work/prefix"
cd "$work"

cat >program.c <<'TEXT'
#include <chartseal/crypto.h>
#include <chartseal/secret.h>
#include <stdio.h>

int main(void)
{
    uint8_t hash[CS_HASH_SIZE];
    char hex[2 * CS_HASH_SIZE + 1];
    cs_error error = {0};

    if (cs_harden_process(&error) != CS_OK || cs_hash(hash, cs_view_str("abc"), &error) != CS_OK)
        return 1;
    cs_hex((cs_view){hash, sizeof hash}, hex);
    return puts(hex) < 0;
}
TEXT

PKG_CONFIG_PATH=$(dirname "$(find prefix -name chartseal.pc)")
export PKG_CONFIG_PATH
read -ra flags <<<"$(pkg-config --cflags --libs chartseal)"
if [ "${SANITIZE:-OFF}" = ON ]; then
    flags+=("-fsanitize=address,undefined")
fi
"${CC:-cc}" -std=c11 -Wall -Werror program.c "${flags[@]}" -o program

expected=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
printed=$(./program)
if [ "$printed" != "$expected" ]; then
    echo "the program printed '$printed', not SHA-256(\"abc\")" >&2
    exit 1
fi
for name in include/chartseal/error.h share/man/man1/chartseal.1 bin/chartseal; do
    if [ ! -s "prefix/$name" ]; then
        echo "not installed: $name" >&2
        exit 1
    fi
done
version=$(prefix/bin/chartseal --version)
case $version in
*"$(pkg-config --modversion chartseal)"*) ;;
*)
    echo "chartseal --version says '$version', pkg-config $(pkg-config --modversion chartseal)" >&2
    exit 1
    ;;
esac
