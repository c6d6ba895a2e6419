/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CRYPTO_OPENSSL_FAIL_H
#define CHARTSEAL_CRYPTO_OPENSSL_FAIL_H

/*
 * What to say when OpenSSL fails where no input can be at fault: memory, or its configuration. Its
 * own queue of errors is emptied, so that it is not mistaken for the cause of a later failure.
 */

#include <chartseal/error.h>

#include <openssl/err.h>

#define CS_OPENSSL_FAIL(error, what)                                                               \
    (ERR_clear_error(), CS_FAIL((error), CS_E_INTERNAL,                                            \
                            "OpenSSL cannot %s; see that memory is free and its default provider " \
                            "loads",                                                               \
                            (what)))

#endif
