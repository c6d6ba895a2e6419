/* SPDX-License-Identifier: Apache-2.0 */
#include "room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READERS_MAX 64 /* pcscd allows 16 */
#define NAMES_SIZE 8192

int piv_fail(const cs_piv *card, const char *what, ykpiv_rc rc, cs_error *error)
{
    cs_code code = CS_E_TOKEN;
    const char *next = "try again; if it stays, try another card or reader";

    if (rc == YKPIV_PCSC_ERROR) {
        code = CS_E_TOKEN_ABSENT;
        next = "put the card in, and see that pcscd runs";
    } else if (rc == YKPIV_MEMORY_ERROR) {
        code = CS_E_MEMORY;
        next = "free some memory and try again";
    } else if (rc == YKPIV_NOT_SUPPORTED) {
        code = CS_E_TOKEN_UNSUITABLE;
        next = "take a card that can do this";
    }
    return CS_FAIL(
        error, code, "reader %s: %s: %s; %s", card->reader, what, ykpiv_strerror(rc), next);
}

/* -- readers */

typedef struct readers {
    char names[NAMES_SIZE]; /* one after the other, each with its end */
    const char *each[READERS_MAX];
    size_t count;
} readers;

static int list_readers(ykpiv_state *state, readers *out, cs_error *error)
{
    size_t n = sizeof out->names - 1;
    ykpiv_rc rc = ykpiv_list_readers(state, out->names, &n);

    /* pcscd says that there is no reader by an error, too */
    if (rc != YKPIV_OK)
        return CS_FAIL(error, CS_E_TOKEN_ABSENT,
            "there is no card reader (%s); plug one in, and see that pcscd runs",
            ykpiv_strerror(rc));
    out->names[sizeof out->names - 1] = '\0';
    out->count = 0;
    for (size_t i = 0; i < n && out->names[i] != '\0' && out->count < READERS_MAX;
         i += strlen(out->names + i) + 1)
        out->each[out->count++] = out->names + i;
    if (out->count == 0)
        return CS_FAIL(error, CS_E_TOKEN_ABSENT, "there is no card reader; plug one in");
    return CS_OK;
}

int cs_piv_readers(char (*names)[CS_PIV_READER_MAX], size_t most, size_t *count, cs_error *error)
{
    ykpiv_state *state = NULL;
    readers all;
    int rc;

    *count = 0;
    if (ykpiv_init(&state, 0) != YKPIV_OK)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a list of readers");
    rc = list_readers(state, &all, error);
    for (size_t i = 0; rc == CS_OK && i < all.count && *count < most; i++)
        (void)snprintf(names[(*count)++], CS_PIV_READER_MAX, "%s", all.each[i]);
    (void)ykpiv_done(state);
    return rc;
}

/* libykpiv takes a part of a name for a name: what it has connected to is only known to be right
 * when no other reader's name has this one in it. */
static int check_name(const readers *all, const char *reader, cs_error *error)
{
    unsigned whole = 0, part = 0;

    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->each[i], reader) == 0)
            whole++;
        else if (strcasestr(all->each[i], reader) != NULL)
            part++;
    }
    if (whole == 0)
        return CS_FAIL(error, CS_E_TOKEN_ABSENT, "there is no reader '%s'; the first one is '%s'",
            reader, all->each[0]);
    if (whole > 1 || part > 0)
        return CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
            "the name of reader '%s' is a part of another's; unplug one of the two", reader);
    return CS_OK;
}

/* Is there a PIV card in it? The connection is given up. */
static bool has_card(ykpiv_state *state, const char *reader)
{
    bool has = ykpiv_connect(state, reader) == YKPIV_OK;

    (void)ykpiv_disconnect(state);
    return has;
}

static int find_only(
    ykpiv_state *state, const readers *all, char out[CS_PIV_READER_MAX], cs_error *error)
{
    const char *found = NULL;

    for (size_t i = 0; i < all->count; i++) {
        if (!has_card(state, all->each[i]))
            continue;
        if (found != NULL)
            return CS_FAIL(error, CS_E_USAGE,
                "there are PIV cards in '%s' and '%s'; say which with --reader", found,
                all->each[i]);
        found = all->each[i];
    }
    if (found == NULL)
        return CS_FAIL(error, CS_E_TOKEN_ABSENT, "there is no PIV card in any reader; put one in");
    (void)snprintf(out, CS_PIV_READER_MAX, "%s", found);
    return CS_OK;
}

/* -- the card */

static int find_and_connect(cs_piv *card, const char *reader, cs_error *error)
{
    readers all;
    ykpiv_rc status;
    int rc = list_readers(card->state, &all, error);

    if (rc == CS_OK && reader == NULL)
        rc = find_only(card->state, &all, card->reader, error);
    else if (rc == CS_OK)
        (void)snprintf(card->reader, sizeof card->reader, "%s", reader);
    if (rc == CS_OK)
        rc = check_name(&all, card->reader, error);
    if (rc != CS_OK)
        return rc;
    status = ykpiv_connect(card->state, card->reader);
    if (status != YKPIV_OK)
        return CS_FAIL(error, CS_E_TOKEN_ABSENT,
            "reader %s has no PIV card (%s); put one in, or another", card->reader,
            ykpiv_strerror(status));
    return CS_OK;
}

int cs_piv_open(cs_piv **out, const char *reader, cs_error *error)
{
    cs_piv *card = calloc(1, sizeof *card);
    int rc;

    *out = NULL;
    if (card == NULL || ykpiv_init(&card->state, 0) != YKPIV_OK) {
        free(card);
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a card");
    }
    rc = find_and_connect(card, reader, error);
    if (rc == CS_OK)
        *out = card;
    else
        cs_piv_close(&card);
    return rc;
}

void cs_piv_close(cs_piv **card)
{
    if (*card == NULL)
        return;
    (void)ykpiv_done((*card)->state);
    free(*card);
    *card = NULL;
}
