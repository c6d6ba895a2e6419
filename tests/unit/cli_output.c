/* SPDX-License-Identifier: Apache-2.0 */
/* What the command says of things, in one place for all verbs. */
#include "test.h"

#include "cli/output.h"

#include <string.h>

/* How each key is held, which the README promises: with software tokens a demo shows two of these
 * alone, so the names are tested here. */
static void test_delivery(void **state)
{
    const struct {
        cs_key_info info;
        const char *name;
    } cases[] = {
        {{.custody = CS_CUSTODY_TOKEN, .local = true, .use = CS_USE_SIGN, .public_key_size = 65},
            "generated"},
        {{.custody = CS_CUSTODY_TOKEN, .local = true, .use = CS_USE_PRF}, "generated"},
        {{.custody = CS_CUSTODY_TOKEN, .use = CS_USE_SCALAR, .public_key_size = 32}, "lifted"},
        {{.custody = CS_CUSTODY_TOKEN, .use = CS_USE_SCALAR, .public_key_size = 33}, "wrapped"},
        {{.custody = CS_CUSTODY_TOKEN,
             .use = CS_USE_SCALAR,
             .public_key_size = 33,
             .uri = "tpm2:file=keys/scalar.pem"},
            "duplicated"},
        {{.custody = CS_CUSTODY_SEALED, .use = CS_USE_SCALAR, .public_key_size = 33}, "sealed"},
        /* a sealed one is described by the key that it is sealed to, which was made in the token */
        {{.custody = CS_CUSTODY_SEALED, .use = CS_USE_SCALAR, .local = true}, "sealed"},
        {{.custody = CS_CUSTODY_TOKEN, .use = CS_USE_SIGN, .public_key_size = 65}, "imported"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(cs_key_delivery(&cases[i].info), cases[i].name);
}

static void test_printable(void **state)
{
    char out[8];

    (void)state;
    assert_string_equal(cs_printable(out, sizeof out, "a\033[2Jb"), "a?[2Jb");
    assert_string_equal(cs_printable(out, sizeof out, "0123456789"), "0123456");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivery),
        cmocka_unit_test(test_printable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
