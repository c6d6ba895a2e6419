/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state file: lines of words, bytes in hex.
 *
 *   virtual-piv 1
 *   serial HEX
 *   pin HEX TRIES MOST          puk likewise
 *   factory ALGORITHM           of the management key that the card came with
 *   admin ALGORITHM HEX         the management key
 *   key REFERENCE ORIGIN PIN-POLICY TOUCH-POLICY HEX
 *   object TAG HEX
 */
#include "card.h"

#include <chartseal/crypto.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT "virtual-piv 1"
#define WORDS_MAX 6

/* -- reading */

static bool bytes_of(const char *hex, uint8_t *out, size_t size)
{
    cs_buf bytes = {0};
    bool fits = cs_unhex(&bytes, hex, NULL) == CS_OK && bytes.n == size;

    if (fits)
        memcpy(out, bytes.p, size);
    cs_buf_free(&bytes);
    return fits;
}

static bool number_of(const char *text, unsigned long most, unsigned long *out)
{
    char *end;

    errno = 0;
    *out = strtoul(text, &end, 16);
    return errno == 0 && end != text && *end == '\0' && *out <= most;
}

static bool byte_of(const char *text, uint8_t *out)
{
    unsigned long value;
    bool fits = number_of(text, 0xff, &value);

    *out = (uint8_t)value;
    return fits;
}

static bool read_secret(piv_secret *out, char **words)
{
    return bytes_of(words[1], out->value, PIV_PIN_SIZE) && byte_of(words[2], &out->tries) &&
           byte_of(words[3], &out->most) && out->tries <= out->most;
}

static bool read_key(piv_state *state, char **words)
{
    piv_key *key = &state->keys[state->key_count];

    if (state->key_count == PIV_KEYS_MAX || !byte_of(words[1], &key->reference) ||
        !byte_of(words[2], &key->origin) || !byte_of(words[3], &key->pin_policy) ||
        !byte_of(words[4], &key->touch_policy) ||
        !bytes_of(words[5], key->private_key, sizeof key->private_key) ||
        cs_p256_public(key->public_key, key->private_key, NULL) != CS_OK)
        return false;
    state->key_count++;
    return true;
}

static bool read_object(piv_state *state, char **words)
{
    piv_object *object = &state->objects[state->object_count];
    unsigned long tag;

    if (state->object_count == PIV_OBJECTS_MAX || !number_of(words[1], 0xffffff, &tag))
        return false;
    *object = (piv_object){.tag = (uint32_t)tag};
    state->object_count++;
    return cs_unhex(&object->bytes, words[2], NULL) == CS_OK;
}

static bool read_admin(piv_state *state, char **words)
{
    return byte_of(words[1], &state->admin_algorithm) &&
           piv_admin_key_size(state->admin_algorithm) > 0 &&
           bytes_of(words[2], state->admin_key, piv_admin_key_size(state->admin_algorithm));
}

static bool read_line(piv_state *state, char **words, size_t n)
{
    if (n == 2 && strcmp(words[0], "serial") == 0)
        return bytes_of(words[1], state->serial, sizeof state->serial);
    if (n == 4 && strcmp(words[0], "pin") == 0)
        return read_secret(&state->pin, words);
    if (n == 4 && strcmp(words[0], "puk") == 0)
        return read_secret(&state->puk, words);
    if (n == 2 && strcmp(words[0], "factory") == 0)
        return byte_of(words[1], &state->factory_algorithm);
    if (n == 3 && strcmp(words[0], "admin") == 0)
        return read_admin(state, words);
    if (n == 6 && strcmp(words[0], "key") == 0)
        return read_key(state, words);
    return n == 3 && strcmp(words[0], "object") == 0 && read_object(state, words);
}

static bool read_state(piv_state *state, FILE *file)
{
    char *line = NULL, *words[WORDS_MAX], *rest;
    size_t capacity = 0;
    bool good = getline(&line, &capacity, file) >= 0 && strcmp(line, FORMAT "\n") == 0;

    while (good && getline(&line, &capacity, file) >= 0) {
        size_t n = 0;

        for (char *word = strtok_r(line, " \n", &rest); word != NULL && n < WORDS_MAX;
             word = strtok_r(NULL, " \n", &rest))
            words[n++] = word;
        good = read_line(state, words, n);
    }
    good = good && !ferror(file);
    free(line);
    return good;
}

