# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# shellcheck disable=SC2154,SC2004 # $work, fail and the associative $pids are those of parties.sh
#
# Simulated TPMs for the tests of the running parties; to be sourced after parties.sh. Each is a
# swtpm of its own on a free port, with its state in $work/NAME.tpm and keys in $work/NAME.keys.

for tool in swtpm tpm2_dictionarylockout; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: $tool is not installed (Debian: swtpm, libtss2-tcti-swtpm0, tpm2-tools)"
        exit 77
    fi
done

free_port_pair() { # it and the next one are free; below the ports that the system hands out
    python3 - <<'PYTHON'
import random, socket
while True:
    port = random.randrange(12000, 30000, 2)
    try:
        for p in port, port + 1:
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", p))
            s.close()
        break
    except OSError:
        pass
print(port)
PYTHON
}

# run_tpm NAME STATE PORT: until it answers
run_tpm() {
    local name=$1 i
    tpm_ports[$name]=$3
    swtpm socket --tpm2 --tpmstate "dir=$2" --server "type=tcp,port=$3" \
        --ctrl "type=tcp,port=$(($3 + 1))" --flags not-need-init,startup-clear >/dev/null 2>&1 &
    pids[tpm-$name]=$!
    for ((i = 0; i < 200; i++)); do
        if (: >"/dev/tcp/127.0.0.1/$3") 2>/dev/null; then return 0; fi
        kill -0 "${pids[tpm-$name]}" 2>/dev/null || break
        sleep 0.05
    done
    fail "the TPM of $name does not start"
}

make_tpm() { # NAME: of a home; uri NAME is it from now on
    mkdir -m 700 "$work/$1.tpm" "$work/$1.keys"
    run_tpm "$1" "$work/$1.tpm" "$(free_port_pair)"
}

tpm_uri() { # NAME
    echo "tpm2:dir=$work/$1.keys?tcti=$(tcti "$1")"
}

tcti() { # NAME
    echo "swtpm:host=127.0.0.1,port=${tpm_ports[$1]}"
}

tpm_tries() { # NAME: wrong ones that it has counted
    echo $(($(tpm2_getcap -T "$(tcti "$1")" properties-variable |
        awk '$1 == "TPM2_PT_LOCKOUT_COUNTER:" { print $2 }')))
}

kill_tpm() { # NAME: as a power cut would
    kill_hard "tpm-$1"
}

# The same state on the same port. A TPM counts a power cut as a wrong try, and has few.
restart_tpm() { # NAME
    run_tpm "$1" "$work/$1.tpm" "${tpm_ports[$1]}"
    tpm2_dictionarylockout -T "$(tcti "$1")" --clear-lockout
}

# A patient whose keys are in a TPM, under a passphrase, registered.
make_tpm_patient() { # DIR ID
    make_tpm "$1"
    echo "passphrase of $2" >"$work/$1.phrase"
    cs patient init --dir "$work/$1" --id "$2" --token "$(uri "$1")" \
        --passphrase-file "$work/$1.phrase" --cloud-file "$work/cloud/cloud.cbor" \
        --authority "$work/board/certificate.pem" --crl "$work/board/crl.pem" >/dev/null
    enrol patient "$2"
    register_patient "$1" "$2"
}
