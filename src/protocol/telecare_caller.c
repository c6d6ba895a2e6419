/* SPDX-License-Identifier: Apache-2.0 */
/* A session with the cloud, at who calls it: as himself (T1, T2) or as nobody (T3, T4). */
#include "protocol/envelope.h"
#include "protocol/session.h"
#include "protocol/telecare.h"

#include <stdlib.h>
#include <string.h>

typedef enum caller_step { NEW, SENT_T1, SENT_T3, OPEN } caller_step;

struct cs_caller {
    const cs_party *me;
    cs_credential cloud;
    caller_step step;
    cs_scalar *r; /* guarded */
    cs_point r_x;
    int64_t t_x;
    uint8_t h_request[CS_HASH_SIZE];
    uint8_t *reply_secret; /* guarded; exported from T3 */
    cs_session *session;
};

int cs_caller_new(cs_caller **out, const cs_party *me, const cs_env *env,
    const cs_credential *cloud, cs_error *error)
{
    cs_caller *caller = NULL;
    int rc = cs_credential_check(cloud, me->cloud, env, CS_ROLE_CLOUD, error);

    *out = NULL;
    if (rc != CS_OK)
        return rc;
    caller = calloc(1, sizeof *caller);
    if (caller == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a session with the cloud");
    caller->me = me;
    caller->cloud = *cloud;
    caller->reply_secret = cs_secret_new(CS_HASH_SIZE);
    if (caller->reply_secret == NULL) {
        cs_caller_free(&caller);
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a session with the cloud");
    }
    *out = caller;
    return CS_OK;
}

void cs_caller_free(cs_caller **caller)
{
    if (caller == NULL || *caller == NULL)
        return;
    cs_secret_free(&(*caller)->r);
    cs_secret_free(&(*caller)->reply_secret);
    cs_session_free(&(*caller)->session);
    free(*caller);
    *caller = NULL;
}

int cs_caller_session(cs_session **out, cs_caller *caller, cs_error *error)
{
    if (caller->step != OPEN)
        return CS_FAIL(error, CS_E_ORDER, "there is no session with the cloud yet");
    *out = caller->session;
    return CS_OK;
}

/* What was before is over; a fresh R_X. */
static int begin(cs_caller *caller, const cs_env *env, cs_error *error)
{
    caller->step = NEW;
    caller->t_x = env->now;
    cs_session_free(&caller->session);
    return cs_ephemeral(&caller->r, &caller->r_x, caller->me->cloud->suite, error);
}

int cs_caller_t1(cs_caller *caller, const cs_env *env, cs_buf *t1, cs_error *error)
{
    const cs_party *me = caller->me;
    const cs_cloud *cloud = me->cloud;
    uint8_t sig_t1[CS_SIGNATURE_SIZE];
    const cs_sig_t1 fields = {.pk = cs_point_view(&cloud->pk),
        .t_x = (uint64_t)env->now,
        .id_x = cs_view_str(me->credential->id),
        .r_x = {caller->r_x.b, cs_point_size(cloud->suite)},
        .id_c = cs_view_str(caller->cloud.id)};
    const cs_ct1 ct1 = {.credential_x = cs_credential_view(me->credential),
        .cert_x = me->certificate,
        .ocsp = me->ocsp,
        .t_x = fields.t_x,
        .r_x = fields.r_x,
        .sig_t1 = CS_VIEW_ARRAY(sig_t1)};
    int rc = begin(caller, env, error);

    if (rc == CS_OK)
        rc = cs_message_sign(sig_t1, me->sign, &cs_sig_t1_schema, &fields, error);
    if (rc == CS_OK)
        rc = cs_envelope_seal(t1, "chartseal/1 T1", cloud->suite, env->now,
            caller->cloud.puk_decrypt, &cs_ct1_schema, &ct1, NULL, error);
    if (rc == CS_OK)
        rc = cs_hash(caller->h_request, cs_view_buf(t1), error);
    if (rc == CS_OK)
        caller->step = SENT_T1;
    return rc;
}

/* SEK with the cloud, and that it has the same. own and scalar are NULL for nobody. */
static int agree(cs_caller *caller, const cs_credential *own, cs_key *scalar, cs_view r_c,
    uint64_t t_c, cs_view tag_c, cs_error *error)
{
    const cs_confirmation confirmation = {.h_request = CS_VIEW_ARRAY(caller->h_request),
        .id = cs_view_str(caller->cloud.id),
        .r = r_c,
        .time = t_c};
    cs_point point;
    const cs_handshake handshake = {.cloud = caller->me->cloud,
        .starts = true,
        .r = caller->r,
        .scalar = scalar,
        .own = own,
        .peer = &caller->cloud,
        .r_own = &caller->r_x,
        .r_peer = &point,
        .t_own = caller->t_x,
        .t_peer = (int64_t)t_c};
    int rc = cs_point_decode(&point, caller->me->cloud->suite, r_c, error);

    if (rc == CS_OK)
        rc = cs_session_agree(&caller->session, &handshake, error);
    if (rc == CS_OK)
        rc = cs_session_check_tag(caller->session, &confirmation, tag_c, "the cloud", error);
    cs_secret_free(&caller->r);
    if (rc == CS_OK)
        caller->step = OPEN;
    return rc;
}

static int check_t2(const cs_caller *caller, const cs_env *env, const cs_ct2 *ct2, cs_error *error)
{
    uint8_t digest[CS_HASH_SIZE];
    const cs_sig_t2 fields = {.pk = cs_point_view(&caller->me->cloud->pk),
        .t_c = ct2->t_c,
        .id_c = cs_view_str(caller->cloud.id),
        .id_x = cs_view_str(caller->me->credential->id),
        .r_x = cs_point_view(&caller->r_x),
        .r_c = ct2->r_c,
        .tag_c = ct2->tag_c,
        .h_t1 = CS_VIEW_ARRAY(caller->h_request)};
    int rc = cs_message_verify("the cloud's SigT2", caller->cloud.puk_sign, &cs_sig_t2_schema,
        &fields, ct2->sig_t2, digest, error);

    return rc == CS_OK ? cs_check_fresh(env, digest, error) : rc;
}

static int want_step(const cs_caller *caller, caller_step step, cs_error *error)
{
    if (caller->step != step)
        return CS_FAIL(error, CS_E_ORDER, "a step of the session with the cloud out of its order");
    return CS_OK;
}

int cs_caller_t2(cs_caller *caller, const cs_env *env, cs_view t2, cs_error *error)
{
    cs_buf plain = {0};
    cs_ct2 ct2;
    uint64_t time;
    int rc = want_step(caller, SENT_T1, error);

    if (rc != CS_OK)
        return rc;
    caller->step = NEW; /* one answer: after a refused one T1 is made again */
    rc = cs_envelope_open(
        "chartseal/1 T2", caller->me, env, t2, &cs_ct2_schema, &ct2, &plain, &time, NULL, error);
    if (rc == CS_OK)
        rc = cs_check_same_time(time, ct2.t_c, error);
    if (rc == CS_OK)
        rc = check_t2(caller, env, &ct2, error);
    if (rc == CS_OK)
        rc = agree(
            caller, caller->me->credential, caller->me->scalar, ct2.r_c, ct2.t_c, ct2.tag_c, error);
    cs_buf_free(&plain);
    return rc;
}

int cs_caller_t3(cs_caller *caller, const cs_env *env, const uint8_t place[CS_PLACE_SIZE],
    cs_buf *t3, cs_error *error)
{
    const cs_cloud *cloud = caller->me->cloud;
    const cs_ct3 ct3 = {.place = {place, CS_PLACE_SIZE},
        .t_x = (uint64_t)env->now,
        .r_x = {caller->r_x.b, cs_point_size(cloud->suite)}};
    int rc = begin(caller, env, error);

    if (rc == CS_OK)
        rc = cs_envelope_seal(t3, "chartseal/1 T3", cloud->suite, env->now,
            caller->cloud.puk_decrypt, &cs_ct3_schema, &ct3, caller->reply_secret, error);
    if (rc == CS_OK)
        rc = cs_hash(caller->h_request, cs_view_buf(t3), error);
    if (rc == CS_OK)
        caller->step = SENT_T3;
    return rc;
}

int cs_caller_t4(cs_caller *caller, const cs_env *env, cs_view t4, cs_error *error)
{
    cs_buf plain = {0};
    cs_ct4 ct4;
    uint64_t time;
    int rc = want_step(caller, SENT_T3, error);

    if (rc != CS_OK)
        return rc;
    caller->step = NEW;
    rc = cs_reply_open("chartseal/1 T4", caller->reply_secret, caller->me->cloud->suite, env, t4,
        &cs_ct4_schema, &ct4, &plain, &time, error);
    if (rc == CS_OK)
        rc = cs_check_same_time(time, ct4.t_c, error);
    if (rc == CS_OK)
        rc = agree(caller, NULL, NULL, ct4.r_c, ct4.t_c, ct4.tag_c, error);
    cs_buf_free(&plain);
    return rc;
}
