/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/access.h"
#include "protocol/credential.h"
#include "protocol/envelope.h"

#include <string.h>

/* SigD2 with the key that the credential claims, then whether the claim holds. */
static int check_doctor(cs_query *q, const cs_party *pc, const cs_env *env, const cs_cd2 *cd2,
    uint8_t digest[CS_HASH_SIZE], cs_error *error)
{
    const cs_sig_d2 fields = {.y_d = cs_point_view(&q->doctor.y),
        .t_d2 = cd2->t_d2,
        .id_p = cd2->id_p,
        .id_de = cd2->id_de,
        .id_d = cd2->id_d,
        .id_pc = cs_view_str(pc->cloud->id),
        .h_access = CS_VIEW_ARRAY(q->h_access)};
    int rc = cs_message_verify("the doctor's SigD2", q->doctor.puk_sign, &cs_sig_d2_schema, &fields,
        cd2->sig_d2, digest, error);

    if (rc == CS_OK)
        rc = cs_credential_check(&q->doctor, pc->cloud, env, CS_ROLE_DOCTOR, error);
    q->known = cs_credential_is_authentic(rc);
    if (rc == CS_OK && !cs_view_equal(cd2->id_d, cs_view_str(q->doctor.id)))
        rc = CS_FAIL(error, CS_E_CREDENTIAL, "the credential is another doctor's");
    if (rc == CS_OK)
        rc = cs_credential_check_certificate(&q->doctor, env, cd2->cert_d, &cd2->ocsp, error);
    return rc;
}

int cs_query_open(cs_query *out, const cs_party *pc, const cs_env *env, cs_view s1, cs_error *error)
{
    uint8_t digest[CS_HASH_SIZE];
    cs_buf plain = {0};
    cs_cd2 cd2;
    uint64_t time;
    int rc = cs_envelope_open(
        "chartseal/1 S1", pc, env, s1, &cs_cd2_schema, &cd2, &plain, &time, NULL, error);

    memset(out, 0, sizeof *out);
    if (rc == CS_OK)
        rc = cs_check_same_time(time, cd2.t_d2, error);
    if (rc == CS_OK)
        rc = cs_hash(out->h_request, s1, error);
    if (rc == CS_OK) {
        cs_text_copy(out->id_p, sizeof out->id_p, cd2.id_p);
        cs_text_copy(out->id_de, sizeof out->id_de, cd2.id_de);
        memcpy(out->signature, cd2.sig_d2.p, CS_SIGNATURE_SIZE);
        rc = cs_credential_parse(&out->doctor, pc->cloud, cd2.credential_d, error);
    }
    if (rc == CS_OK)
        rc = cs_access_hash(out->h_access, cd2.consent, cd2.reason, error);
    if (rc == CS_OK)
        rc = check_doctor(out, pc, env, &cd2, digest, error);
    if (rc == CS_OK)
        rc = cs_access_check(out, pc->cloud, env, cd2.consent, cd2.reason, error);
    if (rc == CS_OK)
        rc = cs_check_fresh(env, digest, error);
    cs_buf_free(&plain);
    return rc;
}

/* Salts, commitments and what D is told of each hospital. */
typedef struct answer {
    uint8_t salts[CS_LIST_MAX][16];
    uint8_t commitments[CS_LIST_MAX * CS_HASH_SIZE];
    cs_buf found[CS_LIST_MAX];
    cs_list list;
} answer;

static int put_found(answer *a, const cs_index_value *row, cs_error *error)
{
    size_t i = a->list.n;
    cs_found found;
    int rc;

    cs_random(a->salts[i], sizeof a->salts[i]);
    found = (cs_found){.id_hpc = row->id_hpc,
        .credential_hpc = row->credential_hpc,
        .url = row->url,
        .salt = CS_VIEW_ARRAY(a->salts[i])};
    rc = cs_hospital_hash(&a->commitments[i * CS_HASH_SIZE], row->id_hpc, found.salt, error);
    if (rc == CS_OK)
        rc = cs_encode(&a->found[i], &cs_found_schema, &found, error);
    if (rc == CS_OK) {
        a->list.items[i] = cs_view_buf(&a->found[i]);
        a->list.n++;
    }
    return rc;
}

static int seal_answer(const answer *a, const cs_party *pc, const cs_env *env,
    const cs_query *query, cs_buf *s2, cs_error *error)
{
    const cs_sig_c fields = {.id_de = cs_view_str(query->id_de),
        .y_d = cs_point_view(&query->doctor.y),
        .hospitals = {a->commitments, a->list.n * CS_HASH_SIZE},
        .t_c = (uint64_t)env->now,
        .id_p = cs_view_str(query->id_p),
        .h_s1 = CS_VIEW_ARRAY(query->h_request)};
    cs_buf bytes = {0};
    cs_signed whole;
    int rc = cs_signed_make(&bytes, pc->sign, &cs_sig_c_schema, &fields, error);

    if (rc == CS_OK)
        rc = cs_decode(&cs_signed_schema, &whole, cs_view_buf(&bytes), error);
    if (rc == CS_OK) {
        const cs_cc cc = {.sig_c_body = whole.body,
            .sig_c = whole.signature,
            .found = a->list,
            .t_c = (uint64_t)env->now};

        rc = cs_envelope_seal(s2, "chartseal/1 S2", pc->cloud->suite, env->now,
            query->doctor.puk_decrypt, &cs_cc_schema, &cc, NULL, error);
    }
    cs_buf_free(&bytes);
    return rc;
}

int cs_query_answer(const cs_party *pc, const cs_env *env, const cs_query *query,
    const cs_index_value *rows, size_t count, cs_buf *s2, cs_error *error)
{
    answer a = {0};
    int rc = CS_OK;

    if (count == 0 || count > CS_LIST_MAX)
        return CS_FAIL(error, CS_E_USAGE, "an answer names 1 to %d hospitals", CS_LIST_MAX);
    for (size_t i = 0; rc == CS_OK && i < count; i++)
        rc = put_found(&a, &rows[i], error);
    if (rc == CS_OK)
        rc = seal_answer(&a, pc, env, query, s2, error);
    for (size_t i = 0; i < CS_LIST_MAX; i++)
        cs_buf_free(&a.found[i]);
    return rc;
}
