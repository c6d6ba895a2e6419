/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every verb of `card` that speaks to a card, cut off at every command: the card refuses it, or is
 * pulled before it or after it, or the program is killed before it or after it. Then the same call
 * again, which has to finish what was begun, or a wipe. With management keys of 3DES and of AES.
 */
#include "desk.h"

#include <stdio.h>
#include <string.h>

#define PROVISION "provision --dir dir --name Ada --id D-17"
#define CERTIFICATES " --sign-certificate sign.pem --agree-certificate agree.pem"
#define CHANGE "change-pin --serial " DESK_SERIAL " --pin-file old --new-pin-file new"
#define NEW_PIN "246801"
#define FACTORY_KEY "010203040506070801020304050607080102030405060708"

/* -- what holds in the end */

static bool has_secrets_of_record(void)
{
    return desk_card_has_pin("pin", desk_record("pin")) &&
           desk_card_has_pin("puk", desk_record("puk")) &&
           desk_card_has_admin(desk_record("admin"));
}

static bool has_keys_of_record(void)
{
    return desk_card_has_key(0x9c, "sign") && desk_card_has_key(0x9d, "agree");
}

static bool good_keys(void)
{
    return has_secrets_of_record() && has_keys_of_record() &&
           desk_has("dir/record", "done agree") &&
           desk_has("dir/sign.csr", "-----END CERTIFICATE REQUEST-----") &&
           desk_has("dir/agree.pub", "-----END PUBLIC KEY-----") &&
           desk_has("card", "object 5fc102 *") && desk_has("card", "object 5fc107 *");
}

static bool good_finished(void)
{
    char line[32];

    (void)snprintf(line, sizeof line, "    %s", desk_record("pin"));
    return has_secrets_of_record() && has_keys_of_record() &&
           desk_has("dir/record", "done finished") && desk_has("dir/pin-letter.txt", line) &&
           desk_card_has_certificate("5fc10a", "sign.pem") &&
           desk_card_has_certificate("5fc10b", "agree.pem") &&
           desk_has("dir/sheet.txt", "doctor *");
}

static bool good_shown(void)
{
    return good_finished() && desk_has("out", "slot 9C *") && desk_has("out", "slot 9D *");
}

static bool good_changed(void)
{
    return desk_card_has_pin("pin", NEW_PIN) && has_keys_of_record();
}

/* Requests again: nothing else is another. */
static bool good_requested(void)
{
    return good_finished() && desk_has("dir/sign.csr", "-----END CERTIFICATE REQUEST-----");
}

static bool good_factory(void)
{
    return desk_card_has_pin("pin", "123456") && desk_card_has_pin("puk", "12345678") &&
           desk_card_has_admin(FACTORY_KEY) && !desk_has("card", "key *") &&
           !desk_has("card", "object *");
}

/* -- the verbs */

typedef struct verb {
    const char *begin; /* what desk_keep kept */
    const char *words;
    const char *again; /* NULL: the same */
    bool (*good)(void);
    bool wiped_too; /* what was left half way can be wiped as well */
} verb;

static const verb verbs[] = {
    {"finished", "show", NULL, good_shown, false},
    {"blank", PROVISION, NULL, good_keys, true},
    {"keys", PROVISION CERTIFICATES, NULL, good_finished, true},
    {"finished", CHANGE, CHANGE " --again", good_changed, false},
    {"finished", "unblock --dir dir", NULL, good_finished, false},
    {"finished", "renew --dir dir", NULL, good_requested, false},
    {"finished", "renew --dir dir --new-keys", NULL, good_keys, true},
    {"earlier", "renew --dir dir" CERTIFICATES, NULL, good_finished, false},
    {"finished", "wipe --serial " DESK_SERIAL, NULL, good_factory, false},
};

static const struct {
    const char *name;
    piv_fault_kind kind;
} faults[] = {
    {"refused", PIV_FAULT_STATUS},
    {"pulled before", PIV_FAULT_PULL_BEFORE},
    {"pulled after", PIV_FAULT_PULL_AFTER},
    {"killed before", PIV_FAULT_KILL_BEFORE},
    {"killed after", PIV_FAULT_KILL_AFTER},
};
#define FAULTS (sizeof faults / sizeof faults[0])

