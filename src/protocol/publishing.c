/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/credential.h"
#include "protocol/envelope.h"

#include <chartseal/search.h>

#include <string.h>

int cs_publishing_begin(cs_publishing *out, const cs_party *hpc, const cs_env *env,
    const char *id_p, const char *id_de, const char *url, cs_buf *p1, cs_error *error)
{
    const cs_cloud *cloud = hpc->cloud;
    const cs_publish publish = {.credential_hpc = cs_credential_view(hpc->credential),
        .id_p = cs_view_str(id_p),
        .id_de = cs_view_str(id_de),
        .url = cs_view_str(url),
        .time = (uint64_t)env->now,
        .id_pc = cs_view_str(cloud->id)};
    cs_buf bytes = {0};
    cs_signed whole;
    int rc = cs_signed_make(&bytes, hpc->sign, &cs_publish_schema, &publish, error);

    if (rc == CS_OK)
        rc = cs_decode(&cs_signed_schema, &whole, cs_view_buf(&bytes), error);
    if (rc == CS_OK)
        rc = cs_envelope_seal(p1, "chartseal/1 P1", cloud->suite, env->now, cloud->puk_decrypt,
            &cs_signed_schema, &whole, out->reply_secret, error);
    if (rc == CS_OK)
        rc = cs_hash(out->h_request, cs_view_buf(p1), error);
    cs_buf_free(&bytes);
    return rc;
}

int cs_publishing_finish(const cs_publishing *publishing, const cs_party *hpc, const cs_env *env,
    cs_view p2, cs_error *error)
{
    cs_acknowledgement acknowledgement;
    cs_buf plain = {0};
    uint64_t time;
    int rc = cs_reply_open("chartseal/1 P2", publishing->reply_secret, hpc->cloud->suite, env, p2,
        &cs_acknowledgement_schema, &acknowledgement, &plain, &time, error);

    if (rc == CS_OK &&
        !cs_view_equal(acknowledgement.h_request, CS_VIEW_ARRAY(publishing->h_request)))
        rc = CS_FAIL(error, CS_E_RECIPIENT, "the acknowledgement is of another publication");
    cs_buf_free(&plain);
    return rc;
}

static int check_publication(cs_publication *out, const cs_party *pc, const cs_env *env,
    const cs_signed *whole, const cs_publish *publish, cs_error *error)
{
    uint8_t digest[CS_HASH_SIZE];
    int rc = cs_credential_parse(&out->hospital, pc->cloud, publish->credential_hpc, error);

    if (rc == CS_OK)
        rc = cs_signed_verify("the hospital's signature on a publication", whole,
            out->hospital.puk_sign, digest, error);
    if (rc == CS_OK)
        rc = cs_credential_check(&out->hospital, pc->cloud, env, CS_ROLE_HOSPITAL, error);
    out->known = cs_credential_is_authentic(rc);
    if (rc == CS_OK && !cs_view_equal(publish->id_pc, cs_view_str(pc->cloud->id)))
        rc = CS_FAIL(error, CS_E_RECIPIENT, "the publication is for another public cloud");
    if (rc == CS_OK)
        rc = cs_check_fresh(env, digest, error);
    return rc;
}

int cs_publication_open(
    cs_publication *out, const cs_party *pc, const cs_env *env, cs_view p1, cs_error *error)
{
    cs_buf plain = {0};
    cs_publish publish;
    cs_signed whole;
    uint64_t time;
    int rc;

    memset(out, 0, sizeof *out);
    rc = cs_envelope_open("chartseal/1 P1", pc, env, p1, &cs_signed_schema, &whole, &plain, &time,
        out->reply_secret, error);
    if (rc == CS_OK)
        rc = cs_decode(&cs_publish_schema, &publish, whole.body, error);
    if (rc == CS_OK)
        rc = cs_check_same_time(time, publish.time, error);
    if (rc == CS_OK) {
        cs_text_copy(out->id_p, sizeof out->id_p, publish.id_p);
        cs_text_copy(out->id_de, sizeof out->id_de, publish.id_de);
        cs_text_copy(out->url, sizeof out->url, publish.url);
        memcpy(out->signature, whole.signature.p, CS_SIGNATURE_SIZE);
        rc = cs_hash(out->h_request, p1, error);
    }
    if (rc == CS_OK)
        rc = check_publication(out, pc, env, &whole, &publish, error);
    cs_buf_free(&plain);
    return rc;
}

int cs_publication_acknowledge(const cs_publication *publication, const cs_party *pc,
    const cs_env *env, cs_buf *p2, cs_error *error)
{
    const cs_acknowledgement acknowledgement = {.h_request = CS_VIEW_ARRAY(publication->h_request)};

    return cs_reply_seal(p2, "chartseal/1 P2", publication->reply_secret, pc->cloud->suite,
        env->now, &cs_acknowledgement_schema, &acknowledgement, error);
}
