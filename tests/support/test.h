/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_H
#define CHARTSEAL_TEST_H

/* What every test program includes: cmocka in its required order, and two assertions of ours. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <chartseal/bytes.h>

/* The call succeeds; otherwise its message is shown. */
#define assert_ok(call)                                                                            \
    do {                                                                                           \
        cs_error assert_error = {0};                                                               \
        cs_error *error = &assert_error;                                                           \
        int assert_rc = (call);                                                                    \
        if (assert_rc != CS_OK)                                                                    \
            fail_msg("%s: %s (%s:%d)", #call, assert_error.message,                                \
                assert_error.file == NULL ? "?" : assert_error.file, assert_error.line);           \
        (void)error;                                                                               \
    } while (0)

/* The call fails with that code; `error` may be used inside the call, in both macros. */
#define assert_fails(code_wanted, call)                                                            \
    do {                                                                                           \
        cs_error assert_error = {0};                                                               \
        cs_error *error = &assert_error;                                                           \
        int assert_rc = (call);                                                                    \
        if (assert_rc != (int)(code_wanted))                                                       \
            fail_msg("%s: wanted %s, got %s (%s)", #call, cs_code_name(code_wanted),               \
                cs_code_name(assert_rc), assert_error.message);                                    \
        (void)error;                                                                               \
    } while (0)

#endif
