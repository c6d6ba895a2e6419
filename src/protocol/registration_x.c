/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/attestation.h"
#include "protocol/envelope.h"

#include <chartseal/registration.h>

#include <stdlib.h>
#include <string.h>

#define LABEL_S_X "chartseal/1 S_X" /* HPKE info of a sealed S_X; its aad is Y_X */

struct cs_registering {
    const cs_party *me;
    cs_role role;
    char id[CS_ID_MAX + 1];
    cs_token *token;
    char label[CS_LABEL_MAX + 1];
    uint8_t binding[CS_HASH_SIZE]; /* as the credential has to carry it */
    uint8_t puk_sign[CS_PUK_SIZE];
    uint8_t puk_decrypt[CS_PUK_SIZE];
    cs_delivery delivery;
    cs_delivery_key *delivery_key;
    cs_attestor *attestor; /* NULL: the token makes no statements */
    uint8_t h_request[CS_HASH_SIZE];
};

/* Both go to a key of the token's own, and are opened inside of it. */
static bool has_delivery_key(cs_delivery delivery)
{
    return delivery == CS_DELIVERY_WRAPPED || delivery == CS_DELIVERY_DUPLICATED;
}

/* Own keys, the binding to expect, and how S_X can reach this token. */
static int prepare(
    cs_registering *r, const cs_registering_input *input, uint8_t delivery_key[65], cs_error *error)
{
    int rc = cs_key_puk(r->puk_sign, r->me->sign, error);

    if (rc == CS_OK)
        rc = cs_key_puk(r->puk_decrypt, r->me->decrypt, error);
    if (rc == CS_OK && input->role == CS_ROLE_PATIENT) {
        if (input->binding.n != CS_HASH_SIZE)
            return CS_FAIL(error, CS_E_USAGE, "B' has to have 32 bytes");
        memcpy(r->binding, input->binding.p, CS_HASH_SIZE);
    } else if (rc == CS_OK) {
        rc = cs_hash(r->binding, r->me->certificate, error);
    }
    if (rc == CS_OK)
        rc = cs_token_delivery(r->token, r->me->cloud->suite, &r->delivery, error);
    if (rc == CS_OK && has_delivery_key(r->delivery))
        rc = cs_delivery_key_new(&r->delivery_key, r->token, delivery_key, error);
    return rc;
}

static int make_r1(cs_registering *r, const cs_registering_input *input, const cs_env *env,
    const uint8_t delivery_key[65], cs_buf *r1, cs_error *error)
{
    const cs_cloud *cloud = r->me->cloud;
    cs_register request = {.role = input->role,
        .id = cs_view_str(input->id),
        .puk_sign = CS_VIEW_ARRAY(r->puk_sign),
        .puk_decrypt = CS_VIEW_ARRAY(r->puk_decrypt),
        .binding = input->binding,
        .certificate = r->me->certificate,
        .ocsp = r->me->ocsp,
        .code = input->code,
        .delivery = r->delivery,
        .delivery_key = {delivery_key, has_delivery_key(r->delivery) ? 65 : 0},
        .time = (uint64_t)env->now,
        .id_pc = cs_view_str(cloud->id),
        .pk = cs_point_view(&cloud->pk)};
    cs_buf attestation = {0};
    cs_buf bytes = {0};
    cs_signed whole;
    int rc = cs_attestation_make(&r->attestor, &attestation, r->me, r->token, &request, error);

    request.attestation = cs_view_buf(&attestation);
    if (rc == CS_OK)
        rc = cs_signed_make(&bytes, r->me->sign, &cs_register_schema, &request, error);
    if (rc == CS_OK)
        rc = cs_decode(&cs_signed_schema, &whole, cs_view_buf(&bytes), error);
    if (rc == CS_OK)
        rc = cs_envelope_seal(r1, "chartseal/1 R1", cloud->suite, env->now, cloud->puk_decrypt,
            &cs_signed_schema, &whole, NULL, error);
    if (rc == CS_OK)
        rc = cs_hash(r->h_request, cs_view_buf(r1), error);
    cs_buf_free(&attestation);
    cs_buf_free(&bytes);
    return rc;
}

