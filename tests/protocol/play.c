/* SPDX-License-Identifier: Apache-2.0 */
#include "play.h"

#include <string.h>

#define SIGNAL_SIZE 70000 /* two chunks */
#define EMR_SIZE 140000   /* three */

static uint8_t content[EMR_SIZE];

void play_open(play *p, cast *c)
{
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)(i * 31 + i / 251);
    memset(p, 0, sizeof *p);
    p->c = c;
    p->signal = (cs_view){content, SIGNAL_SIZE};
    p->emr = (cs_view){content, EMR_SIZE};
    p->dinf = cs_view_str("sinus rhythm; continue as before");
}

static void forget(play *p)
{
    cs_visit_p_free(&p->visit_p);
    cs_visit_d_free(&p->visit_d);
    cs_search_free(&p->search);
    cs_session_free(&p->session);
    cs_buf_clear(&p->signal_seen);
    cs_buf_clear(&p->emr_seen);
    cs_buf_clear(&p->dinf_seen);
    cs_buf_clear(&p->dinf_filed);
    p->c->pc.memory.seen_count = 0;
    p->c->hospital.memory.seen_count = 0;
    p->c->other_hospital.memory.seen_count = 0;
    p->c->doctor.memory.seen_count = 0;
    p->c->patient.memory.seen_count = 0;
    p->patient_ops = p->doctor_ops = p->hospital_ops = p->cloud_ops = p->filing_ops =
        (cs_op_counts){0};
}

void play_close(play *p)
{
    forget(p);
    cs_buf_free(&p->signal_seen);
    cs_buf_free(&p->emr_seen);
    cs_buf_free(&p->dinf_seen);
    cs_buf_free(&p->dinf_filed);
}

static void deliver(play *p, const char *name, cs_buf *message, bool *final)
{
    bool ignored = false;

    if (p->tamper != NULL)
        p->tamper(p->tamper_context, name, message, final == NULL ? &ignored : final);
}

/* The content of a message, chunk by chunk, from one bulk to the other. */
static int carry(play *p, const char *name, cs_view from, cs_bulk *out, cs_bulk *in, cs_buf *seen,
    cs_error *error)
{
    cs_buf chunk = {0};
    int rc = CS_OK;

    while (rc == CS_OK && from.n > 0) {
        cs_view part = {from.p, from.n < CS_CHUNK_SIZE ? from.n : CS_CHUNK_SIZE};
        bool final;

        cs_buf_clear(&chunk);
        rc = cs_bulk_seal(out, &chunk, part, &final, error);
        if (rc == CS_OK) {
            deliver(p, name, &chunk, &final);
            rc = cs_bulk_open(in, seen, cs_view_buf(&chunk), final, error);
        }
        from.p += part.n;
        from.n -= part.n;
    }
    cs_buf_free(&chunk);
    return rc;
}

static int play_m1_m2(play *p, cs_error *error)
{
    cs_op_counts ops = cs_ops_of_thread();
    cs_buf m0 = {0};
    cs_buf m1 = {0};
    cs_buf m2 = {0};
    int rc = cs_visit_d_new(&p->visit_d, &p->c->doctor.party, PLAY_DEPARTMENT, &m0, error);

    if (rc == CS_OK) {
        deliver(p, "M0", &m0, NULL);
        rc = cs_visit_p_new(
            &p->visit_p, &p->c->patient.party, &p->c->patient.env, cs_view_buf(&m0), error);
    }
    if (rc == CS_OK)
        rc = cs_visit_p_m1(p->visit_p, &p->c->patient.env, &m1, error);
    cast_charge(&p->patient_ops, &ops);
    if (rc == CS_OK) {
        deliver(p, "M1", &m1, NULL);
        rc = cs_visit_d_m1(p->visit_d, &p->c->doctor.env, cs_view_buf(&m1), &m2, error);
    }
    cast_charge(&p->doctor_ops, &ops);
    if (rc == CS_OK) {
        deliver(p, "M2", &m2, NULL);
        rc = cs_visit_p_m2(p->visit_p, &p->c->patient.env, cs_view_buf(&m2), error);
    }
    cast_charge(&p->patient_ops, &ops);
    cs_buf_free(&m0);
    cs_buf_free(&m1);
    cs_buf_free(&m2);
    return rc;
}