/* False: the call came to its end all the same. */
static bool cut_off(const verb *v, size_t fault, unsigned long at)
{
    int status;

    desk_begin(v->begin);
    status = desk_call_with_fault(v->words, faults[fault].kind, at);
    if (status != 0)
        desk_must(v->again == NULL ? v->words : v->again);
    if (!v->good())
        fail_msg("card %s: %s command %lu (%d): it is not as it should be", v->words,
            faults[fault].name, at, status);
    return status != 0;
}

static void cut_off_and_wipe(const verb *v, size_t fault, unsigned long at)
{
    desk_begin(v->begin);
    (void)desk_call_with_fault(v->words, faults[fault].kind, at);
    desk_must("wipe --serial " DESK_SERIAL);
    if (!good_factory())
        fail_msg("card %s: %s command %lu: it cannot be wiped", v->words, faults[fault].name, at);
}

static void sweep(const verb *v)
{
    unsigned long count, ended[FAULTS] = {0};

    desk_begin(v->begin);
    desk_must(v->words);
    assert_true(v->good());
    count = desk_commands(NULL);
    assert_in_range(count, 10, 1000);
    for (unsigned long at = 1; at <= count; at++) {
        for (size_t fault = 0; fault < FAULTS; fault++) {
            ended[fault] += cut_off(v, fault, at);
            if (v->wiped_too && faults[fault].kind == PIV_FAULT_PULL_AFTER)
                cut_off_and_wipe(v, fault, at);
        }
    }
    print_message("card %s: %lu commands; ended by", v->words, count);
    for (size_t fault = 0; fault < FAULTS; fault++)
        print_message(" %s %lu,", faults[fault].name, ended[fault]);
    print_message(" and gone on with\n");
    assert_true(ended[0] > 0);
    /* some questions need no answer; but who is killed is at an end, and few live with no card */
    assert_int_equal(ended[3], count);
    assert_int_equal(ended[4], count);
    assert_true(ended[1] >= count - 2 && ended[2] >= count - 2);
}

static void test_every_verb_cut_off_at_every_command(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        sweep(&verbs[i]);
}

/* -- management keys */

static void test_algorithm_is_the_cards(void **state)
{
    char line[64];

    (void)state;
    desk_begin("finished");
    /* a program of before there were others reads the record of a card of 3DES */
    assert_string_equal(desk_record("algorithm"), the_desk.aes ? "AES-192" : "");
    desk_must("show");
    assert_true(
        desk_has("out", the_desk.aes ? "management key  algorithm: AES-192; the factory's: no"
                                     : "management key  algorithm: 3DES; the factory's: no"));
    /* each card has a key of its own */
    desk_begin("blank");
    desk_must(PROVISION);
    (void)snprintf(line, sizeof line, "admin %s", desk_record("admin"));
    assert_true(desk_has("dir/record", line));
    assert_false(desk_has("finished.dir/record", line));
    desk_must("wipe --serial " DESK_SERIAL);
    desk_must("show");
    assert_true(
        desk_has("out", the_desk.aes ? "management key  algorithm: AES-192; the factory's: yes"
                                     : "management key  algorithm: 3DES; the factory's: yes"));
}

/* The record, with a line of it replaced, or left out (NULL). */
static void alter_record(const char *name, const char *line)
{
    static const char *const names[] = {
        "serial", "done", "algorithm", "admin", "pin", "puk", "sign", "agree"};
    char text[2048];
    size_t n = (size_t)snprintf(text, sizeof text, "chartseal-card 1\n");

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            if (line != NULL)
                n += (size_t)snprintf(text + n, sizeof text - n, "%s\n", line);
        } else if (desk_record(names[i])[0] != '\0') {
            n += (size_t)snprintf(
                text + n, sizeof text - n, "%s %s\n", names[i], desk_record(names[i]));
        }
    }
    assert_true(n < sizeof text);
    desk_write("dir/record", text);
}

/* Nothing on the card is another than it was. */
static void assert_refused_untouched(const char *words)
{
    assert_int_equal(desk_call(words), 4);
    assert_int_equal(desk_commands("47"), 0);
    assert_int_equal(desk_commands("db"), 0);
    assert_int_equal(desk_commands("ff"), 0);
    assert_true(has_keys_of_record());
}

