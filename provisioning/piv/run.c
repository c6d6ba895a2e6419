/* SPDX-License-Identifier: Apache-2.0 */
/* A run and its record: "name value" in each line. */
#include "piv/run.h"
#include "room.h"

#include <chartseal/secret.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "chartseal-card 1"
#define RECORD_MAX 1024

const char *cs_piv_step_name(cs_piv_step step)
{
    static const char *const names[] = {
        "new", "begun", "admin", "puk", "pin", "objects", "sign", "agree", "finished"};

    return (size_t)step < sizeof names / sizeof names[0] ? names[step] : "unknown";
}

/* Uniform: a byte that would favour the low digits is thrown away. */
void piv_random_digits(char out[CS_PIV_PIN_SIZE + 1])
{
    for (size_t i = 0; i < CS_PIV_PIN_SIZE;) {
        uint8_t byte;

        cs_random(&byte, 1);
        if (byte < 250)
            out[i++] = (char)('0' + byte % 10);
    }
    out[CS_PIV_PIN_SIZE] = '\0';
}

int cs_piv_run_new(cs_piv_run **out, cs_piv *card, cs_error *error)
{
    cs_piv_run *run;
    uint32_t serial;

    *out = NULL;
    if (ykpiv_get_serial(card->state, &serial) != YKPIV_OK)
        return CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
            "the card in reader %s tells no serial number, and has no way to replace its "
            "management key; take one with Yubico's extensions",
            card->reader);
    run = cs_secret_new(sizeof *run);
    if (run == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a card's secrets");
    run->serial = serial;
    run->admin_algorithm = CS_PIV_3DES; /* until the card is asked */
    cs_random(run->admin_key, sizeof run->admin_key);
    piv_random_digits(run->pin);
    piv_random_digits(run->puk);
    *out = run;
    return CS_OK;
}

/* -- the record */