static int play_m3(play *p, cs_error *error)
{
    const cs_consent_terms terms = {.id_de = p->consent_department != NULL
                                                 ? p->consent_department
                                                 : cs_visit_p_department(p->visit_p),
        .purpose = "treatment",
        .not_after = p->c->patient.env.now + 3600000};
    cs_op_counts ops = cs_ops_of_thread();
    cs_signal signal = {0};
    cs_bulk *out = NULL;
    cs_bulk *in = NULL;
    cs_buf head = {0};
    cs_buf chunk = {0};
    cs_buf plain = {0};
    bool final;
    int rc = cs_visit_p_m3(p->visit_p, &p->c->patient.env, p->no_consent ? NULL : &terms,
        p->signal.n == 0 ? "" : "application/octet-stream", p->signal.n, &head, &chunk, &final,
        &out, error);

    cast_charge(&p->patient_ops, &ops);
    if (rc == CS_OK) {
        deliver(p, "M3 head", &head, NULL);
        deliver(p, "M3 first", &chunk, &final);
        rc = cs_visit_d_m3(p->visit_d, &p->c->doctor.env, cs_view_buf(&head), cs_view_buf(&chunk),
            final, &plain, &signal, &in, error);
    }
    if (rc == CS_OK && signal.size > 0)
        rc = carry(p, "M3 chunk", p->signal, out, in, &p->signal_seen, error);
    cast_charge(&p->doctor_ops, &ops);
    cs_bulk_free(&out);
    cs_bulk_free(&in);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    cs_buf_free(&plain);
    return rc;
}

int play_consultation(play *p, cs_error *error)
{
    int rc = play_m1_m2(p, error);

    return rc == CS_OK ? play_m3(p, error) : rc;
}

int play_search(play *p, cs_error *error)
{
    const cs_index_value rows[] = {
        {.id_hpc = cs_view_str(p->c->hospital.id),
            .credential_hpc = cs_credential_view(&p->c->hospital.credential),
            .url = cs_view_str("http://127.0.0.1:7420")},
        {.id_hpc = cs_view_str(p->c->other_hospital.id),
            .credential_hpc = cs_credential_view(&p->c->other_hospital.credential),
            .url = cs_view_str("http://127.0.0.1:7421")},
    };
    cs_op_counts ops = cs_ops_of_thread();
    cs_buf s1 = {0};
    cs_buf s2 = {0};
    cs_view consent = {0};
    int rc;

    if (p->emergency == NULL)
        consent = cs_visit_d_consent(p->visit_d);
    rc = cs_search_new(&p->search, &p->c->doctor.party, p->c->patient.id, PLAY_DEPARTMENT, consent,
        p->emergency, error);
    if (rc == CS_OK)
        rc = cs_search_s1(p->search, &p->c->doctor.env, &s1, error);
    cast_charge(&p->doctor_ops, &ops);
    if (rc == CS_OK) {
        deliver(p, "S1", &s1, NULL);
        rc = cs_query_open(&p->query, &p->c->pc.party, &p->c->pc.env, cs_view_buf(&s1), error);
    }
    if (rc == CS_OK)
        rc = cs_query_answer(&p->c->pc.party, &p->c->pc.env, &p->query, rows, 2, &s2, error);
    cast_charge(&p->cloud_ops, &ops);
    if (rc == CS_OK) {
        deliver(p, "S2", &s2, NULL);
        rc = cs_search_s2(p->search, &p->c->doctor.env, cs_view_buf(&s2), error);
    }
    cast_charge(&p->doctor_ops, &ops);
    cs_buf_free(&s1);
    cs_buf_free(&s2);
    return rc;
}