/* -- writing */

/* The end of a line: what a key or an object is of. */
static bool write_hex(FILE *file, cs_view bytes)
{
    char *hex = malloc(2 * bytes.n + 1);
    bool written;

    if (hex == NULL)
        return false;
    cs_hex(bytes, hex);
    written = fprintf(file, " %s\n", hex) >= 0;
    cs_wipe(hex, 2 * bytes.n);
    free(hex);
    return written;
}

static bool write_secret(FILE *file, const char *name, const piv_secret *secret)
{
    char hex[2 * PIV_PIN_SIZE + 1];

    cs_hex(CS_VIEW_ARRAY(secret->value), hex);
    return fprintf(file, "%s %s %x %x\n", name, hex, secret->tries, secret->most) >= 0;
}

static bool write_state(const piv_state *state, FILE *file)
{
    cs_view admin = {state->admin_key, piv_admin_key_size(state->admin_algorithm)};
    bool good = fputs(FORMAT "\n", file) >= 0 && fputs("serial", file) >= 0 &&
                write_hex(file, CS_VIEW_ARRAY(state->serial)) &&
                write_secret(file, "pin", &state->pin) && write_secret(file, "puk", &state->puk) &&
                fprintf(file, "factory %x\n", state->factory_algorithm) >= 0 &&
                fprintf(file, "admin %x", state->admin_algorithm) >= 0 && write_hex(file, admin);

    for (size_t i = 0; good && i < state->key_count; i++) {
        const piv_key *key = &state->keys[i];

        good = fprintf(file, "key %x %x %x %x", key->reference, key->origin, key->pin_policy,
                   key->touch_policy) >= 0 &&
               write_hex(file, CS_VIEW_ARRAY(key->private_key));
    }
    for (size_t i = 0; good && i < state->object_count; i++) {
        const piv_object *object = &state->objects[i];

        if (object->bytes.n > 0)
            good = fprintf(file, "object %x", object->tag) >= 0 &&
                   write_hex(file, cs_view_buf(&object->bytes));
    }
    return good;
}

uint16_t piv_state_save(piv_card *card)
{
    char path[4096];
    FILE *file;
    bool written;

    if (snprintf(path, sizeof path, "%s.new", card->options.state_path) >= (int)sizeof path)
        return SW_MEMORY;
    file = fopen(path, "w");
    if (file == NULL)
        return SW_MEMORY;
    written = fchmod(fileno(file), 0600) == 0 && write_state(&card->state, file);
    written = fclose(file) == 0 && written;
    if (written && rename(path, card->options.state_path) == 0)
        return SW_OK;
    (void)unlink(path);
    return SW_MEMORY;
}

/* -- at the beginning */

static int make_new(piv_card *card, cs_error *error)
{
    piv_state *state = &card->state;
    int rc;

    if (card->options.has_serial)
        memcpy(state->serial, card->options.serial, sizeof state->serial);
    else
        cs_random(state->serial, sizeof state->serial);
    state->factory_algorithm = card->options.aes ? PIV_AES192 : PIV_3DES;
    piv_state_defaults(state);
    rc = piv_objects_new(card, error);
    if (rc == CS_OK && piv_state_save(card) != SW_OK)
        rc = CS_FAIL(error, CS_E_STORAGE, "%s cannot be written", card->options.state_path);
    return rc;
}

int piv_state_open(piv_card *card, cs_error *error)
{
    const char *path = card->options.state_path;
    FILE *file = fopen(path, "r");
    bool good;

    if (file == NULL && errno == ENOENT)
        return make_new(card, error);
    if (file == NULL)
        return CS_FAIL(error, CS_E_NO_FILE, "%s cannot be read", path);
    good = read_state(&card->state, file);
    (void)fclose(file);
    return good ? CS_OK
                : CS_FAIL(error, CS_E_CORRUPT, "%s is not the state of a virtual PIV card", path);
}
