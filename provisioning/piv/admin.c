/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The management key, 9B. With 3DES, libykpiv shows and replaces it. With AES, as cards come since
 * firmware 5.7, its version 2.2 does not: the mutual authentication of SP 800-73-4, part 2,
 * appendix A.1, and Yubico's SET MANAGEMENT KEY are here. Both ways the card, too, must show that
 * it has the key, before anything is sent that only that card should get.
 */
#include "piv/run.h"
#include "room.h"

#include <openssl/evp.h>
#include <string.h>

#define BLOCK 16
#define TAG_TEMPLATE 0x7c
#define TAG_WITNESS 0x80
#define TAG_CHALLENGE 0x81
#define TAG_RESPONSE 0x82
#define SW_SECURITY 0x6982

static const uint8_t factory_key[CS_PIV_ADMIN_KEY_SIZE] = {
    1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8};

const char *cs_piv_algorithm_name(uint8_t algorithm)
{
    switch (algorithm) {
    case CS_PIV_3DES:
        return "3DES";
    case CS_PIV_AES128:
        return "AES-128";
    case CS_PIV_AES192:
        return "AES-192";
    case CS_PIV_AES256:
        return "AES-256";
    default:
        return "unknown";
    }
}

/* -- AES */

/* One block, in or out. */
static int aes_block(const uint8_t key[CS_PIV_ADMIN_KEY_SIZE], bool encrypt,
    const uint8_t in[BLOCK], uint8_t out[BLOCK], cs_error *error)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int n = 0;
    bool done = context != NULL &&
                EVP_CipherInit_ex(context, EVP_aes_192_ecb(), NULL, key, NULL, encrypt) == 1 &&
                EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
                EVP_CipherUpdate(context, out, &n, in, BLOCK) == 1 && n == BLOCK;

    EVP_CIPHER_CTX_free(context);
    return done ? CS_OK : CS_FAIL(error, CS_E_INTERNAL, "AES failed; see that OpenSSL has it");
}

int piv_admin_refused(const cs_piv *card, cs_error *error)
{
    return CS_FAIL(error, CS_E_REFUSED,
        "the management key of the card in reader %s is not the one of the record; wipe the card "
        "and make it anew",
        card->reader);
}

/* A block that the card gives, under that tag. */
static int ask(cs_piv *card, cs_view data, uint8_t tag, uint8_t out[BLOCK], cs_error *error)
{
    piv_read command = {"showing the management key", YKPIV_INS_AUTHENTICATE, CS_PIV_AES192,
        YKPIV_KEY_CARDMGM, data};
    uint8_t answer[PIV_ANSWER_MAX];
    cs_view template, block;
    size_t n;
    int status = 0, rc = piv_send(card, &command, answer, &n, &status, error);

    if (rc == CS_OK && status == SW_SECURITY)
        return piv_admin_refused(card, error);
    if (rc == CS_OK)
        rc = piv_check_status(card, command.what, status, error);
    if (rc != CS_OK)
        return rc;
    if (!piv_find((cs_view){answer, n}, TAG_TEMPLATE, &template) ||
        !piv_find(template, tag, &block) || block.n != BLOCK)
        return CS_FAIL(error, CS_E_TOKEN,
            "reader %s: the card's answer to its management key cannot be read; try again, or try "
            "another card",
            card->reader);
    memcpy(out, block.p, BLOCK);
    return CS_OK;
}

/* The card gives a block and wants it back in clear; and encrypts one of ours. */
static int show_aes(cs_piv *card, const uint8_t key[CS_PIV_ADMIN_KEY_SIZE], cs_error *error)
{
    static const uint8_t ask_witness[] = {TAG_TEMPLATE, 2, TAG_WITNESS, 0};
    uint8_t data[6 + 2 * BLOCK] = {
        TAG_TEMPLATE, 4 + 2 * BLOCK, TAG_WITNESS, BLOCK, [4 + BLOCK] = TAG_CHALLENGE, BLOCK};
    uint8_t *witness = data + 4, *challenge = data + 6 + BLOCK;
    uint8_t block[BLOCK], wanted[BLOCK];
    int rc = ask(card, CS_VIEW_ARRAY(ask_witness), TAG_WITNESS, block, error);

    if (rc == CS_OK)
        rc = aes_block(key, false, block, witness, error);
    if (rc == CS_OK) {
        cs_random(challenge, BLOCK);
        rc = aes_block(key, true, challenge, wanted, error);
    }
    if (rc == CS_OK)
        rc = ask(card, CS_VIEW_ARRAY(data), TAG_RESPONSE, block, error);
    if (rc == CS_OK && !cs_view_equal_secret(CS_VIEW_ARRAY(block), CS_VIEW_ARRAY(wanted)))
        rc = CS_FAIL(error, CS_E_REFUSED,
            "the card in reader %s does not have its management key: it is not the card that it "
            "says it is; keep it aside, and take another",
            card->reader);
    cs_wipe(data, sizeof data);
    cs_wipe(wanted, sizeof wanted);
    return rc;
}

static int replace_aes(cs_piv *card, const uint8_t key[CS_PIV_ADMIN_KEY_SIZE], cs_error *error)
{
    uint8_t data[3 + CS_PIV_ADMIN_KEY_SIZE] = {
        CS_PIV_AES192, YKPIV_KEY_CARDMGM, CS_PIV_ADMIN_KEY_SIZE};
    uint8_t answer[PIV_ANSWER_MAX];
    piv_read command = {
        "replacing the management key", YKPIV_INS_SET_MGMKEY, 0xff, 0xff, CS_VIEW_ARRAY(data)};
    size_t n;
    int rc;

    memcpy(data + 3, key, CS_PIV_ADMIN_KEY_SIZE);
    rc = piv_write(card, &command, answer, &n, error);
    cs_wipe(data, sizeof data);
    return rc;
}

/* -- either */

int piv_admin_check(const cs_piv *card, uint8_t algorithm, cs_error *error)
{
    if (algorithm == CS_PIV_3DES || algorithm == CS_PIV_AES192)
        return CS_OK;
    return CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
        "the management key of the card in reader %s is of %s, and 3DES or AES-192 is wanted, as "
        "cards come; wipe the card",
        card->reader, cs_piv_algorithm_name(algorithm));
}

int piv_admin_show(cs_piv *card, uint8_t algorithm, const uint8_t *key, cs_error *error)
{
    ykpiv_rc rc;

    if (algorithm == CS_PIV_AES192)
        return show_aes(card, key == NULL ? factory_key : key, error);
    rc = ykpiv_authenticate(card->state, key);
    if (rc == YKPIV_AUTHENTICATION_ERROR)
        return piv_admin_refused(card, error);
    return rc == YKPIV_OK ? CS_OK : piv_fail(card, "showing the management key", rc, error);
}

int piv_admin_replace(cs_piv *card, uint8_t algorithm, const uint8_t *key, cs_error *error)
{
    ykpiv_rc rc;

    if (algorithm == CS_PIV_AES192)
        return replace_aes(card, key, error);
    rc = ykpiv_set_mgmkey(card->state, key);
    return rc == YKPIV_OK ? CS_OK : piv_fail(card, "replacing the management key", rc, error);
}
