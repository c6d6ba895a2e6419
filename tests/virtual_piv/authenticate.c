/* SPDX-License-Identifier: Apache-2.0 */
/* GENERAL AUTHENTICATE: SP 800-73-4, part 2, 3.2.4, with its examples in appendix A. */
#include "card.h"

#include <chartseal/crypto.h>

#include <openssl/evp.h>
#include <string.h>

#define TAG_TEMPLATE 0x7c
#define TAG_WITNESS 0x80
#define TAG_CHALLENGE 0x81
#define TAG_RESPONSE 0x82
#define TAG_EXPONENTIATION 0x85
#define POINT_SIZE 65

/* As cards come from the factory. */
const uint8_t piv_default_admin_key[24] = {
    1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8};

static uint16_t answer(cs_buf *out, uint32_t tag, cs_view value)
{
    cs_buf inner = {0};
    int rc = piv_tlv_append(&inner, tag, value);

    if (rc == CS_OK)
        rc = piv_tlv_append(out, TAG_TEMPLATE, cs_view_buf(&inner));
    cs_buf_free(&inner);
    return rc == CS_OK ? SW_OK : SW_INTERNAL;
}

/* -- the management key */

static const EVP_CIPHER *cipher_of(uint8_t algorithm)
{
    switch (algorithm) {
    case PIV_3DES:
        return EVP_des_ede3_ecb();
    case PIV_AES128:
        return EVP_aes_128_ecb();
    case PIV_AES192:
        return EVP_aes_192_ecb();
    case PIV_AES256:
        return EVP_aes_256_ecb();
    default:
        return NULL;
    }
}

size_t piv_admin_key_size(uint8_t algorithm)
{
    const EVP_CIPHER *cipher = cipher_of(algorithm);

    return cipher == NULL ? 0 : (size_t)EVP_CIPHER_get_key_length(cipher);
}

static size_t block_size(const piv_card *card)
{
    return card->state.admin_algorithm == PIV_3DES ? 8 : PIV_BLOCK_MAX;
}

static bool encrypt_block(
    const piv_card *card, const uint8_t in[PIV_BLOCK_MAX], uint8_t out[PIV_BLOCK_MAX])
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int size = (int)block_size(card), n = 0;
    bool done;

    done = context != NULL &&
           EVP_EncryptInit_ex(context, cipher_of(card->state.admin_algorithm), NULL,
               card->state.admin_key, NULL) == 1 &&
           EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
           EVP_EncryptUpdate(context, out, &n, in, size) == 1 && n == size;
    EVP_CIPHER_CTX_free(context);
    return done;
}

/* A witness is shown encrypted and wanted back in clear; a challenge the other way round. */
static uint16_t give_challenge(piv_card *card, piv_challenge kind, cs_buf *out)
{
    piv_power *power = &card->power;
    uint8_t shown[PIV_BLOCK_MAX], wanted[PIV_BLOCK_MAX];
    bool witness = kind == PIV_WITNESS;

    cs_random(shown, sizeof shown);
    if (!encrypt_block(card, shown, wanted))
        return SW_INTERNAL;
    memcpy(power->challenge_block, witness ? shown : wanted, PIV_BLOCK_MAX);
    power->challenge = kind;
    return answer(out, witness ? TAG_WITNESS : TAG_CHALLENGE,
        (cs_view){witness ? wanted : shown, block_size(card)});
}

/* Once: a second guess needs another challenge. */
static bool meets_challenge(piv_card *card, piv_challenge kind, cs_view given)
{
    piv_power *power = &card->power;
    bool met = power->challenge == kind &&
               cs_view_equal_secret(given, (cs_view){power->challenge_block, block_size(card)});

    power->challenge = PIV_NO_CHALLENGE;
    return met || card->options.impostor;
}

