/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate request that the card signs, and the way back to the factory's state. */
#include "piv/run.h"
#include "room.h"

#include <openssl/ecdsa.h>
#include <string.h>

#define PIN_FIELD 8
#define TRIES_MOST 255 /* the most a card can be set to */
#define TAG_TEMPLATE 0x7c
#define TAG_RESPONSE 0x82

typedef struct signing {
    cs_piv *card;
    const char *pin;
} signing;

static bool raw_signature(cs_view answer, uint8_t out[CS_SIGNATURE_SIZE])
{
    cs_view template, der;
    const uint8_t *p;
    ECDSA_SIG *parsed;
    bool fits;

    if (!piv_find(answer, TAG_TEMPLATE, &template) || !piv_find(template, TAG_RESPONSE, &der))
        return false;
    p = der.p;
    parsed = d2i_ECDSA_SIG(NULL, &p, (long)der.n);
    fits = parsed != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(parsed), out, 32) == 32 &&
           BN_bn2binpad(ECDSA_SIG_get0_s(parsed), out + 32, 32) == 32;
    ECDSA_SIG_free(parsed);
    return fits;
}

/* 9C wants its PIN with the command just before; libykpiv puts another in between. */
static int sign(void *context, const uint8_t digest[CS_HASH_SIZE],
    uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error)
{
    signing *s = context;
    uint8_t data[6 + CS_HASH_SIZE] = {0x7c, 4 + CS_HASH_SIZE, 0x82, 0, 0x81, CS_HASH_SIZE};
    uint8_t answer[PIV_ANSWER_MAX];
    piv_read command = {"signing", YKPIV_INS_AUTHENTICATE, YKPIV_ALGO_ECCP256, YKPIV_KEY_SIGNATURE,
        CS_VIEW_ARRAY(data)};
    size_t n = 0;
    int rc = piv_verify(s->card, s->pin, error);

    memcpy(data + 6, digest, CS_HASH_SIZE);
    if (rc == CS_OK)
        rc = piv_write(s->card, &command, answer, &n, error);
    if (rc == CS_OK && !raw_signature((cs_view){answer, n}, signature))
        rc = CS_FAIL(error, CS_E_TOKEN, "reader %s: the card's signature cannot be read; try again",
            s->card->reader);
    return rc;
}

int cs_piv_request(cs_piv *card, const cs_piv_run *run, const cs_piv_shown *shown,
    const cs_subject *subject, cs_buf *out, cs_error *error)
{
    signing s = {card, shown == NULL ? run->pin : shown->pin};
    int rc;

    if (run->done < CS_PIV_SIGN)
        return CS_FAIL(error, CS_E_ORDER, "the card's signing key is not made yet");
    rc = piv_check_pin_tries(card, shown == NULL, shown != NULL && shown->force, error);
    if (rc != CS_OK)
        return rc;
    return cs_request_make(out, subject, CS_VIEW_ARRAY(run->sign_puk), sign, &s, error);
}

/* -- wiping */

/* Until the card says that it is blocked. A digit string cannot be told from the right one: should
 * it be that, the next is another. */
static int block(cs_piv *card, uint8_t ins, uint8_t reference, size_t size, cs_error *error)
{
    uint8_t data[2 * PIN_FIELD], answer[PIV_ANSWER_MAX];
    piv_read command = {"blocking PIN and PUK", ins, 0, reference, {data, size}};
    int rc = CS_E_PIN_WRONG;

    for (unsigned i = 0; i < 2 * TRIES_MOST && (rc == CS_E_PIN_WRONG || rc == CS_OK); i++) {
        size_t n;

        cs_random(data, sizeof data);
        for (size_t j = 0; j < sizeof data; j++)
            data[j] = (uint8_t)('0' + data[j] % 10);
        rc = piv_write(card, &command, answer, &n, error);
    }
    if (rc == CS_OK || rc == CS_E_PIN_WRONG)
        return CS_FAIL(
            error, CS_E_TOKEN, "reader %s: the card does not block; take another", card->reader);
    return rc == CS_E_PIN_LOCKED ? CS_OK : rc;
}

int cs_piv_wipe(cs_piv *card, uint32_t serial, cs_error *error)
{
    piv_read command = {"wiping", YKPIV_INS_RESET, 0, 0, {NULL, 0}};
    uint8_t answer[PIV_ANSWER_MAX];
    cs_piv_info info;
    size_t n;
    int rc = cs_piv_describe(card, &info, error);

    if (rc == CS_OK && (!info.has_serial || info.serial != serial))
        rc = CS_FAIL(error, CS_E_KEY_MISSING,
            "the card in reader %s does not have the serial number %u; nothing was done",
            card->reader, serial);
    if (rc == CS_OK)
        rc = block(card, YKPIV_INS_VERIFY, PIV_REFERENCE_PIN, PIN_FIELD, error);
    if (rc == CS_OK)
        rc = block(
            card, YKPIV_INS_RESET_RETRY, PIV_REFERENCE_PIN, sizeof(uint8_t[2 * PIN_FIELD]), error);
    return rc == CS_OK ? piv_write(card, &command, answer, &n, error) : rc;
}
