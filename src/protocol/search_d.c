/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/access.h"
#include "protocol/diagnosis.h"
#include "protocol/envelope.h"

#include <stdlib.h>
#include <string.h>

typedef enum search_step { NEW, SENT_S1, FOUND, SENT_S3, OPEN } search_step;
/* Within an open session: a record is asked for, its content is on the way. */
typedef enum record_step { NONE, ASKED, COMING } record_step;

struct cs_search {
    const cs_party *me;
    search_step step;
    char id_p[CS_ID_MAX + 1];
    char id_de[CS_DEPARTMENT_MAX + 1];
    char reason[CS_TEXT_MAX + 1];
    cs_buf consent;
    uint8_t h_access[CS_HASH_SIZE];
    uint8_t h_request[CS_HASH_SIZE]; /* of S1, then of S3 */
    cs_buf sig_c_body;
    uint8_t sig_c[CS_SIGNATURE_SIZE];
    cs_hospital hospitals[CS_LIST_MAX];
    size_t count;
    const cs_hospital *with; /* of S3 and after */
    cs_scalar *r7;           /* guarded */
    cs_point r_d3;
    int64_t t_d3;
    cs_session *session;
    record_step record;
    uint8_t asked[16]; /* the record that S5 names */
    size_t asked_size; /* 0: the newest, whichever that is */
};

static int want_step(const cs_search *search, search_step step, cs_error *error)
{
    if (search->step != step)
        return CS_FAIL(error, CS_E_ORDER, "a step of the search out of its order");
    return CS_OK;
}