int play_session(play *p, size_t hospital, cs_error *error)
{
    cast_actor *hpc = hospital == 0 ? &p->c->hospital : &p->c->other_hospital;
    cs_op_counts ops = cs_ops_of_thread();
    cs_buf s3 = {0};
    cs_buf s4 = {0};
    int rc = cs_search_s3(p->search, &p->c->doctor.env, hospital, &s3, error);

    cast_charge(&p->doctor_ops, &ops);
    cs_session_free(&p->session);
    if (rc == CS_OK) {
        deliver(p, "S3", &s3, NULL);
        rc = cs_access_open(&p->query, &hpc->party, &hpc->env, cs_view_buf(&s3), error);
    }
    if (rc == CS_OK)
        rc = cs_access_answer(&hpc->party, &hpc->env, &p->query, &s4, &p->session, error);
    cast_charge(&p->hospital_ops, &ops);
    if (rc == CS_OK) {
        deliver(p, "S4", &s4, NULL);
        rc = cs_search_s4(p->search, &p->c->doctor.env, cs_view_buf(&s4), error);
    }
    cast_charge(&p->doctor_ops, &ops);
    cs_buf_free(&s3);
    cs_buf_free(&s4);
    return rc;
}

static int play_s5(play *p, const uint8_t record_id[16], cs_error *error)
{
    uint8_t asked[16] = {0};
    size_t asked_size = 0;
    cs_buf head = {0};
    cs_buf chunk = {0};
    bool final = true;
    int rc =
        cs_search_s5(p->search, &p->c->doctor.env, (cs_view){record_id, 16}, &head, &chunk, error);

    if (rc == CS_OK) {
        deliver(p, "S5 head", &head, NULL);
        deliver(p, "S5", &chunk, &final);
        rc = cs_access_s5(p->session, &p->c->hospital.env, &p->query, cs_view_buf(&head),
            cs_view_buf(&chunk), final, asked, &asked_size, error);
    }
    if (rc == CS_OK) {
        assert_int_equal(asked_size, 16);
        assert_memory_equal(asked, record_id, 16);
    }
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    return rc;
}

static int play_s6(play *p, const cs_chpc2 *record, cs_error *error)
{
    cs_op_counts ops = cs_ops_of_thread();
    cs_chpc2 seen = {0};
    cs_bulk *out = NULL;
    cs_bulk *in = NULL;
    cs_buf head = {0};
    cs_buf chunk = {0};
    cs_buf plain = {0};
    bool final = false;
    int rc =
        cs_access_s6(p->session, &p->c->hospital.env, record, &head, &chunk, &final, &out, error);

    cast_charge(&p->hospital_ops, &ops);
    if (rc == CS_OK) {
        deliver(p, "S6 head", &head, NULL);
        deliver(p, "S6 first", &chunk, &final);
        rc = cs_search_s6(p->search, &p->c->doctor.env, cs_view_buf(&head), cs_view_buf(&chunk),
            final, &plain, &seen, &in, error);
    }
    if (rc == CS_OK && seen.size > 0)
        rc = carry(p, "S6 chunk", p->emr, out, in, &p->emr_seen, error);
    if (rc == CS_OK)
        rc = cs_search_finish(p->search, &seen, in, error);
    cast_charge(&p->doctor_ops, &ops);
    cs_bulk_free(&out);
    cs_bulk_free(&in);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    cs_buf_free(&plain);
    return rc;
}

int play_record(play *p, cs_error *error)
{
    static const uint8_t record_id[16] = "record number 1";
    uint8_t hash[CS_HASH_SIZE];
    uint8_t sig_emr[CS_SIGNATURE_SIZE];
    int64_t stored_at = p->c->hospital.env.now - 86400000;
    const cs_chpc2 record = {.record_id = CS_VIEW_ARRAY(record_id),
        .media_type = cs_view_str("application/fhir+json"),
        .size = p->emr.n,
        .h_emr = CS_VIEW_ARRAY(hash),
        .stored_at = (uint64_t)stored_at,
        .sig_emr = CS_VIEW_ARRAY(sig_emr)};
    int rc = cs_hash(hash, p->emr, error);

    /* made when the record was stored, not part of the visit */
    if (rc == CS_OK)
        rc = cs_emr_sign(&p->c->hospital.party, p->c->patient.id, PLAY_DEPARTMENT, record_id,
            "application/fhir+json", hash, stored_at, sig_emr, error);
    if (rc == CS_OK)
        rc = play_s5(p, record_id, error);
    return rc == CS_OK ? play_s6(p, &record, error) : rc;
}

