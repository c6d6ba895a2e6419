/* SPDX-License-Identifier: Apache-2.0 */
#include "slot.h"

#include "process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <winscard.h>

#define PORT "35963"
#define READER "Virtual PCD 00 00"
#define WAIT_MS 10000
#define LOOK_MS 100

slot card_slot;

/* OpenSC keeps a reader's context for good, and p11-kit's library what it has loaded. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the sanitizers' names */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:opensc\nleak:pcsclite\n";
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static void write_file(const char *path, cs_view bytes)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes.p, 1, bytes.n, file), bytes.n);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static void place(char out[160], const char *name)
{
    assert_true(snprintf(out, 160, "%s/%s", card_slot.directory, name) < 160);
}

/* The state of a card, from one name to another. */
static void copy(const char *from, const char *to)
{
    static uint8_t bytes[65536];
    char path[160];
    FILE *file;
    size_t n;

    place(path, from);
    file = fopen(path, "r");
    assert_non_null(file);
    n = fread(bytes, 1, sizeof bytes, file);
    assert_true(n > 0 && n < sizeof bytes);
    (void)fclose(file);
    place(path, to);
    write_file(path, (cs_view){bytes, n});
}

int slot_group_setup(void **state)
{
    const char *directory = getenv("CS_CARDS");

    (void)state;
    if (directory == NULL || getenv("OPENSC_MODULE") == NULL) {
        (void)fputs("started by with_readers.sh and token.sh, not by hand\n", stderr);
        return 1;
    }
    (void)snprintf(card_slot.directory, sizeof card_slot.directory, "%s", directory);
    place(card_slot.log, "log");
    place(card_slot.pin_file, "pin");
    place(card_slot.wrong_pin_file, "wrong-pin");
    write_file(card_slot.pin_file, cs_view_str(SLOT_PIN "\n"));
    copy("ada", "ada.made");
    copy("bob", "bob.made");
    return 0;
}

int slot_group_teardown(void **state)
{
    (void)state;
    cs_token_shutdown();
    return 0;
}

int slot_setup(void **state)
{
    static unsigned count;
    char pin[16];

    (void)state;
    copy("ada.made", "ada");
    copy("bob.made", "bob");
    slot_forget_commands();
    /* each test has its own wrong PIN: what was refused once is not sent again */
    (void)snprintf(pin, sizeof pin, "9%06u\n", ++count);
    write_file(card_slot.wrong_pin_file, cs_view_str(pin));
    return 0;
}

int slot_teardown(void **state)
{
    (void)state;
    if (card_slot.card > 0)
        slot_eject();
    cs_token_shutdown();
    return 0;
}

/* By pcscd itself, so that what the modules think of it is not asked. */
static void wait_for_card(bool wanted)
{
    SCARD_READERSTATE reader = {.szReader = READER};
    SCARDCONTEXT context;

    assert_int_equal(
        SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context), SCARD_S_SUCCESS);
    for (int waited = 0;; waited += LOOK_MS) {
        LONG rc = SCardGetStatusChange(context, LOOK_MS, &reader, 1);
        bool there = (reader.dwEventState & SCARD_STATE_PRESENT) != 0;

        assert_true(rc == SCARD_S_SUCCESS || rc == (LONG)SCARD_E_TIMEOUT);
        if (there == wanted && (reader.dwEventState & SCARD_STATE_MUTE) == 0)
            break;
        assert_true(waited < WAIT_MS);
        reader.dwCurrentState = reader.dwEventState;
    }
    (void)SCardReleaseContext(context);
}

void slot_insert(const char *name, const char *options)
{
    char all[512];

    place(card_slot.state, name);
    (void)snprintf(all, sizeof all, "--log %s %s", card_slot.log, options);
    card_slot.card = card_start(card_slot.state, PORT, all);
    wait_for_card(true);
}

void slot_eject(void)
{
    card_end(card_slot.card);
    card_slot.card = 0;
    wait_for_card(false);
}

void slot_pull(void)
{
    assert_int_equal(kill(card_slot.card, SIGUSR1), 0);
    wait_for_card(false);
}

void slot_put_back(void)
{
    assert_int_equal(kill(card_slot.card, SIGUSR2), 0);
    wait_for_card(true);
}

