/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken from the command line, and what is made of a text that is shown. */
#include "test.h"

#include "cli/options.h"
#include "cli/output.h"

#include <stdio.h>
#include <string.h>

static const cs_option options[] = {
    {"record", "ID", false, "a record"},
    {"record-out", "FILE", false, "its file"},
    {"json", NULL, false, "a flag"},
    {"listen", "HOST:PORT", false, "a place"},
    {"timeout", "S", false, "seconds"},
    {0},
};
static const cs_option required[] = {{"dir", "DIR", true, "needed"}, {0}};

static cs_arguments arguments;
static char message[CS_ERROR_MESSAGE_MAX];

#define PARSE(table, ...) parse(table, (const char *[]){__VA_ARGS__, NULL})

static int parse(const cs_option *table, const char *const *words)
{
    char copies[8][64];
    char *argv[9];
    cs_error error = {0};
    bool help = false;
    int argc = 0;
    int rc;

    for (; words[argc] != NULL; argc++) {
        (void)snprintf(copies[argc], sizeof copies[argc], "%s", words[argc]);
        argv[argc] = copies[argc];
    }
    argv[argc] = NULL;
    rc = cs_options_parse(&arguments, table, "party verb", argc, argv, &help, &error);
    (void)snprintf(message, sizeof message, "%s", error.message);
    if (help)
        return 1;
    for (size_t i = 0; i < CS_OPTIONS_MAX; i++) { /* what it points to is gone on return */
        static char kept[CS_OPTIONS_MAX][64];

        if (arguments.values[i] == NULL)
            continue;
        (void)snprintf(kept[i], sizeof kept[i], "%s", arguments.values[i]);
        arguments.values[i] = kept[i];
    }
    return rc;
}

static void assert_usage(int rc, const char *words)
{
    assert_int_equal(rc, CS_E_USAGE);
    if (strstr(message, words) == NULL)
        fail_msg("no '%s' in: %s", words, message);
}

static void test_forms(void **state)
{
    (void)state;
    assert_int_equal(PARSE(options, "--record", "7", "--json", "--record-out=a=b"), CS_OK);
    assert_string_equal(cs_arg(&arguments, "record"), "7");
    assert_string_equal(cs_arg(&arguments, "record-out"), "a=b");
    assert_true(cs_arg_flag(&arguments, "json"));
    assert_null(cs_arg(&arguments, "listen"));
    assert_int_equal(PARSE(options, "--record", "-", "--record-out", "--json"), CS_OK);
    assert_string_equal(cs_arg(&arguments, "record"), "-");
    assert_string_equal(cs_arg(&arguments, "record-out"), "--json");
    assert_false(cs_arg_flag(&arguments, "json"));
    assert_int_equal(PARSE(required, "-h"), 1);
    assert_int_equal(PARSE(required, "--help", "--nonsense"), 1);
}

/* Names are exact, and a complaint names the word that it is about. */
static void test_not_taken(void **state)
{
    (void)state;
    assert_usage(PARSE(options, "--json", "-xy"), "'-xy' is no option");
    assert_usage(PARSE(options, "--jso"), "'--jso' is no option");
    assert_usage(PARSE(options, "--re", "7"), "'--re' is no option");
    assert_usage(PARSE(options, "--record-", "7"), "'--record-' is no option");
    assert_usage(PARSE(options, "--record-o=7"), "'--record-o=7' is no option");
    assert_usage(PARSE(options, "--=7"), "'--=7' is no option");
    assert_usage(PARSE(options, "--", "--json"), "'--' is no option");
    assert_usage(PARSE(options, "--json", "word"), "'word' belongs to no option");
    assert_usage(PARSE(options, "-"), "'-' belongs to no option");
    assert_usage(PARSE(options, ""), "'' belongs to no option");
    assert_usage(PARSE(options, "--json=yes"), "--json takes no value");
    assert_usage(PARSE(options, "--json="), "--json takes no value");
    assert_usage(PARSE(options, "--record"), "--record lacks its value");
    assert_usage(PARSE(options, "--record="), "--record has an empty value");
    assert_usage(PARSE(options, "--record", ""), "--record has an empty value");
    assert_usage(PARSE(options, "--json", "--json"), "--json is given twice");
    assert_usage(PARSE(required, "--dir=x", "--dir", "y"), "--dir is given twice");
}

