/* SPDX-License-Identifier: Apache-2.0 */
#include "p11.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int p11_own_id(uint8_t id[P11_OWN_ID_SIZE], cs_view public_point, cs_error *error)
{
    uint8_t digest[CS_HASH_SIZE];
    int rc = cs_hash(digest, public_point, error);

    if (rc == CS_OK)
        memcpy(id, digest, P11_OWN_ID_SIZE);
    return rc;
}

CK_RV p11_check_label_free(p11_job *job, const char *label)
{
    CK_OBJECT_HANDLE found;
    CK_ULONG count;
    CK_RV rv = p11_find_label(job, label, &found, 1, &count);

    if (rv == CKR_OK && count > 0)
        job->rc = CS_FAIL(job->error, CS_E_EXISTS,
            "token %s has a key labelled %s; take another label, or remove that one first",
            job->token->label, label);
    return rv;
}

static CK_RV generate_pair(p11_job *job, const p11_generation *g, cs_view params,
    CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
    bool ed25519 = g->use == CS_USE_ISSUE;
    CK_MECHANISM mechanism = {ed25519 ? CKM_EC_EDWARDS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_BBOOL sign = g->use == CS_USE_AGREE ? CK_FALSE : CK_TRUE;
    CK_BBOOL derive = g->use == CS_USE_AGREE ? CK_TRUE : CK_FALSE;
    CK_BBOOL leaves = g->with != NULL ? CK_TRUE : CK_FALSE;
    char label[CS_LABEL_MAX + 1];
    uint8_t curve[16];
    CK_ATTRIBUTE public_template[] = {{CKA_LABEL, label, strlen(g->label)},
        {CKA_EC_PARAMS, curve, params.n}, P11_ATTRIBUTE(CKA_TOKEN, &yes),
        P11_ATTRIBUTE(CKA_PRIVATE, &no), P11_ATTRIBUTE(CKA_VERIFY, &sign),
        P11_ATTRIBUTE(CKA_ENCRYPT, &no), P11_ATTRIBUTE(CKA_WRAP, &no)};
    CK_ATTRIBUTE private_template[] = {{CKA_LABEL, label, strlen(g->label)},
        P11_ATTRIBUTE(CKA_TOKEN, &yes), P11_ATTRIBUTE(CKA_PRIVATE, &yes),
        P11_ATTRIBUTE(CKA_SENSITIVE, &yes), P11_ATTRIBUTE(CKA_EXTRACTABLE, &leaves),
        P11_ATTRIBUTE(CKA_SIGN, &sign), P11_ATTRIBUTE(CKA_DERIVE, &derive),
        P11_ATTRIBUTE(CKA_DECRYPT, &no), P11_ATTRIBUTE(CKA_UNWRAP, &no),
        P11_ATTRIBUTE(CKA_WRAP_WITH_TRUSTED, &yes)};
    CK_ULONG n = sizeof private_template / sizeof private_template[0];

    (void)snprintf(label, sizeof label, "%s", g->label);
    memcpy(curve, params.p, params.n);
    return P11(job, C_GenerateKeyPair, &mechanism, public_template,
        sizeof public_template / sizeof public_template[0], private_template,
        g->with != NULL ? n : n - 1, public_key, private_key);
}

/* CKA_ID binds the two halves; it is made from the point, which is known only now. */
static CK_RV set_id(
    p11_job *job, p11_curve curve, CK_OBJECT_HANDLE public_key, CK_OBJECT_HANDLE private_key)
{
    uint8_t point[P11_EC_POINT_MAX], id[P11_OWN_ID_SIZE];
    CK_ULONG n = sizeof point;
    CK_ATTRIBUTE attribute = {CKA_ID, id, sizeof id};
    size_t size = curve == P11_CURVE_P256 ? 65 : 32;
    const uint8_t *raw;
    CK_RV rv = p11_read(job, public_key, CKA_EC_POINT, point, &n);

    if (rv != CKR_OK)
        return rv;
    if (!p11_point_raw((cs_view){point, n}, size, &raw)) {
        job->rc = CS_FAIL(job->error, CS_E_TOKEN, "token %s made a key whose public point is none",
            job->token->label);
        return CKR_OK;
    }
    job->rc = p11_own_id(id, (cs_view){raw, size}, job->error);
    if (job->rc != CS_OK)
        return CKR_OK;
    rv = P11(job, C_SetAttributeValue, public_key, &attribute, 1);
    return rv == CKR_OK ? P11(job, C_SetAttributeValue, private_key, &attribute, 1) : rv;
}

static CK_RV make_pair(p11_job *job, const p11_generation *g)
{
    p11_curve curve = g->use == CS_USE_ISSUE ? P11_CURVE_ED25519 : P11_CURVE_P256;
    CK_OBJECT_HANDLE public_key = CK_INVALID_HANDLE, private_key = CK_INVALID_HANDLE;
    CK_RV rv = CKR_GENERAL_ERROR;

    for (unsigned form = 0; form < 2 && rv != CKR_OK && !p11_rv_is_lost(rv); form++)
        rv = generate_pair(job, g, p11_curve_params(curve, form), &public_key, &private_key);
    if (rv != CKR_OK)
        return rv;
    rv = set_id(job, curve, public_key, private_key);
    if (rv == CKR_OK && job->rc == CS_OK)
        rv = p11_settle(job, g, private_key);
    if (rv != CKR_OK || job->rc != CS_OK) {
        p11_destroy(job, private_key);
        p11_destroy(job, public_key);
    }
    return rv;
}

static CK_RV make_secret(p11_job *job, const p11_generation *g)
{
    CK_MECHANISM mechanism = {CKM_GENERIC_SECRET_KEY_GEN, NULL, 0};
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE, leaves = g->with != NULL ? CK_TRUE : CK_FALSE;
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_ULONG size = 32;
    uint8_t id[P11_OWN_ID_SIZE];
    char label[CS_LABEL_MAX + 1];
    CK_ATTRIBUTE template[] = {{CKA_LABEL, label, strlen(g->label)}, {CKA_ID, id, sizeof id},
        P11_ATTRIBUTE(CKA_CLASS, &class), P11_ATTRIBUTE(CKA_KEY_TYPE, &type),
        P11_ATTRIBUTE(CKA_VALUE_LEN, &size), P11_ATTRIBUTE(CKA_TOKEN, &yes),
        P11_ATTRIBUTE(CKA_PRIVATE, &yes), P11_ATTRIBUTE(CKA_SENSITIVE, &yes),
        P11_ATTRIBUTE(CKA_EXTRACTABLE, &leaves), P11_ATTRIBUTE(CKA_SIGN, &yes),
        P11_ATTRIBUTE(CKA_VERIFY, &no), P11_ATTRIBUTE(CKA_ENCRYPT, &no),
        P11_ATTRIBUTE(CKA_DECRYPT, &no), P11_ATTRIBUTE(CKA_WRAP, &no),
        P11_ATTRIBUTE(CKA_UNWRAP, &no), P11_ATTRIBUTE(CKA_DERIVE, &no),
        P11_ATTRIBUTE(CKA_WRAP_WITH_TRUSTED, &yes)};
    CK_ULONG n = sizeof template / sizeof template[0];
    CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
    CK_RV rv;

    (void)snprintf(label, sizeof label, "%s", g->label);
    cs_random(id, sizeof id);
    rv = P11(job, C_GenerateKey, &mechanism, template, g->with != NULL ? n : n - 1, &made);
    if (rv == CKR_OK)
        rv = p11_settle(job, g, made);
    if (rv != CKR_OK || job->rc != CS_OK)
        p11_destroy(job, made);
    return rv;
}

static CK_RV generate_work(p11_job *job, void *context)
{
    p11_generation *g = context;
    CK_RV rv = p11_check_label_free(job, g->label);

    if (rv != CKR_OK || job->rc != CS_OK)
        return rv;
    job->committed = true;
    return g->use == CS_USE_PRF ? make_secret(job, g) : make_pair(job, g);
}

int p11_generate_wrapped(cs_token *base, cs_key **out, cs_buf *wrapped, const cs_wrapping_key *with,
    const char *label, cs_use use, cs_suite suite, cs_error *error)
{
    p11_token *token = (p11_token *)base;
    p11_generation g = {.label = label, .use = use, .with = with, .wrapped = wrapped};

    if (use == CS_USE_ISSUE && suite != CS_SUITE_ED25519)
        return CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
            "a PKCS#11 token issues in suite ed25519 alone; a TPM does in p256");
    g.key = p11_key_new(token, use, suite, error);
    if (g.key == NULL)
        return CS_E_MEMORY;
    return p11_run_for_key(token, out, generate_work, &g, &g, error);
}

int p11_generate(
    cs_token *base, cs_key **out, const char *label, cs_use use, cs_suite suite, cs_error *error)
{
    return p11_generate_wrapped(base, out, NULL, NULL, label, use, suite, error);
}