void slot_wait_until_empty(void)
{
    wait_for_card(false);
}

const char *slot_token_uri(const char *label)
{
    static char uri[CS_URI_MAX];

    (void)snprintf(
        uri, sizeof uri, "pkcs11:token=%s?module-path=%s", label, getenv("OPENSC_MODULE"));
    return uri;
}

const char *slot_key_uri(const char *id)
{
    static char uri[CS_URI_MAX];

    (void)snprintf(uri, sizeof uri, "pkcs11:%s;type=private", id);
    return uri;
}

cs_token_options slot_options(const char *pin_file)
{
    cs_token_options options = {.pin = {.kind = CS_PIN_FILE}};

    (void)snprintf(options.pin.path, sizeof options.pin.path, "%s", pin_file);
    return options;
}

cs_token *slot_open(void)
{
    cs_token_options options = slot_options(card_slot.pin_file);
    cs_token *token = NULL;

    assert_ok(cs_token_open(&token, slot_token_uri("Dr.%20Ada"), &options, error));
    return token;
}

cs_key *slot_key(cs_token *token, const char *id, cs_use use)
{
    cs_key *key = NULL;

    assert_ok(cs_key_open(&key, token, slot_key_uri(id), use, CS_SUITE_P256, error));
    return key;
}

void slot_assert_signs(cs_key *key)
{
    uint8_t digest[32], signature[64];

    cs_random(digest, sizeof digest);
    assert_ok(cs_key_sign(key, digest, signature, error));
    assert_ok(
        cs_ecdsa_verify((cs_view){cs_key_describe(key)->public_key, 65}, digest, signature, error));
}

void slot_assert_agrees(cs_key *key)
{
    uint8_t private_key[32], public_key[65], here[32], there[32];

    assert_ok(cs_p256_generate(private_key, public_key, error));
    assert_ok(cs_key_agree(key, public_key, there, error));
    assert_ok(
        cs_p256_ecdh(here, private_key, (cs_view){cs_key_describe(key)->public_key, 65}, error));
    assert_memory_equal(here, there, 32);
}

unsigned slot_commands(const char *ins, const char *reference)
{
    FILE *file = fopen(card_slot.log, "r");
    char line[64];
    unsigned count = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *header = strchr(line, ' ');

        assert_true(header != NULL && strlen(header) > 8);
        if (strncmp(header + 3, ins, strlen(ins)) == 0 &&
            strncmp(header + 7, reference, strlen(reference)) == 0)
            count++;
    }
    if (file != NULL)
        (void)fclose(file);
    return count;
}

/* The card appends, so that it can be cut under it. */
void slot_forget_commands(void)
{
    write_file(card_slot.log, cs_view_str(""));
}

/* "N HEADER SIZE STATUS": more than the header and a length. */
unsigned slot_pins_sent(void)
{
    FILE *file = fopen(card_slot.log, "r");
    char line[64];
    unsigned count = 0;

    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        const char *header = strchr(line, ' ');

        if (header != NULL && strncmp(header, " 0020", 5) == 0 && strtoul(header + 9, NULL, 10) > 5)
            count++;
    }
    (void)fclose(file);
    return count;
}

/* The state's line "pin VALUE TRIES MOST": the tries are one hexadecimal digit. */
static long tries_in(const char *path, int *tries)
{
    FILE *file = fopen(path, "r");
    char word[32];
    long at = -1;

    assert_non_null(file);
    while (at < 0 && fscanf(file, "%31s", word) == 1) {
        if (strcmp(word, "pin") == 0 && fscanf(file, " %*16s ") == 0)
            at = ftell(file);
    }
    assert_true(at > 0);
    *tries = fgetc(file) - '0';
    (void)fclose(file);
    return at;
}

unsigned slot_tries(void)
{
    int tries;

    (void)tries_in(card_slot.state, &tries);
    return (unsigned)tries;
}

void slot_set_tries(const char *name, unsigned tries)
{
    char path[160];
    FILE *file;
    long at;
    int before;

    place(path, name);
    at = tries_in(path, &before);
    file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fputc('0' + (int)tries, file), '0' + (int)tries);
    assert_int_equal(fclose(file), 0);
}

void slot_after_backoff(void)
{
    (void)usleep(150000); /* P11_BACKOFF_FIRST_MS, and a bit */
}