static void test_missing(void **state)
{
    static const char *const nothing[] = {NULL};

    (void)state;
    assert_int_equal(parse(options, nothing), CS_OK);
    assert_usage(parse(required, nothing), "--dir DIR is missing");
}

static void test_numbers(void **state)
{
    static const char *const bad[] = {
        " 1", "1 ", "+1", "-0", "-1", "0x1", "1e3", "9223372036854775808", "99999999999999999999"};
    int64_t number = 0;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(PARSE(options, "--timeout", bad[i]), CS_OK);
        assert_fails(
            CS_E_USAGE, cs_arg_number(&number, &arguments, "timeout", 5, 0, INT64_MAX, error));
    }
    assert_int_equal(PARSE(options, "--timeout", "0010"), CS_OK);
    assert_ok(cs_arg_number(&number, &arguments, "timeout", 5, 0, 10, error));
    assert_int_equal(number, 10);
    assert_fails(CS_E_USAGE, cs_arg_number(&number, &arguments, "timeout", 5, 0, 9, error));
    assert_fails(CS_E_USAGE, cs_arg_number(&number, &arguments, "timeout", 5, 11, 99, error));
}

static void test_addresses(void **state)
{
    static const char *const bad[] = {
        "host", "host:", ":80", "[]:80", "127.0.0.1:-0", "h:+1", "h: 1", "h:65536", "h:1x"};
    char host[16];
    uint16_t port = 0;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(PARSE(options, "--listen", bad[i]), CS_OK);
        assert_fails(
            CS_E_USAGE, cs_arg_address(&arguments, "listen", host, sizeof host, &port, error));
    }
    assert_int_equal(PARSE(options, "--listen", "[::1]:65535"), CS_OK);
    assert_ok(cs_arg_address(&arguments, "listen", host, sizeof host, &port, error));
    assert_string_equal(host, "::1");
    assert_int_equal(port, 65535);
}

static void test_texts(void **state)
{
    (void)state;
    assert_int_equal(PARSE(options, "--record", "caf\u00e9"), CS_OK);
    assert_ok(cs_arg_text(&arguments, "record", 5, error));
    assert_ok(cs_arg_text(&arguments, "listen", 5, error)); /* not given */
    assert_fails(CS_E_USAGE, cs_arg_text(&arguments, "record", 4, error));
    assert_int_equal(PARSE(options, "--record", "a\u202eb\u202c"), CS_OK);
    assert_fails(CS_E_USAGE, cs_arg_text(&arguments, "record", 64, error));
}

static void assert_shown(const char *text, size_t size, const char *wanted)
{
    char shown[32];

    assert_true(size <= sizeof shown);
    assert_ptr_equal(cs_printable(shown, size, text), shown);
    assert_string_equal(shown, wanted);
}

/* Nobody writes to a terminal with a name, or turns what follows it; and what is shown is UTF-8. */
static void test_printable(void **state)
{
    (void)state;
    assert_shown("Dr. Ek\x1b[31m\n\x7f", 32, "Dr. Ek?[31m??");
    assert_shown("a\xc2\x9b"
                 "31mb\xc2\x85",
        32, "a?31mb?");
    assert_shown("a\u202eb\u2066c\u200fd\u2069\u202c", 32, "a?b?c?d??");
    assert_shown("caf\u00e9 \u75c5\u9662", 32, "caf\u00e9 \u75c5\u9662");
    assert_shown("\xff\xe2\x82", 32, "???");
    assert_shown("caf\u00e9", 5, "caf"); /* cut before what does not fit whole */
    assert_shown("abc", 1, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_not_taken),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_printable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
