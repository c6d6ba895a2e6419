/* SPDX-License-Identifier: Apache-2.0 */
#include <chartseal/secret.h>

#include <errno.h>
#include <openssl/crypto.h>
#include <sodium.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

void *cs_secret_new(size_t n)
{
    void *p;

    /* sodium_init is idempotent and thread-safe; a program may come here before it hardens itself
     */
    if (n == 0 || sodium_init() < 0)
        return NULL;
    p = sodium_malloc(n);
    if (p != NULL)
        memset(p, 0, n);
    return p;
}

void cs_secret_free(void *address_of_pointer)
{
    void *p;

    memcpy(&p, address_of_pointer, sizeof p);
    sodium_free(p);
    p = NULL;
    memcpy(address_of_pointer, &p, sizeof p);
}

/* What OpenSSL keeps of our scalars and keys goes here too. Powers of two, as it wants them. */
#define SECURE_HEAP_SIZE 262144
#define SECURE_HEAP_SMALLEST 32

int cs_harden_process(cs_error *error)
{
    const struct rlimit none = {0, 0};

    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return CS_FAIL(
            error, CS_E_INTERNAL, "core dumps cannot be switched off: %s", strerror(errno));
    /* 2: made, but the limits do not let it be locked, as with sodium_malloc */
    if (!CRYPTO_secure_malloc_initialized() &&
        CRYPTO_secure_malloc_init(SECURE_HEAP_SIZE, SECURE_HEAP_SMALLEST) == 0)
        return CS_FAIL(error, CS_E_INTERNAL, "OpenSSL's secure heap cannot be made");
    if (sodium_init() < 0)
        return CS_FAIL(error, CS_E_INTERNAL, "libsodium does not start: no random numbers here");
    return CS_OK;
}
