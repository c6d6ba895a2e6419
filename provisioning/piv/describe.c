/* SPDX-License-Identifier: Apache-2.0 */
#include "room.h"

#include <stdio.h>
#include <string.h>

#define META_ALGORITHM 0x01
#define META_DEFAULT 0x05
#define META_RETRIES 0x06 /* in all, left */

const char *cs_piv_answer_name(cs_piv_answer answer)
{
    switch (answer) {
    case CS_PIV_NO:
        return "no";
    case CS_PIV_YES:
        return "yes";
    case CS_PIV_UNKNOWN:
    default:
        return "unknown";
    }
}

/* Is it the factory's, and how many tries are left? tries may be NULL. */
static int read_secret(
    cs_piv *card, uint8_t reference, cs_piv_answer *is_default, int *tries, cs_error *error)
{
    uint8_t bytes[PIV_ANSWER_MAX];
    size_t n;
    cs_view value;
    int rc = piv_metadata(card, reference, bytes, &n, error);

    if (rc != CS_OK)
        return rc;
    if (piv_find((cs_view){bytes, n}, META_DEFAULT, &value) && value.n == 1)
        *is_default = value.p[0] == 0 ? CS_PIV_NO : CS_PIV_YES;
    if (tries != NULL && piv_find((cs_view){bytes, n}, META_RETRIES, &value) && value.n == 2)
        *tries = value.p[1];
    return CS_OK;
}

static int read_admin(cs_piv *card, cs_piv_info *out, cs_error *error)
{
    uint8_t bytes[PIV_ANSWER_MAX];
    size_t n;
    cs_view value;
    int rc = piv_metadata(card, YKPIV_KEY_CARDMGM, bytes, &n, error);

    if (rc != CS_OK)
        return rc;
    if (piv_find((cs_view){bytes, n}, META_DEFAULT, &value) && value.n == 1)
        out->admin_is_default = value.p[0] == 0 ? CS_PIV_NO : CS_PIV_YES;
    if (piv_find((cs_view){bytes, n}, META_ALGORITHM, &value) && value.n == 1)
        out->admin_algorithm = value.p[0];
    return CS_OK;
}

/* -- the card */

/* The GUID of a CHUID: tag 34. */
static int read_guid(cs_piv *card, cs_piv_info *out, cs_error *error)
{
    uint8_t bytes[PIV_ANSWER_MAX];
    size_t n;
    cs_view value;
    int rc = piv_object(card, YKPIV_OBJ_CHUID, bytes, &n, error);

    if (rc == CS_OK && piv_find((cs_view){bytes, n}, 0x34, &value) && value.n == sizeof out->guid) {
        memcpy(out->guid, value.p, sizeof out->guid);
        out->has_guid = true;
    }
    return rc;
}

/* By a VERIFY without a PIN. (ykpiv_get_pin_retries selects Yubico's management application first,
 * which other cards do not have.) */
int piv_count_tries(cs_piv *card, int *tries, cs_error *error)
{
    int left = -1;
    ykpiv_rc rc = ykpiv_verify(card->state, NULL, &left);

    if (rc == YKPIV_PIN_LOCKED)
        left = 0;
    else if (rc != YKPIV_WRONG_PIN && rc != YKPIV_OK)
        return piv_fail(card, "counting PIN tries", rc, error);
    *tries = rc == YKPIV_OK ? -1 : left;
    return CS_OK;
}

int cs_piv_describe(cs_piv *card, cs_piv_info *out, cs_error *error)
{
    int rc;

    *out = (cs_piv_info){.pin_tries = -1, .puk_tries = -1};
    (void)snprintf(out->reader, sizeof out->reader, "%s", card->reader);
    rc = piv_count_tries(card, &out->pin_tries, error);
    if (rc != CS_OK)
        return rc;
    if (ykpiv_get_version(card->state, out->version, sizeof out->version) != YKPIV_OK)
        out->version[0] = '\0';
    out->has_serial = ykpiv_get_serial(card->state, &out->serial) == YKPIV_OK;
    rc = read_guid(card, out, error);
    if (rc == CS_OK)
        rc = read_secret(card, PIV_REFERENCE_PIN, &out->pin_is_default, NULL, error);
    if (rc == CS_OK)
        rc = read_secret(card, PIV_REFERENCE_PUK, &out->puk_is_default, &out->puk_tries, error);
    if (rc == CS_OK)
        rc = read_admin(card, out, error);
    return rc;
}