int cs_piv_run_encode(cs_buf *out, const cs_piv_run *run, cs_error *error)
{
    char admin[2 * CS_PIV_ADMIN_KEY_SIZE + 1];
    char sign[2 * CS_PUK_SIZE + 1], agree[2 * CS_PUK_SIZE + 1];
    /* the lines that programs before them do not know are only there where they say something */
    char algorithm[32] = "", scalar[16] = "";
    char *text = cs_secret_new(RECORD_MAX);
    int n, rc = CS_E_MEMORY;

    if (text == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a card's record");
    cs_hex(CS_VIEW_ARRAY(run->admin_key), admin);
    cs_hex(CS_VIEW_ARRAY(run->sign_puk), sign);
    cs_hex(CS_VIEW_ARRAY(run->agree_puk), agree);
    if (run->admin_algorithm != CS_PIV_3DES)
        (void)snprintf(algorithm, sizeof algorithm, "algorithm %s\n",
            cs_piv_algorithm_name(run->admin_algorithm));
    if (run->scalar_slot != 0)
        (void)snprintf(scalar, sizeof scalar, "scalar %02x\n", run->scalar_slot);
    n = snprintf(text, RECORD_MAX,
        FORMAT "\nserial %u\ndone %s\n%sadmin %s\npin %s\npuk %s\nsign %s\nagree %s\n%s",
        run->serial, cs_piv_step_name(run->done), algorithm, admin, run->pin, run->puk, sign, agree,
        scalar);
    if (n > 0 && n < RECORD_MAX)
        rc = cs_buf_set(out, (cs_view){(const uint8_t *)text, (size_t)n}, error);
    cs_wipe(admin, sizeof admin);
    cs_secret_free(&text);
    return rc;
}

static bool take_bytes(uint8_t *out, size_t size, const char *hex)
{
    cs_buf bytes = {.guarded = true};
    bool fits = cs_unhex(&bytes, hex, NULL) == CS_OK && bytes.n == size;

    if (fits)
        memcpy(out, bytes.p, size);
    cs_buf_free(&bytes);
    return fits;
}

static bool take_digits(char out[CS_PIV_PIN_SIZE + 1], const char *text)
{
    if (strlen(text) != CS_PIV_PIN_SIZE || strspn(text, "0123456789") != CS_PIV_PIN_SIZE)
        return false;
    memcpy(out, text, CS_PIV_PIN_SIZE + 1);
    return true;
}

static bool take_step(cs_piv_step *out, const char *name)
{
    for (int step = CS_PIV_NEW; step <= CS_PIV_FINISHED; step++) {
        if (strcmp(cs_piv_step_name((cs_piv_step)step), name) == 0) {
            *out = (cs_piv_step)step;
            return true;
        }
    }
    return false;
}

static bool take_serial(uint32_t *out, const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    *out = (uint32_t)value;
    return end != text && *end == '\0' && value <= UINT32_MAX;
}

static bool take_slot(uint8_t *out, const char *hex)
{
    return take_bytes(out, 1, hex) && *out >= YKPIV_KEY_RETIRED1 && *out <= YKPIV_KEY_RETIRED20;
}

/* The management key's. */
static bool take_algorithm(uint8_t *out, const char *name)
{
    static const uint8_t known[] = {CS_PIV_3DES, CS_PIV_AES192};

    for (size_t i = 0; i < sizeof known; i++) {
        if (strcmp(cs_piv_algorithm_name(known[i]), name) == 0) {
            *out = known[i];
            return true;
        }
    }
    return false;
}

typedef enum line_name {
    SERIAL,
    DONE,
    ADMIN,
    PIN,
    PUK,
    SIGN,
    AGREE,
    ALGORITHM,
    SCALAR,
    LINES
} line_name;
static const char *const line_names[LINES] = {
    "serial", "done", "admin", "pin", "puk", "sign", "agree", "algorithm", "scalar"};
#define WANTED ((1U << ALGORITHM) - 1) /* no algorithm: 3DES; few have an S_D */

static bool take_value(cs_piv_run *run, line_name name, const char *value)
{
    switch (name) {
    case SERIAL:
        return take_serial(&run->serial, value);
    case DONE:
        return take_step(&run->done, value);
    case ADMIN:
        return take_bytes(run->admin_key, sizeof run->admin_key, value);
    case PIN:
        return take_digits(run->pin, value);
    case PUK:
        return take_digits(run->puk, value);
    case SIGN:
        return take_bytes(run->sign_puk, sizeof run->sign_puk, value);
    case AGREE:
        return take_bytes(run->agree_puk, sizeof run->agree_puk, value);
    case ALGORITHM:
        return take_algorithm(&run->admin_algorithm, value);
    case SCALAR:
        return take_slot(&run->scalar_slot, value);
    case LINES:
    default:
        return false;
    }
}

/* seen: a bit for each line there was, so that none is there twice. */
static bool take_line(cs_piv_run *run, char *line, unsigned *seen)
{
    char *value = strchr(line, ' ');
    unsigned name = 0;

    if (value == NULL)
        return false;
    *value++ = '\0';
    while (name < LINES && strcmp(line, line_names[name]) != 0)
        name++;
    if (name == LINES || (*seen & 1U << name) != 0)
        return false;
    *seen |= 1U << name;
    return take_value(run, (line_name)name, value);
}

static bool take_lines(cs_piv_run *run, char *text)
{
    char *rest, *line = strtok_r(text, "\n", &rest);
    unsigned seen = 0;

    if (line == NULL || strcmp(line, FORMAT) != 0)
        return false;
    run->admin_algorithm = CS_PIV_3DES;
    while ((line = strtok_r(NULL, "\n", &rest)) != NULL) {
        if (!take_line(run, line, &seen))
            return false;
    }
    return (seen & WANTED) == WANTED;
}

static int refuse(cs_error *error)
{
    return CS_FAIL(error, CS_E_CORRUPT,
        "this is not the record of a card as this program writes it: it is damaged, or of a newer "
        "chartseal; put it back from a backup, or use the newer program (with neither, wipe the "
        "card and make it anew)");
}

int cs_piv_run_decode(cs_piv_run **out, cs_view bytes, cs_error *error)
{
    cs_piv_run *run = cs_secret_new(sizeof *run);
    char *text = cs_secret_new(RECORD_MAX);
    int rc = CS_OK;

    *out = NULL;
    if (run == NULL || text == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a card's record");
    else if (bytes.n >= RECORD_MAX)
        rc = refuse(error);
    if (rc == CS_OK) {
        memcpy(text, bytes.p, bytes.n);
        if (!take_lines(run, text))
            rc = refuse(error);
    }
    if (rc == CS_OK)
        *out = run;
    else
        cs_secret_free(&run);
    cs_secret_free(&text);
    return rc;
}