int play_diagnosis(play *p, cs_error *error)
{
    cs_op_counts ops = cs_ops_of_thread();
    cs_diagnosis seen = {0};
    cs_bulk *out = NULL;
    cs_bulk *in = NULL;
    cs_buf head = {0};
    cs_buf chunk = {0};
    cs_buf plain = {0};
    bool final = false;
    int rc = cs_diagnosis_sign(&p->diagnosis, &p->c->doctor.party, &p->c->doctor.env,
        p->c->patient.id, PLAY_DEPARTMENT, "text/plain", p->dinf, error);

    if (rc == CS_OK)
        rc = cs_visit_d_m4(
            p->visit_d, &p->c->doctor.env, &p->diagnosis, &head, &chunk, &final, &out, error);
    cast_charge(&p->doctor_ops, &ops);
    if (rc == CS_OK) {
        deliver(p, "M4 head", &head, NULL);
        deliver(p, "M4 first", &chunk, &final);
        rc = cs_visit_p_m4(p->visit_p, &p->c->patient.env, cs_view_buf(&head), cs_view_buf(&chunk),
            final, &plain, &seen, &in, error);
    }
    if (rc == CS_OK && seen.cd5.size > 0)
        rc = carry(p, "M4 chunk", p->dinf, out, in, &p->dinf_seen, error);
    if (rc == CS_OK)
        rc = cs_visit_p_finish(p->visit_p, &seen, in, error);
    cast_charge(&p->patient_ops, &ops);
    cs_bulk_free(&out);
    cs_bulk_free(&in);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    cs_buf_free(&plain);
    return rc;
}

static int play_f2(play *p, cs_error *error)
{
    static const uint8_t filed[16] = "a filed record.";
    uint8_t record_id[16];
    cs_buf head = {0};
    cs_buf chunk = {0};
    bool final = true;
    int rc = cs_access_f2(p->session, &p->c->hospital.env, filed, &head, &chunk, error);

    if (rc == CS_OK) {
        deliver(p, "F2 head", &head, NULL);
        deliver(p, "F2", &chunk, &final);
        rc = cs_search_f2(p->search, &p->c->doctor.env, cs_view_buf(&head), cs_view_buf(&chunk),
            final, record_id, error);
    }
    if (rc == CS_OK)
        assert_memory_equal(record_id, filed, sizeof filed);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    return rc;
}

int play_filing(play *p, cs_error *error)
{
    cs_op_counts ops = cs_ops_of_thread();
    uint8_t hash[CS_HASH_SIZE];
    cs_bulk *out = NULL;
    cs_bulk *in = NULL;
    cs_buf head = {0};
    cs_buf chunk = {0};
    cs_buf plain = {0};
    cs_cd5 filing = {0};
    bool final = false;
    int rc = cs_search_f1(
        p->search, &p->c->doctor.env, &p->diagnosis, &head, &chunk, &final, &out, error);

    if (rc == CS_OK) {
        deliver(p, "F1 head", &head, NULL);
        deliver(p, "F1 first", &chunk, &final);
        rc = cs_access_f1(p->session, &p->c->hospital.env, &p->query, cs_view_buf(&head),
            cs_view_buf(&chunk), final, &plain, &filing, &in, error);
    }
    if (rc == CS_OK && filing.size > 0)
        rc = carry(p, "F1 chunk", p->dinf, out, in, &p->dinf_filed, error);
    if (rc == CS_OK)
        rc = cs_access_filed(&p->query, &filing, in, hash, error);
    if (rc == CS_OK)
        rc = play_f2(p, error);
    cast_charge(&p->filing_ops, &ops);
    cs_bulk_free(&out);
    cs_bulk_free(&in);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    cs_buf_free(&plain);
    return rc;
}

int play_visit(play *p, cs_error *error)
{
    int rc = CS_OK;

    forget(p);
    if (p->emergency == NULL)
        rc = play_consultation(p, error);
    if (rc == CS_OK)
        rc = play_search(p, error);
    if (rc == CS_OK)
        rc = play_session(p, 0, error);
    if (rc == CS_OK)
        rc = play_record(p, error);
    if (rc == CS_OK && p->emergency == NULL)
        rc = play_diagnosis(p, error);
    if (rc == CS_OK && p->emergency == NULL)
        rc = play_filing(p, error);
    return rc;
}
