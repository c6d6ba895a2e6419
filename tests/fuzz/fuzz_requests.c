/* SPDX-License-Identifier: Apache-2.0 */
/* What a stranger, or a member who lies, can send: the bytes as they come, and as the inside of a
 * proper envelope to whoever opens it, which is how far a fuzzer gets no otherwise. First byte: to
 * whom and in which form. */
#include "cast.h"
#include "fuzz.h"
#include "protocol/envelope.h"
#include "soft_token.h"

#include <stdlib.h>
#include <string.h>

static cast c;

static void prepare(void)
{
    if (c.suite == 0)
        cast_open(&c, CS_SUITE_P256, make_soft);
}

/* The bytes in an envelope of that label, as no schema would encode them. */
static void seal(cs_buf *out, const char *label, const uint8_t puk[CS_PUK_SIZE], cs_view plain)
{
    const cs_envelope_header fields = {.suite = c.suite, .time = CAST_START};
    uint8_t enc[CS_HPKE_ENC_SIZE];
    cs_envelope envelope;
    cs_buf header = {0};
    cs_buf ct = {0};

    if (cs_encode_as(&header, &cs_envelope_header_schema, label, &fields, NULL) != CS_OK ||
        cs_hpke_seal(enc, &ct, (cs_view){puk, CS_PUK_SIZE}, cs_view_str(label),
            cs_view_buf(&header), plain, NULL, NULL) != CS_OK)
        abort();
    envelope = (cs_envelope){
        .suite = c.suite, .time = CAST_START, .enc = CS_VIEW_ARRAY(enc), .ct = cs_view_buf(&ct)};
    if (cs_encode_as(out, &cs_envelope_schema, label, &envelope, NULL) != CS_OK)
        abort();
    cs_buf_free(&header);
    cs_buf_free(&ct);
}

static void to_pc(const char *label, cs_view bytes)
{
    cs_registration registration;
    cs_publication publication;
    cs_query query;
    int rc;

    c.pc.memory.seen_count = 0;
    if (strcmp(label, "chartseal/1 R1") == 0)
        rc = cs_register_open(&registration, &c.pc.party, &c.pc.env, bytes, NULL);
    else if (strcmp(label, "chartseal/1 S1") == 0)
        rc = cs_query_open(&query, &c.pc.party, &c.pc.env, bytes, NULL);
    else
        rc = cs_publication_open(&publication, &c.pc.party, &c.pc.env, bytes, NULL);
    if (rc == CS_OK) /* nobody here can sign */
        abort();
}

static void to_hospital(cs_view bytes)
{
    cs_query query;

    c.hospital.memory.seen_count = 0;
    if (cs_access_open(&query, &c.hospital.party, &c.hospital.env, bytes, NULL) == CS_OK)
        abort();
}

static void to_doctor(cs_view bytes)
{
    cs_visit_d *visit = NULL;
    cs_buf m0 = {0};
    cs_buf m2 = {0};

    c.doctor.memory.seen_count = 0;
    if (cs_visit_d_new(&visit, &c.doctor.party, "", &m0, NULL) != CS_OK ||
        cs_visit_d_m1(visit, &c.doctor.env, bytes, &m2, NULL) == CS_OK)
        abort();
    cs_visit_d_free(&visit);
    cs_buf_free(&m0);
    cs_buf_free(&m2);
}

static void to_patient(cs_view bytes)
{
    cs_visit_p *visit = NULL;

    /* M0 is public: whoever has a doctor's credential and certificate may show them */
    if (cs_visit_p_new(&visit, &c.patient.party, &c.patient.env, bytes, NULL) == CS_OK)
        cs_visit_p_free(&visit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const labels[] = {
        "chartseal/1 R1", "chartseal/1 S1", "chartseal/1 P1", "chartseal/1 S3", "chartseal/1 M1"};
    const size_t count = sizeof labels / sizeof labels[0];
    size_t which;
    cs_view bytes;
    cs_buf sealed = {0};

    prepare();
    if (size < 1)
        return 0;
    which = data[0] % (count + 1);
    bytes = (cs_view){data + 1, size - 1};
    if (which < count && data[0] >= 128 && size > 1) {
        const uint8_t *puk = which < 3    ? c.cloud.puk_decrypt
                             : which == 3 ? c.hospital.credential.puk_decrypt
                                          : c.doctor.credential.puk_decrypt;

        seal(&sealed, labels[which], puk, bytes);
        bytes = cs_view_buf(&sealed);
    }
    if (which < 3)
        to_pc(labels[which], bytes);
    else if (which == 3)
        to_hospital(bytes);
    else if (which == 4)
        to_doctor(bytes);
    else
        to_patient(bytes);
    cs_buf_free(&sealed);
    return 0;
}

/* Seeds: real insides with a signature that is none. */
size_t fuzz_seed(size_t n, uint8_t *out, size_t room)
{
    static const uint8_t nothing[CS_SIGNATURE_SIZE] = {1};
    const cs_view signature = CS_VIEW_ARRAY(nothing);
    cs_view point;
    const uint8_t kinds[] = {231 /* S3 */, 232 /* M1 */, 229 /* S1 */, 5 /* M0 */};
    cs_buf bytes = {0};
    size_t size;
    int rc;

    prepare();
    point = cs_point_view(&c.cloud.pk);
    if (n >= sizeof kinds) {
        cast_close(&c);
        return 0;
    }
    if (n == 0)
        rc = cs_encode(&bytes, &cs_cd3_schema,
            &(cs_cd3){.credential_d = cs_credential_view(&c.doctor.credential),
                .cert_d = c.doctor.party.certificate,
                .t_d3 = CAST_START,
                .id_d = cs_view_str(c.doctor.id),
                .r_d3 = point,
                .r_d1 = cs_point_view(&c.doctor.credential.r1),
                .id_p = cs_view_str(c.patient.id),
                .id_de = cs_view_str("d"),
                .referral = signature,
                .reason = cs_view_str("r"),
                .sig_d3 = signature},
            NULL);
    else if (n == 1)
        rc = cs_encode(&bytes, &cs_cp1_schema,
            &(cs_cp1){.credential_p = cs_credential_view(&c.patient.credential),
                .r_p2 = point,
                .t_p1 = CAST_START,
                .sig_p1 = signature},
            NULL);
    else if (n == 2)
        rc = cs_encode(&bytes, &cs_cd2_schema,
            &(cs_cd2){.id_p = cs_view_str(c.patient.id),
                .t_d2 = CAST_START,
                .id_d = cs_view_str(c.doctor.id),
                .credential_d = cs_credential_view(&c.doctor.credential),
                .cert_d = c.doctor.party.certificate,
                .id_de = cs_view_str("d"),
                .reason = cs_view_str("r"),
                .sig_d2 = signature},
            NULL);
    else
        rc = cs_encode(&bytes, &cs_station_schema,
            &(cs_station){.credential_d = cs_credential_view(&c.doctor.credential),
                .cert_d = c.doctor.party.certificate,
                .ocsp = signature},
            NULL);
    if (rc != CS_OK || bytes.n >= room)
        abort();
    out[0] = kinds[n];
    memcpy(out + 1, bytes.p, bytes.n);
    size = bytes.n + 1;
    cs_buf_free(&bytes);
    return size;
}