int cs_search_new(cs_search **out, const cs_party *doctor, const char *id_p, const char *id_de,
    cs_view consent, const char *reason, cs_error *error)
{
    cs_search *search = calloc(1, sizeof *search);
    int rc;

    *out = NULL;
    if (search == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a search");
    search->me = doctor;
    rc = cs_text_take(search->id_p, sizeof search->id_p, "patient's identity", id_p, error);
    if (rc == CS_OK)
        rc = cs_text_take(search->id_de, sizeof search->id_de, "department", id_de, error);
    if (rc == CS_OK)
        rc = cs_text_take(search->reason, sizeof search->reason, "reason", reason, error);
    if (rc == CS_OK)
        rc = cs_buf_set(&search->consent, consent, error);
    if (rc == CS_OK)
        rc = cs_access_hash(search->h_access, consent, cs_view_str(search->reason), error);
    if (rc != CS_OK)
        cs_search_free(&search);
    *out = search;
    return rc;
}

void cs_search_free(cs_search **search)
{
    if (search == NULL || *search == NULL)
        return;
    cs_secret_free(&(*search)->r7);
    cs_session_free(&(*search)->session);
    cs_buf_free(&(*search)->consent);
    cs_buf_free(&(*search)->sig_c_body);
    free(*search);
    *search = NULL;
}

size_t cs_search_count(const cs_search *search)
{
    return search->count;
}

const cs_hospital *cs_search_hospital(const cs_search *search, size_t i)
{
    return i < search->count ? &search->hospitals[i] : NULL;
}

int cs_search_s1(cs_search *search, const cs_env *env, cs_buf *s1, cs_error *error)
{
    const cs_cloud *cloud = search->me->cloud;
    const cs_credential *own = search->me->credential;
    uint8_t sig_d2[CS_SIGNATURE_SIZE];
    const cs_sig_d2 fields = {.y_d = cs_point_view(&own->y),
        .t_d2 = (uint64_t)env->now,
        .id_p = cs_view_str(search->id_p),
        .id_de = cs_view_str(search->id_de),
        .id_d = cs_view_str(own->id),
        .id_pc = cs_view_str(cloud->id),
        .h_access = CS_VIEW_ARRAY(search->h_access)};
    const cs_cd2 cd2 = {.id_p = fields.id_p,
        .t_d2 = fields.t_d2,
        .id_d = fields.id_d,
        .credential_d = cs_credential_view(own),
        .cert_d = search->me->certificate,
        .ocsp = search->me->ocsp,
        .id_de = fields.id_de,
        .consent = cs_view_buf(&search->consent),
        .reason = cs_view_str(search->reason),
        .sig_d2 = CS_VIEW_ARRAY(sig_d2)};
    int rc = want_step(search, NEW, error);

    if (rc == CS_OK)
        rc = cs_message_sign(sig_d2, search->me->sign, &cs_sig_d2_schema, &fields, error);
    if (rc == CS_OK)
        rc = cs_envelope_seal(s1, "chartseal/1 S1", cloud->suite, env->now, cloud->puk_decrypt,
            &cs_cd2_schema, &cd2, NULL, error);
    if (rc == CS_OK)
        rc = cs_hash(search->h_request, cs_view_buf(s1), error);
    if (rc == CS_OK)
        search->step = SENT_S1;
    return rc;
}

/* One hospital of the answer. One that has expired or is revoked is left out: others may serve. */
static int take_found(cs_search *search, const cs_env *env, cs_view bytes, cs_view hospitals,
    size_t i, cs_error *error)
{
    cs_hospital *hospital = &search->hospitals[search->count];
    uint8_t commitment[CS_HASH_SIZE];
    cs_found found;
    int rc;

    if (search->count == CS_LIST_MAX)
        return CS_FAIL(
            error, CS_E_TOO_LARGE, "the answer names more than %d hospitals", CS_LIST_MAX);
    rc = cs_decode(&cs_found_schema, &found, bytes, error);
    if (rc == CS_OK)
        rc = cs_hospital_hash(commitment, found.id_hpc, found.salt, error);
    if (rc == CS_OK && !cs_view_equal(CS_VIEW_ARRAY(commitment),
                           (cs_view){hospitals.p + i * CS_HASH_SIZE, CS_HASH_SIZE}))
        rc = CS_FAIL(error, CS_E_SIGNATURE, "SigC does not cover a hospital of the answer");
    if (rc == CS_OK)
        rc = cs_credential_parse(
            &hospital->credential, search->me->cloud, found.credential_hpc, error);
    if (rc == CS_OK)
        rc = cs_credential_check(
            &hospital->credential, search->me->cloud, env, CS_ROLE_HOSPITAL, error);
    if (rc == CS_E_EXPIRED || rc == CS_E_REVOKED)
        return CS_OK;
    if (rc == CS_OK && !cs_view_equal(found.id_hpc, cs_view_str(hospital->credential.id)))
        rc = CS_FAIL(error, CS_E_CREDENTIAL, "a hospital's credential is for another hospital");
    if (rc != CS_OK)
        return rc;
    cs_text_copy(hospital->url, sizeof hospital->url, found.url);
    memcpy(hospital->salt, found.salt.p, sizeof hospital->salt);
    search->count++;
    return CS_OK;
}

static int check_s2(cs_search *search, const cs_env *env, const cs_cc *cc, cs_error *error)
{
    uint8_t digest[CS_HASH_SIZE];
    cs_sig_c fields;
    int rc = cs_sig_c_open(&fields, search->me->cloud, cc->sig_c_body, cc->sig_c, digest, error);

    if (rc == CS_OK)
        rc = cs_check_same_time(cc->t_c, fields.t_c, error);
    if (rc != CS_OK)
        return rc;
    if (!cs_view_equal(fields.y_d, cs_point_view(&search->me->credential->y)) ||
        !cs_view_equal(fields.id_p, cs_view_str(search->id_p)) ||
        !cs_view_equal(fields.id_de, cs_view_str(search->id_de)) ||
        !cs_view_equal(fields.h_s1, CS_VIEW_ARRAY(search->h_request)))
        return CS_FAIL(error, CS_E_RECIPIENT, "the public cloud's answer is to another request");
    if (fields.hospitals.n != cc->found.n * CS_HASH_SIZE)
        return CS_FAIL(error, CS_E_SIGNATURE, "SigC covers another number of hospitals");
    rc = cs_check_fresh(env, digest, error);
    for (size_t i = 0; rc == CS_OK && i < cc->found.n; i++)
        rc = take_found(search, env, cc->found.items[i], fields.hospitals, i, error);
    if (rc == CS_OK && search->count == 0)
        rc = CS_FAIL(error, CS_E_EXPIRED,
            "every hospital with records has an expired or revoked credential");
    return rc;
}

int cs_search_s2(cs_search *search, const cs_env *env, cs_view s2, cs_error *error)
{
    cs_cc cc;
    cs_buf plain = {0};
    uint64_t time;
    int rc = want_step(search, SENT_S1, error);

    if (rc != CS_OK)
        return rc;
    search->step = NEW; /* one answer: after a refused one S1 is made again */
    search->count = 0;
    rc = cs_envelope_open(
        "chartseal/1 S2", search->me, env, s2, &cs_cc_schema, &cc, &plain, &time, NULL, error);
    if (rc == CS_OK)
        rc = cs_check_same_time(time, cc.t_c, error);
    if (rc == CS_OK)
        rc = check_s2(search, env, &cc, error);
    if (rc == CS_OK)
        rc = cs_buf_set(&search->sig_c_body, cc.sig_c_body, error);
    if (rc == CS_OK) {
        memcpy(search->sig_c, cc.sig_c.p, CS_SIGNATURE_SIZE);
        search->step = FOUND;
    } else {
        search->count = 0;
    }
    cs_buf_free(&plain);
    return rc;
}

static int make_s3(
    cs_search *search, const cs_env *env, cs_view referral, cs_buf *s3, cs_error *error)
{
    const cs_credential *own = search->me->credential;
    uint8_t h_referral[CS_HASH_SIZE];
    uint8_t sig_d3[CS_SIGNATURE_SIZE];
    const cs_sig_d3 fields = {.pk = cs_point_view(&search->me->cloud->pk),
        .t_d3 = (uint64_t)env->now,
        .id_p = cs_view_str(search->id_p),
        .r_d3 = cs_point_view(&search->r_d3),
        .r_d1 = cs_point_view(&own->r1),
        .id_hpc = cs_view_str(search->with->credential.id),
        .id_de = cs_view_str(search->id_de),
        .h_access = CS_VIEW_ARRAY(search->h_access),
        .h_referral = CS_VIEW_ARRAY(h_referral)};
    const cs_cd3 cd3 = {.credential_d = cs_credential_view(own),
        .cert_d = search->me->certificate,
        .ocsp = search->me->ocsp,
        .t_d3 = fields.t_d3,
        .id_d = cs_view_str(own->id),
        .r_d3 = fields.r_d3,
        .r_d1 = fields.r_d1,
        .id_p = fields.id_p,
        .id_de = fields.id_de,
        .referral = referral,
        .consent = cs_view_buf(&search->consent),
        .reason = cs_view_str(search->reason),
        .sig_d3 = CS_VIEW_ARRAY(sig_d3)};
    int rc = cs_hash(h_referral, referral, error);

    if (rc == CS_OK)
        rc = cs_message_sign(sig_d3, search->me->sign, &cs_sig_d3_schema, &fields, error);
    if (rc == CS_OK)
        rc = cs_envelope_seal(s3, "chartseal/1 S3", search->me->cloud->suite, env->now,
            search->with->credential.puk_decrypt, &cs_cd3_schema, &cd3, NULL, error);
    if (rc == CS_OK)
        rc = cs_hash(search->h_request, cs_view_buf(s3), error);
    return rc;
}

int cs_search_s3(cs_search *search, const cs_env *env, size_t i, cs_buf *s3, cs_error *error)
{
    cs_buf bytes = {0};
    cs_referral referral;
    int rc;

    if (search->step < FOUND)
        return CS_FAIL(error, CS_E_ORDER, "a step of the search out of its order");
    if (i >= search->count)
        return CS_FAIL(error, CS_E_USAGE, "there is no hospital number %zu in the answer", i);
    search->step = FOUND; /* what was with another hospital is over */
    search->record = NONE;
    search->with = &search->hospitals[i];
    referral = (cs_referral){.sig_c_body = cs_view_buf(&search->sig_c_body),
        .sig_c = CS_VIEW_ARRAY(search->sig_c),
        .salt = CS_VIEW_ARRAY(search->with->salt)};
    rc = cs_encode(&bytes, &cs_referral_schema, &referral, error);
    cs_session_free(&search->session);
    if (rc == CS_OK) /* R_D3 = r7·P */
        rc = cs_ephemeral(&search->r7, &search->r_d3, search->me->cloud->suite, error);
    if (rc == CS_OK)
        rc = make_s3(search, env, cs_view_buf(&bytes), s3, error);
    if (rc == CS_OK) {
        search->t_d3 = env->now;
        search->step = SENT_S3;
    }
    cs_buf_free(&bytes);
    return rc;
}

static int check_s4(
    const cs_search *search, const cs_env *env, const cs_chpc1 *chpc1, cs_error *error)
{
    uint8_t digest[CS_HASH_SIZE];
    const cs_sig_hpc1 fields = {.pk = cs_point_view(&search->me->cloud->pk),
        .t_hpc1 = chpc1->t_hpc1,
        .id_hpc = chpc1->id_hpc,
        .id_d = cs_view_str(search->me->credential->id),
        .id_p = cs_view_str(search->id_p),
        .r_d3 = cs_point_view(&search->r_d3),
        .r_hpc2 = chpc1->r_hpc2,
        .tag_hpc = chpc1->tag_hpc,
        .h_s3 = CS_VIEW_ARRAY(search->h_request)};
    int rc = cs_message_verify("the hospital's SigHPC1", search->with->credential.puk_sign,
        &cs_sig_hpc1_schema, &fields, chpc1->sig_hpc1, digest, error);

    if (rc != CS_OK)
        return rc;
    if (!cs_view_equal(chpc1->id_hpc, cs_view_str(search->with->credential.id)))
        return CS_FAIL(error, CS_E_CREDENTIAL, "another hospital answers");
    return cs_check_fresh(env, digest, error);
}

static int agree(cs_search *search, const cs_chpc1 *chpc1, cs_error *error)
{
    cs_confirmation confirmation = {.h_request = CS_VIEW_ARRAY(search->h_request),
        .id = chpc1->id_hpc,
        .r = chpc1->r_hpc2,
        .time = chpc1->t_hpc1};
    cs_point r_hpc2;
    cs_handshake handshake = {.cloud = search->me->cloud,
        .starts = true,
        .r = search->r7,
        .scalar = search->me->scalar,
        .own = search->me->credential,
        .peer = &search->with->credential,
        .r_own = &search->r_d3,
        .r_peer = &r_hpc2,
        .t_own = search->t_d3,
        .t_peer = (int64_t)chpc1->t_hpc1};
    int rc = cs_point_decode(&r_hpc2, search->me->cloud->suite, chpc1->r_hpc2, error);

    if (rc == CS_OK)
        rc = cs_session_agree(&search->session, &handshake, error);
    if (rc == CS_OK)
        rc = cs_session_check_tag(
            search->session, &confirmation, chpc1->tag_hpc, "the hospital", error);
    cs_secret_free(&search->r7);
    return rc;
}

int cs_search_s4(cs_search *search, const cs_env *env, cs_view s4, cs_error *error)
{
    cs_chpc1 chpc1;
    cs_buf plain = {0};
    uint64_t time;
    int rc = want_step(search, SENT_S3, error);

    if (rc != CS_OK)
        return rc;
    search->step = FOUND; /* one answer: after a refused one S3 is made again */
    rc = cs_envelope_open("chartseal/1 S4", search->me, env, s4, &cs_chpc1_schema, &chpc1, &plain,
        &time, NULL, error);
    if (rc == CS_OK)
        rc = cs_check_same_time(time, chpc1.t_hpc1, error);
    if (rc == CS_OK)
        rc = check_s4(search, env, &chpc1, error);
    if (rc == CS_OK)
        rc = agree(search, &chpc1, error);
    if (rc == CS_OK)
        search->step = OPEN;
    cs_buf_free(&plain);
    return rc;
}

int cs_search_s5(cs_search *search, const cs_env *env, cs_view record_id, cs_buf *head,
    cs_buf *chunk, cs_error *error)
{
    const cs_cd4 cd4 = {.id_p = cs_view_str(search->id_p),
        .id_d = cs_view_str(search->me->credential->id),
        .t_d4 = (uint64_t)env->now,
        .h_cert_d = CS_VIEW_ARRAY(search->me->credential->binding),
        .record_id = record_id};
    cs_bulk *none = NULL;
    bool final;
    int rc = want_step(search, OPEN, error);

    if (rc == CS_OK && record_id.n != 0 && record_id.n != 16)
        rc = CS_FAIL(error, CS_E_USAGE, "a record id has 16 bytes");
    if (rc == CS_OK)
        rc = cs_session_put(search->session, "chartseal/1 S5", env->now, &cs_cd4_schema, &cd4, 0,
            head, chunk, &final, &none, error);
    if (rc == CS_OK) {
        search->record = ASKED;
        search->asked_size = record_id.n;
        if (record_id.n > 0)
            memcpy(search->asked, record_id.p, record_id.n);
    }
    return rc;
}

static int want_record(const cs_search *search, record_step step, cs_error *error)
{
    int rc = want_step(search, OPEN, error);

    if (rc == CS_OK && search->record != step)
        rc = CS_FAIL(error, CS_E_ORDER, "a record that was not asked for, or not sent");
    return rc;
}

/* SigEMR says whose record it is, and of which department; it cannot say that it is the one asked
 * for. */
static int check_asked(const cs_search *search, const cs_chpc2 *record, cs_error *error)
{
    const cs_view asked = {search->asked, search->asked_size};

    if (asked.n > 0 && !cs_view_equal(record->record_id, asked))
        return CS_FAIL(
            error, CS_E_RECIPIENT, "the hospital sent another record than was asked for");
    return CS_OK;
}

int cs_search_s6(cs_search *search, const cs_env *env, cs_view head, cs_view chunk, bool final,
    cs_buf *plain, cs_chpc2 *record, cs_bulk **bulk, cs_error *error)
{
    cs_stream *stream = NULL;
    uint64_t time;
    int rc = want_record(search, ASKED, error);

    *bulk = NULL;
    if (rc == CS_OK)
        rc = cs_session_take(search->session, "chartseal/1 S6", env, head, chunk, final,
            &cs_chpc2_schema, record, plain, &time, &stream, error);
    if (rc == CS_OK)
        rc = cs_check_same_time(time, record->t_hpc2, error);
    if (rc == CS_OK)
        rc = check_asked(search, record, error);
    if (rc == CS_OK)
        rc = cs_bulk_take(bulk, &stream, record->size, error);
    search->record = rc == CS_OK ? COMING : NONE;
    cs_stream_free(&stream);
    return rc;
}

int cs_search_finish(
    cs_search *search, const cs_chpc2 *record, const cs_bulk *bulk, cs_error *error)
{
    uint8_t hash[CS_HASH_SIZE];
    cs_sig_emr fields = {.id_p = cs_view_str(search->id_p),
        .id_de = cs_view_str(search->id_de),
        .record_id = record->record_id,
        .media_type = record->media_type,
        .h_emr = record->h_emr,
        .time = record->stored_at};
    int rc = want_record(search, COMING, error);

    if (rc != CS_OK)
        return rc;
    search->record = NONE;
    fields.id_hpc = cs_view_str(search->with->credential.id);
    rc = cs_bulk_hash_or_empty(bulk, hash, error);
    if (rc == CS_OK && !cs_view_equal(record->h_emr, CS_VIEW_ARRAY(hash)))
        rc = CS_FAIL(error, CS_E_SIGNATURE, "the record that came is not the one announced");
    if (rc == CS_OK)
        rc = cs_message_verify("the hospital's SigEMR", search->with->credential.puk_sign,
            &cs_sig_emr_schema, &fields, record->sig_emr, NULL, error);
    return rc;
}

int cs_search_f1(cs_search *search, const cs_env *env, const cs_signed_diagnosis *diagnosis,
    cs_buf *head, cs_buf *chunk, bool *final, cs_bulk **bulk, cs_error *error)
{
    int rc = want_step(search, OPEN, error);

    *bulk = NULL;
    if (rc == CS_OK)
        rc = cs_diagnosis_put(search->session, "chartseal/1 F1", search->me, env, diagnosis, head,
            chunk, final, bulk, error);
    return rc;
}

int cs_search_f2(cs_search *search, const cs_env *env, cs_view head, cs_view chunk, bool final,
    uint8_t record_id[16], cs_error *error)
{
    cs_stream *stream = NULL;
    cs_bulk *none = NULL;
    cs_buf plain = {0};
    cs_filed filed;
    uint64_t time;
    int rc = want_step(search, OPEN, error);

    if (rc == CS_OK)
        rc = cs_session_take(search->session, "chartseal/1 F2", env, head, chunk, final,
            &cs_filed_schema, &filed, &plain, &time, &stream, error);
    if (rc == CS_OK)
        rc = cs_check_same_time(time, filed.time, error);
    if (rc == CS_OK)
        rc = cs_bulk_take(&none, &stream, 0, error);
    if (rc == CS_OK)
        memcpy(record_id, filed.record_id.p, 16);
    cs_stream_free(&stream);
    cs_buf_free(&plain);
    return rc;
}