static uint16_t authenticate_admin(piv_card *card, cs_view template, cs_buf *out)
{
    cs_view witness, challenge, response;
    bool has_witness = piv_tlv_find(template, TAG_WITNESS, &witness);
    bool has_challenge = piv_tlv_find(template, TAG_CHALLENGE, &challenge);
    bool has_response = piv_tlv_find(template, TAG_RESPONSE, &response);
    uint8_t block[PIV_BLOCK_MAX];

    if (has_witness && witness.n == 0)
        return give_challenge(card, PIV_WITNESS, out);
    if (has_challenge && challenge.n == 0)
        return give_challenge(card, PIV_CHALLENGE, out);
    card->power.admin = false;
    if (has_witness && has_challenge && challenge.n == block_size(card)) {
        if (!meets_challenge(card, PIV_WITNESS, witness))
            return SW_SECURITY;
        if (!encrypt_block(card, challenge.p, block))
            return SW_INTERNAL;
        if (card->options.impostor)
            cs_random(block, sizeof block);
        card->power.admin = true;
        return answer(out, TAG_RESPONSE, (cs_view){block, block_size(card)});
    }
    if (has_response && !has_witness && !has_challenge) {
        if (!meets_challenge(card, PIV_CHALLENGE, response))
            return SW_SECURITY;
        card->power.admin = true;
        return SW_OK;
    }
    return SW_DATA;
}

/* -- private keys */

static uint16_t check_pin(piv_card *card, const piv_key *key)
{
    piv_power *power = &card->power;
    uint8_t policy = piv_key_pin_policy(key);
    bool fresh = power->pin_fresh;

    power->pin_fresh = false;
    if (policy == PIV_PIN_NEVER || (policy == PIV_PIN_ONCE && power->pin_verified))
        return SW_OK;
    return policy == PIV_PIN_ALWAYS && fresh ? SW_OK : SW_SECURITY;
}

static uint16_t sign(const piv_key *key, cs_view digest, cs_buf *out)
{
    uint8_t signature[CS_SIGNATURE_SIZE];
    cs_buf der = {0};
    uint16_t status = SW_INTERNAL;

    if (digest.n != CS_HASH_SIZE)
        return SW_DATA;
    if (cs_p256_sign(signature, key->private_key, digest.p, NULL) == CS_OK &&
        cs_ecdsa_to_der(&der, signature, NULL) == CS_OK)
        status = answer(out, TAG_RESPONSE, cs_view_buf(&der));
    cs_buf_free(&der);
    return status;
}

static uint16_t agree(const piv_key *key, cs_view peer, cs_buf *out)
{
    uint8_t x[32];
    uint16_t status;

    if (peer.n != POINT_SIZE || cs_p256_ecdh(x, key->private_key, peer, NULL) != CS_OK)
        return SW_DATA;
    status = answer(out, TAG_RESPONSE, CS_VIEW_ARRAY(x));
    cs_wipe(x, sizeof x);
    return status;
}

/* Which of the two a key is for: SP 800-73-4, part 1, table 5. 9D and the retired ones agree, the
 * others sign. */
static bool agrees(uint8_t reference)
{
    return reference == PIV_REF_KEY_MANAGEMENT ||
           (reference >= PIV_REF_RETIRED_FIRST && reference <= PIV_REF_RETIRED_LAST);
}

static uint16_t use_key(piv_card *card, uint8_t reference, cs_view template, cs_buf *out)
{
    const piv_key *key = piv_key_find(card, reference);
    cs_view response, input;
    uint16_t status;
    bool ecdh;

    if (key == NULL)
        return SW_REFERENCE;
    status = check_pin(card, key);
    if (status != SW_OK)
        return status;
    ecdh = piv_tlv_find(template, TAG_EXPONENTIATION, &input);
    if (!piv_tlv_find(template, TAG_RESPONSE, &response) || response.n != 0 ||
        (!ecdh && !piv_tlv_find(template, TAG_CHALLENGE, &input)))
        return SW_DATA;
    if (ecdh && !agrees(reference))
        return SW_DATA;
    piv_key_delay(card);
    return ecdh ? agree(key, input, out) : sign(key, input, out);
}

uint16_t piv_general_authenticate(piv_card *card, const piv_apdu *apdu, cs_buf *out)
{
    cs_view rest = apdu->data, template;
    uint32_t tag;

    if (!piv_tlv_next(&rest, &tag, &template) || tag != TAG_TEMPLATE || rest.n != 0)
        return SW_DATA;
    if (apdu->p2 == PIV_REF_ADMIN) {
        /* 00 stands for 3DES, too */
        uint8_t algorithm = apdu->p1 == 0 ? PIV_3DES : apdu->p1;

        return algorithm == card->state.admin_algorithm ? authenticate_admin(card, template, out)
                                                        : SW_P1P2;
    }
    card->power.challenge = PIV_NO_CHALLENGE;
    return apdu->p1 == PIV_P256 ? use_key(card, apdu->p2, template, out) : SW_P1P2;
}