static void test_wrong_management_key(void **state)
{
    (void)state;
    desk_begin("finished");
    alter_record("admin", "admin 000102030405060708090a0b0c0d0e0f1011121314151617");
    assert_refused_untouched("renew --dir dir --new-keys");
    assert_refused_untouched("renew --dir dir" CERTIFICATES);
    alter_record("admin", "admin " FACTORY_KEY);
    assert_refused_untouched("renew --dir dir --new-keys");
}

static void test_algorithm_in_record(void **state)
{
    (void)state;
    desk_begin("finished");
    alter_record("algorithm", the_desk.aes ? "algorithm 3DES" : "algorithm AES-192");
    assert_refused_untouched("renew --dir dir --new-keys");
    /* one of before there were others */
    desk_begin("finished");
    alter_record("algorithm", NULL);
    if (the_desk.aes) {
        assert_refused_untouched("renew --dir dir --new-keys");
    } else {
        desk_must("renew --dir dir --new-keys");
        assert_true(good_keys());
    }
    desk_begin("finished");
    alter_record("algorithm", "algorithm AES-512");
    assert_int_equal(desk_call("renew --dir dir --new-keys"), 9);
    assert_true(desk_has("err", "chartseal: this is not the record of a card *"));
    alter_record("algorithm", "pin 12345678"); /* twice */
    assert_int_equal(desk_call("renew --dir dir --new-keys"), 9);
    desk_begin("finished");
    alter_record("algorithm", "algorithm 3DES"); /* as some programs wrote it */
    if (!the_desk.aes) {
        desk_must("renew --dir dir --new-keys");
        assert_true(good_keys());
    }
}

/* A run that was begun before its record told the algorithm is gone on with. */
static void test_begun_before_algorithms(void **state)
{
    unsigned long at = 1;

    (void)state;
    do {
        desk_begin("blank");
        assert_int_not_equal(desk_call_with_fault(PROVISION, PIV_FAULT_KILL_BEFORE, at++), 0);
    } while (!desk_has("dir/record", "done begun"));
    alter_record("algorithm", NULL);
    desk_must(PROVISION);
    assert_true(good_keys());
}

/* A card that takes any key and does not know it: it gets no management key, no certificate, and
 * nobody's trust. */
static void test_impostor(void **state)
{
    (void)state;
    desk_begin("finished");
    the_desk.impostor = true;
    assert_refused_untouched("renew --dir dir --new-keys");
    assert_refused_untouched("renew --dir dir" CERTIFICATES);
    desk_begin("blank");
    assert_int_equal(desk_call(PROVISION), 4);
    assert_int_equal(desk_commands("87"), 2);
    assert_int_equal(desk_commands("ff"), 0);
    assert_int_equal(desk_commands("24"), 0);
    assert_true(good_factory() || desk_card_has_admin(FACTORY_KEY));
    the_desk.impostor = false;
    desk_must(PROVISION);
    assert_true(good_keys());
}

/* -- the cards to begin from */

static int make_cards(void **state)
{
    (void)desk_setup(state);
    desk_begin("blank");
    desk_must(PROVISION);
    desk_keep("keys");
    desk_certify("sign", true, "sign.pem");
    desk_certify("agree", false, "agree.pem");
    desk_must(PROVISION CERTIFICATES);
    desk_keep("earlier"); /* and other certificates for it */
    desk_certify("sign", true, "sign.pem");
    desk_certify("agree", false, "agree.pem");
    desk_must("renew --dir dir" CERTIFICATES);
    desk_keep("finished");
    desk_write("old", desk_record("pin"));
    desk_write("new", NEW_PIN);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_algorithm_is_the_cards),
        cmocka_unit_test(test_wrong_management_key),
        cmocka_unit_test(test_algorithm_in_record),
        cmocka_unit_test(test_begun_before_algorithms),
        cmocka_unit_test(test_impostor),
        cmocka_unit_test(test_every_verb_cut_off_at_every_command),
    };

    if (argc != 2 || (strcmp(argv[1], "3des") != 0 && strcmp(argv[1], "aes") != 0)) {
        (void)fprintf(stderr, "usage: test_card_verbs 3des|aes\n");
        return 2;
    }
    the_desk.aes = strcmp(argv[1], "aes") == 0;
    return cmocka_run_group_tests(tests, make_cards, desk_teardown);
}