int cs_registering_begin(cs_registering **out, const cs_party *me, const cs_env *env,
    const cs_registering_input *input, cs_buf *r1, cs_error *error)
{
    uint8_t delivery_key[65];
    cs_registering *r = calloc(1, sizeof *r);
    int rc;

    *out = NULL;
    if (r == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a registration");
    r->me = me;
    r->role = input->role;
    r->token = input->token;
    rc = cs_text_take(r->id, sizeof r->id, "identity", input->id, error);
    if (rc == CS_OK)
        rc = cs_text_take(r->label, sizeof r->label, "label of the key", input->label, error);
    if (rc == CS_OK)
        rc = prepare(r, input, delivery_key, error);
    if (rc == CS_OK)
        rc = make_r1(r, input, env, delivery_key, r1, error);
    if (rc != CS_OK)
        cs_registering_free(&r);
    *out = r;
    return rc;
}

void cs_registering_free(cs_registering **registering)
{
    if (registering == NULL || *registering == NULL)
        return;
    cs_delivery_key_free(&(*registering)->delivery_key);
    cs_attestor_free(&(*registering)->attestor);
    free(*registering);
    *registering = NULL;
}

/* The credential has to say about X what X said. */
static int check_credential(
    const cs_registering *r, const cs_env *env, cs_credential *credential, cs_error *error)
{
    int rc = cs_credential_check(credential, r->me->cloud, env, r->role, error);

    if (rc != CS_OK)
        return rc;
    if (strcmp(credential->id, r->id) != 0 ||
        memcmp(credential->binding, r->binding, CS_HASH_SIZE) != 0 ||
        memcmp(credential->puk_sign, r->puk_sign, CS_PUK_SIZE) != 0 ||
        memcmp(credential->puk_decrypt, r->puk_decrypt, CS_PUK_SIZE) != 0)
        return CS_FAIL(error, CS_E_CREDENTIAL,
            "the public cloud issued a credential for something else than was asked for");
    return CS_OK;
}

/* Eq. 4, 7, 10: S_X·P = Y_X. */
static int check_scalar(const cs_credential *credential, const cs_scalar *s, cs_error *error)
{
    cs_point y;
    int rc = cs_point_base_mul(&y, credential->y.suite, s, error);

    if (rc == CS_OK && !cs_point_equal(&y, &credential->y))
        rc = CS_FAIL(error, CS_E_CREDENTIAL,
            "S_X does not belong to the credential (Eq. 4); nothing was kept, register again");
    return rc;
}

/* S_X from its bytes, checked, in guarded memory. */
static int take_scalar(
    cs_scalar **out, const cs_credential *credential, cs_view bytes, cs_error *error)
{
    cs_scalar *s = cs_secret_new(sizeof *s);
    int rc = CS_OK;

    if (s == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no guarded memory for S_X");
    if (rc == CS_OK)
        rc = cs_scalar_decode(s, credential->y.suite, bytes, error);
    if (rc == CS_OK)
        rc = check_scalar(credential, s, error);
    if (rc != CS_OK)
        cs_secret_free(&s);
    *out = s;
    return rc;
}

static int import_lifted(cs_registering *r, const cs_credential *credential,
    const cs_registered *answer, cs_key **out, cs_error *error)
{
    cs_scalar *s = NULL;
    int rc = take_scalar(&s, credential, answer->secret, error);

    if (rc == CS_OK)
        rc = cs_key_import_lifted(out, r->token, r->label, s, &credential->y, error);
    cs_secret_free(&s);
    return rc;
}

/* Opened once, for the check; then it stays sealed. */
static int keep_sealed(cs_registering *r, const cs_credential *credential,
    const cs_registered *answer, cs_key **out, cs_buf *sealed, cs_error *error)
{
    cs_buf opened = {.guarded = true};
    cs_scalar *s = NULL;
    int rc = cs_hpke_open(&opened, answer->peer, answer->secret, CS_VIEW_ARRAY(r->puk_decrypt),
        cs_view_str(LABEL_S_X), cs_point_view(&credential->y), cs_agree_with_key, r->me->decrypt,
        NULL, error);

    if (rc == CS_OK)
        rc = take_scalar(&s, credential, cs_view_buf(&opened), error);
    cs_secret_free(&s);
    cs_buf_free(&opened);
    if (rc == CS_OK)
        rc = cs_buf_append(sealed, answer->peer, error);
    if (rc == CS_OK)
        rc = cs_buf_append(sealed, answer->secret, error);
    if (rc == CS_OK)
        rc = cs_scalar_open_sealed(out, r->me->decrypt, cs_view_buf(sealed), credential, error);
    return rc;
}

static int receive_scalar(cs_registering *r, const cs_credential *credential,
    const cs_registered *answer, cs_key **out, cs_buf *sealed, cs_error *error)
{
    size_t peer_size = r->delivery == CS_DELIVERY_LIFTED ? 0 : 65;

    if (answer->delivery != (uint64_t)r->delivery || answer->peer.n != peer_size)
        return CS_FAIL(error, CS_E_PEER, "S_X comes in another way than this token takes it");
    switch (r->delivery) {
    case CS_DELIVERY_LIFTED:
        return import_lifted(r, credential, answer, out, error);
    case CS_DELIVERY_WRAPPED:
    case CS_DELIVERY_DUPLICATED:
        /* the token checks that what it unwrapped is Y_X's private key */
        return cs_delivery_key_unwrap(
            out, r->delivery_key, r->label, answer->peer.p, answer->secret, &credential->y, error);
    case CS_DELIVERY_SEALED:
        return keep_sealed(r, credential, answer, out, sealed, error);
    }
    return CS_FAIL(error, CS_E_INTERNAL, "unknown delivery");
}

/* PC seals S_X for the endorsement key whenever it was shown one. */
static int open_secret(
    const cs_registering *r, cs_registered *answer, cs_buf *opened, cs_error *error)
{
    bool shown = r->attestor != NULL && cs_attestor_describe(r->attestor)->has_endorsement;
    int rc;

    if (shown != (answer->activation.n > 0))
        return CS_FAIL(
            error, CS_E_PEER, "S_X is not sealed as the endorsement key that was shown wants it");
    if (!shown)
        return CS_OK;
    rc = cs_attestation_open(
        opened, r->attestor, answer->activation, r->h_request, answer->secret, error);
    answer->secret = cs_view_buf(opened);
    return rc;
}

int cs_registering_finish(cs_registering *r, const cs_env *env, cs_view r2,
    cs_credential *credential, cs_key **scalar, cs_buf *sealed, cs_error *error)
{
    cs_registered answer;
    cs_buf plain = {.guarded = true}; /* a lifted S_X is in it */
    cs_buf opened = {.guarded = true};
    uint64_t time;
    int rc = cs_envelope_open("chartseal/1 R2", r->me, env, r2, &cs_registered_schema, &answer,
        &plain, &time, NULL, error);

    *scalar = NULL;
    if (rc == CS_OK)
        rc = cs_check_same_time(time, answer.time, error);
    if (rc == CS_OK && !cs_view_equal(answer.h_request, CS_VIEW_ARRAY(r->h_request)))
        rc = CS_FAIL(error, CS_E_RECIPIENT, "the answer is to another request");
    if (rc == CS_OK)
        rc = cs_credential_parse(credential, r->me->cloud, answer.credential, error);
    if (rc == CS_OK)
        rc = check_credential(r, env, credential, error);
    if (rc == CS_OK)
        rc = open_secret(r, &answer, &opened, error);
    if (rc == CS_OK)
        rc = receive_scalar(r, credential, &answer, scalar, sealed, error);
    cs_buf_free(&opened);
    cs_buf_free(&plain);
    return rc;
}

int cs_scalar_open_sealed(
    cs_key **out, cs_key *decrypt, cs_view sealed, const cs_credential *credential, cs_error *error)
{
    *out = NULL;
    if (sealed.n <= CS_HPKE_ENC_SIZE)
        return CS_FAIL(error, CS_E_MALFORMED, "a sealed S_X is cut short; register again");
    return cs_key_open_sealed(out, decrypt, (cs_view){sealed.p, CS_HPKE_ENC_SIZE},
        (cs_view){sealed.p + CS_HPKE_ENC_SIZE, sealed.n - CS_HPKE_ENC_SIZE}, credential->y.suite,
        &credential->y, error);
}
