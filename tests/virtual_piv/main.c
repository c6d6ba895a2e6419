/* SPDX-License-Identifier: Apache-2.0 */
#include "card.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define PORT 35963 /* vpcd's first reader; the second has the next */
#define DELAY_MS_MAX 60000

static const char usage[] =
    "usage: virtual_piv --state FILE [OPTION...]\n"
    "\n"
    "A PIV card in a reader of vpcd, until SIGTERM. SIGUSR1 pulls it, SIGUSR2 puts it in again.\n"
    "\n"
    "  --state FILE        what the card remembers; a new card where there is no such file\n"
    "  --port N            the reader: 35963 (as by default) or 35964\n"
    "  --serial HEX        serial number of a new card, eight digits; else random\n"
    "  --blank             a new card has no CHUID and no CCC\n"
    "  --aes               a new card's management key is of AES-192, as of firmware 5.7\n"
    "  --impostor          does not have its management key: takes whatever it is shown\n"
    "  --plain             without Yubico's extensions\n"
    "  --no-import         with them, but for the import of keys\n"
    "  --delay-ms N        how long each operation with a private key takes\n"
    "  --log FILE          header, size and status word of each command, appended\n"
    "  --fail-at N:SW      the N-th command is not carried out, and answered with SW (hex)\n"
    "  --pull-at N         the card is pulled before the N-th command is carried out\n"
    "  --pull-after N      the N-th command is carried out, the card pulled before it answers\n";

enum {
    OPTION_STATE = 1,
    OPTION_PORT,
    OPTION_SERIAL,
    OPTION_BLANK,
    OPTION_PLAIN,
    OPTION_NO_IMPORT,
    OPTION_AES,
    OPTION_IMPOSTOR,
    OPTION_DELAY,
    OPTION_LOG,
    OPTION_FAIL_AT,
    OPTION_PULL_AT,
    OPTION_PULL_AFTER,
};

static const struct option long_options[] = {
    {"state", required_argument, NULL, OPTION_STATE},
    {"port", required_argument, NULL, OPTION_PORT},
    {"serial", required_argument, NULL, OPTION_SERIAL},
    {"blank", no_argument, NULL, OPTION_BLANK},
    {"aes", no_argument, NULL, OPTION_AES},
    {"impostor", no_argument, NULL, OPTION_IMPOSTOR},
    {"plain", no_argument, NULL, OPTION_PLAIN},
    {"no-import", no_argument, NULL, OPTION_NO_IMPORT},
    {"delay-ms", required_argument, NULL, OPTION_DELAY},
    {"log", required_argument, NULL, OPTION_LOG},
    {"fail-at", required_argument, NULL, OPTION_FAIL_AT},
    {"pull-at", required_argument, NULL, OPTION_PULL_AT},
    {"pull-after", required_argument, NULL, OPTION_PULL_AFTER},
    {NULL, 0, NULL, 0},
};

/* A number of that base in all of the text, or up to its `end`. */
static bool number(
    const char *text, int base, unsigned long most, char end, unsigned long *out, const char **rest)
{
    char *stop;

    errno = 0;
    *out = strtoul(text, &stop, base);
    if (rest != NULL)
        *rest = stop;
    return errno == 0 && stop != text && text[0] != '-' && *stop == end && *out <= most;
}

static bool fault(piv_options *options, piv_fault_kind kind, const char *text)
{
    unsigned long status = 0;
    const char *rest = NULL;
    bool has_status = kind == PIV_FAULT_STATUS;

    if (options->fault != PIV_FAULT_NONE ||
        !number(text, 10, 1000000, has_status ? ':' : '\0', &options->fault_at, &rest) ||
        options->fault_at == 0 ||
        (has_status && !number(rest + 1, 16, 0xffff, '\0', &status, NULL)))
        return false;
    options->fault = kind;
    options->fault_status = (uint16_t)status;
    return true;
}

static bool take_serial(piv_options *options, const char *text)
{
    unsigned long value;

    if (strlen(text) != 8 || !number(text, 16, 0xffffffff, '\0', &value, NULL))
        return false;
    for (int i = 0; i < 4; i++)
        options->serial[i] = (uint8_t)(value >> (24 - 8 * i));
    options->has_serial = true;
    return true;
}

static bool take(piv_options *options, int option, const char *text)
{
    unsigned long value = 0;

    switch (option) {
    case OPTION_STATE:
        options->state_path = text;
        return true;
    case OPTION_PORT:
        if (!number(text, 10, 65535, '\0', &value, NULL))
            return false;
        options->port = (uint16_t)value;
        return true;
    case OPTION_SERIAL:
        return take_serial(options, text);
    case OPTION_BLANK:
        options->blank = true;
        return true;
    case OPTION_PLAIN:
        options->plain = true;
        return true;
    case OPTION_NO_IMPORT:
        options->no_import = true;
        return true;
    case OPTION_AES:
        options->aes = true;
        return true;
    case OPTION_IMPOSTOR:
        options->impostor = true;
        return true;
    case OPTION_DELAY:
        if (!number(text, 10, DELAY_MS_MAX, '\0', &value, NULL))
            return false;
        options->delay_ms = (unsigned)value;
        return true;
    case OPTION_LOG:
        options->log_path = text;
        return true;
    case OPTION_FAIL_AT:
        return fault(options, PIV_FAULT_STATUS, text);
    case OPTION_PULL_AT:
        return fault(options, PIV_FAULT_PULL_BEFORE, text);
    case OPTION_PULL_AFTER:
        return fault(options, PIV_FAULT_PULL_AFTER, text);
    default:
        return false;
    }
}

static bool take_options(piv_options *options, int argc, char **argv)
{
    int option;

    *options = (piv_options){.port = PORT};
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (!take(options, option, optarg))
            return false;
    }
    return optind == argc && options->state_path != NULL;
}

int main(int argc, char **argv)
{
    static piv_card card;
    cs_error error = {0};
    int rc;

    if (!take_options(&card.options, argc, argv)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    rc = piv_state_open(&card, &error);
    if (rc == CS_OK && card.options.log_path != NULL) {
        card.log = fopen(card.options.log_path, "a");
        if (card.log == NULL)
            rc = CS_FAIL(&error, CS_E_NO_FILE, "%s cannot be written", card.options.log_path);
    }
    if (rc == CS_OK)
        rc = piv_serve(&card, &error);
    if (rc != CS_OK)
        (void)fprintf(stderr, "virtual_piv: %s\n", error.message);
    if (card.log != NULL)
        (void)fclose(card.log);
    piv_power_down(&card);
    piv_objects_clear(&card.state);
    cs_wipe(&card, sizeof card);
    return rc == CS_OK ? 0 : 1;
}
