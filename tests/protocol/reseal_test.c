/* SPDX-License-Identifier: Apache-2.0 */
/* Every field of every message, its signature and its time, altered by somebody who can seal: who
 * sends it and lies, or who has read it and passes it on. The seal is in order each time, so what
 * refuses is the check behind it. (A seal broken on the way is refusal_test.)
 *
 * The program is linked with --wrap for the three functions through which all of it passes. */
#include "play.h"
#include "protocol/common.h"
#include "protocol/envelope.h"
#include "protocol/session.h"
#include "soft_token.h"
#include "wire/schema.h"

#include <string.h>

#define ITSELF "the time in the clear" /* of the envelope or head, and of nothing inside */
#define NOT_COMPARED CS_OK             /* the sender's own word: nothing to compare it with */

typedef struct lie {
    const char *label; /* of the message, or of what is signed by cs_signed_make */
    const char *field;
    cs_code code;
} lie;

static const lie lies[] = {
    {"chartseal/1 parameters", "signature", CS_E_SIGNATURE},
    {"chartseal/1 R1", "body", CS_E_SIGNATURE},
    {"chartseal/1 R1", "signature", CS_E_SIGNATURE},
    {"chartseal/1 R1", ITSELF, CS_E_STALE},
    {"chartseal/1 R2", "h_request", CS_E_RECIPIENT},
    {"chartseal/1 R2", "credential", CS_E_CREDENTIAL},
    {"chartseal/1 R2", "delivery", CS_E_PEER},
    {"chartseal/1 R2", "peer", CS_E_PEER},
    {"chartseal/1 R2", "activation", CS_E_PEER}, /* no endorsement key was shown */
    {"chartseal/1 R2", "secret", CS_E_CREDENTIAL},
    {"chartseal/1 R2", "time", CS_E_STALE},
    {"chartseal/1 R2", ITSELF, CS_E_STALE},
    {"chartseal/1 credential", "signature", CS_E_CREDENTIAL},
    {"chartseal/1 M1", "credential_p", CS_E_CREDENTIAL},
    {"chartseal/1 M1", "r_p2", CS_E_SIGNATURE},
    {"chartseal/1 M1", "t_p1", CS_E_STALE},
    {"chartseal/1 M1", "sig_p1", CS_E_SIGNATURE},
    {"chartseal/1 M1", ITSELF, CS_E_STALE},
    {"chartseal/1 M2", "id_d", CS_E_SIGNATURE},
    {"chartseal/1 M2", "cert_d", CS_E_SIGNATURE},
    {"chartseal/1 M2", "r_d1", CS_E_CREDENTIAL},
    {"chartseal/1 M2", "r_d2", CS_E_SIGNATURE},
    {"chartseal/1 M2", "tag_d", CS_E_SIGNATURE},
    {"chartseal/1 M2", "t_d1", CS_E_STALE},
    {"chartseal/1 M2", "sig_d1", CS_E_SIGNATURE},
    {"chartseal/1 M2", ITSELF, CS_E_STALE},
    {"chartseal/1 M3", "id_p", CS_E_CREDENTIAL},
    {"chartseal/1 M3", "t_p2", CS_E_STALE},
    {"chartseal/1 M3", "consent", CS_E_CREDENTIAL}, /* its end is the credential's signature */
    {"chartseal/1 M3", "media_type", NOT_COMPARED},
    {"chartseal/1 M3", "size", CS_E_TRUNCATED},
    {"chartseal/1 M3", ITSELF, CS_E_STALE},
    {"chartseal/1 consent", "signature", CS_E_SIGNATURE},
    {"chartseal/1 M4", "cert_d", CS_E_CERTIFICATE},
    {"chartseal/1 M4", "t_d5", CS_E_SIGNATURE},
    {"chartseal/1 M4", "id_de", CS_E_SIGNATURE},
    {"chartseal/1 M4", "media_type", CS_E_SIGNATURE},
    {"chartseal/1 M4", "size", CS_E_TRUNCATED},
    {"chartseal/1 M4", "sig_dinf", CS_E_SIGNATURE},
    {"chartseal/1 M4", ITSELF, NOT_COMPARED}, /* T_D5 is when D signed */
    {"chartseal/1 S1", "id_p", CS_E_SIGNATURE},
    {"chartseal/1 S1", "t_d2", CS_E_STALE},
    {"chartseal/1 S1", "id_d", CS_E_SIGNATURE},
    {"chartseal/1 S1", "credential_d", CS_E_CREDENTIAL},
    {"chartseal/1 S1", "cert_d", CS_E_CERTIFICATE},
    {"chartseal/1 S1", "ocsp", CS_E_CERTIFICATE},
    {"chartseal/1 S1", "id_de", CS_E_SIGNATURE},
    {"chartseal/1 S1", "consent", CS_E_SIGNATURE},
    {"chartseal/1 S1", "reason", CS_E_SIGNATURE},
    {"chartseal/1 S1", "sig_d2", CS_E_SIGNATURE},
    {"chartseal/1 S1", ITSELF, CS_E_STALE},
    {"chartseal/1 S2", "sig_c_body", CS_E_SIGNATURE},
    {"chartseal/1 S2", "sig_c", CS_E_SIGNATURE},
    {"chartseal/1 S2", "found", CS_E_SIGNATURE},
    {"chartseal/1 S2", "t_c", CS_E_STALE},
    {"chartseal/1 S2", ITSELF, CS_E_STALE},
    {"chartseal/1 SigC", "signature", CS_E_SIGNATURE},
    {"chartseal/1 S3", "credential_d", CS_E_CREDENTIAL},
    {"chartseal/1 S3", "cert_d", CS_E_CERTIFICATE},
    {"chartseal/1 S3", "ocsp", CS_E_CERTIFICATE},
    {"chartseal/1 S3", "t_d3", CS_E_STALE},
    {"chartseal/1 S3", "id_d", CS_E_CREDENTIAL},
    {"chartseal/1 S3", "r_d3", CS_E_SIGNATURE},
    {"chartseal/1 S3", "r_d1", CS_E_CREDENTIAL},
    {"chartseal/1 S3", "id_p", CS_E_SIGNATURE},
    {"chartseal/1 S3", "id_de", CS_E_SIGNATURE},
    {"chartseal/1 S3", "referral", CS_E_SIGNATURE},
    {"chartseal/1 S3", "consent", CS_E_SIGNATURE},
    {"chartseal/1 S3", "reason", CS_E_SIGNATURE},
    {"chartseal/1 S3", "sig_d3", CS_E_SIGNATURE},
    {"chartseal/1 S3", ITSELF, CS_E_STALE},
    {"chartseal/1 S4", "id_hpc", CS_E_SIGNATURE},
    {"chartseal/1 S4", "tag_hpc", CS_E_SIGNATURE},
    {"chartseal/1 S4", "t_hpc1", CS_E_STALE},
    {"chartseal/1 S4", "r_hpc2", CS_E_SIGNATURE},
    {"chartseal/1 S4", "sig_hpc1", CS_E_SIGNATURE},
    {"chartseal/1 S4", ITSELF, CS_E_STALE},
    {"chartseal/1 S5", "id_p", CS_E_RECIPIENT},
    {"chartseal/1 S5", "id_d", CS_E_RECIPIENT},
    {"chartseal/1 S5", "t_d4", CS_E_STALE},
    {"chartseal/1 S5", "h_cert_d", CS_E_RECIPIENT},
    {"chartseal/1 S5", "record_id", NOT_COMPARED},
    {"chartseal/1 S5", ITSELF, CS_E_STALE},
    {"chartseal/1 S6", "t_hpc2", CS_E_STALE},
    {"chartseal/1 S6", "record_id", CS_E_RECIPIENT},
    {"chartseal/1 S6", "media_type", CS_E_SIGNATURE},
    {"chartseal/1 S6", "size", CS_E_TRUNCATED},
    {"chartseal/1 S6", "h_emr", CS_E_SIGNATURE},
    {"chartseal/1 S6", "stored_at", CS_E_SIGNATURE},
    {"chartseal/1 S6", "sig_emr", CS_E_SIGNATURE},
    {"chartseal/1 S6", "others", NOT_COMPARED},
    {"chartseal/1 S6", ITSELF, CS_E_STALE},
    {"chartseal/1 F1", "cert_d", CS_E_CERTIFICATE},
    {"chartseal/1 F1", "t_d5", CS_E_SIGNATURE},
    {"chartseal/1 F1", "id_de", CS_E_RECIPIENT},
    {"chartseal/1 F1", "media_type", CS_E_SIGNATURE},
    {"chartseal/1 F1", "size", CS_E_TRUNCATED},
    {"chartseal/1 F1", "sig_dinf", CS_E_SIGNATURE},
    {"chartseal/1 F1", ITSELF, NOT_COMPARED}, /* likewise; test_filing_date */
    {"chartseal/1 F2", "time", CS_E_STALE},
    {"chartseal/1 F2", "record_id", NOT_COMPARED},
    {"chartseal/1 F2", ITSELF, CS_E_STALE},
    {"chartseal/1 P1", "body", CS_E_SIGNATURE},
    {"chartseal/1 P1", "signature", CS_E_SIGNATURE},
    {"chartseal/1 P1", ITSELF, CS_E_STALE},
};
#define LIE_COUNT (sizeof lies / sizeof lies[0])

/* The time inside and the one in the clear, both, so that they agree: it is among what is signed.
 */
static const lie dated[] = {
    {"chartseal/1 M1", "t_p1", CS_E_SIGNATURE},
    {"chartseal/1 M2", "t_d1", CS_E_SIGNATURE},
    {"chartseal/1 S1", "t_d2", CS_E_SIGNATURE},
    {"chartseal/1 S2", "t_c", CS_E_STALE}, /* SigC has its own, compared */
    {"chartseal/1 S3", "t_d3", CS_E_SIGNATURE},
    {"chartseal/1 S4", "t_hpc1", CS_E_SIGNATURE},
};

static cast c;
static play p;
static const lie *told; /* NULL: everybody is honest */
static bool both_times;
static bool was_told;

/* -- the liar ------------------------------------------------------------------------------------
 */

/* What is altered in a copy of a message's struct points here. */
static uint8_t altered[CS_MESSAGE_MAX];

static cs_view alter_view(const cs_field *field, cs_view view)
{
    /* a point is exchanged for another one: what is no point would not decode */
    if (strncmp(field->name, "r_", 2) == 0)
        return cs_point_view(&c.other_hospital.credential.y);
    if (view.n == 0)
        return cs_view_str("x");
    assert_true(view.n <= sizeof altered);
    memcpy(altered, view.p, view.n);
    altered[view.n - 1] ^= 1;
    return (cs_view){altered, view.n};
}

static void alter_field(void *message, const cs_field *field)
{
    uint8_t *at = (uint8_t *)message + field->offset;
    uint64_t number;
    cs_view view;
    cs_list list;

    switch (field->kind) {
    case CS_FIELD_UINT:
        memcpy(&number, at, sizeof number);
        number++;
        memcpy(at, &number, sizeof number);
        break;
    case CS_FIELD_LIST:
        memcpy(&list, at, sizeof list);
        list.items[list.n - 1] = alter_view(field, list.items[list.n - 1]);
        memcpy(at, &list, sizeof list);
        break;
    case CS_FIELD_TEXT:
    case CS_FIELD_BYTES:
        memcpy(&view, at, sizeof view);
        view = alter_view(field, view);
        memcpy(at, &view, sizeof view);
        break;
    }
}

static bool is_of(const char *label)
{
    return told != NULL && !was_told && strcmp(told->label, label) == 0;
}

static bool is_listed(const char *label, const char *field)
{
    for (size_t i = 0; i < LIE_COUNT; i++) {
        if (strcmp(lies[i].label, label) == 0 && strcmp(lies[i].field, field) == 0)
            return true;
    }
    return false;
}

/* A field that is new in a message has to have its lie above. */
static void must_be_listed(const char *label, const cs_schema *schema)
{
    if (!is_listed(label, ITSELF))
        fail_msg("no lie about the time of %s", label);
    for (size_t i = 0; i < schema->count; i++) {
        if (!is_listed(label, schema->fields[i].name))
            fail_msg("no lie about %s of %s", schema->fields[i].name, label);
    }
}

/* The struct to be sealed: the honest one, or a copy in `room` with one field altered. */
static const void *tell(const char *label, const cs_schema *schema, const void *body, int64_t *time,
    void *room, size_t size)
{
    must_be_listed(label, schema);
    if (!is_of(label))
        return body;
    assert_true(schema->size <= size);
    memcpy(room, body, schema->size);
    for (size_t i = 0; i < schema->count; i++) {
        if (strcmp(schema->fields[i].name, told->field) == 0) {
            alter_field(room, &schema->fields[i]);
            was_told = true;
        }
    }
    if (both_times || strcmp(told->field, ITSELF) == 0) {
        ++*time;
        was_told = true;
    }
    return room;
}

/* The linker's --wrap makes these names. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __real_cs_envelope_seal(cs_buf *out, const char *label, cs_suite suite, int64_t time,
    const uint8_t puk[CS_PUK_SIZE], const cs_schema *schema, const void *body,
    uint8_t *export_secret, cs_error *error);
int __wrap_cs_envelope_seal(cs_buf *out, const char *label, cs_suite suite, int64_t time,
    const uint8_t puk[CS_PUK_SIZE], const cs_schema *schema, const void *body,
    uint8_t *export_secret, cs_error *error);
int __real_cs_session_put(cs_session *session, const char *label, int64_t now,
    const cs_schema *schema, const void *body, uint64_t size, cs_buf *head, cs_buf *chunk,
    bool *final, cs_bulk **bulk, cs_error *error);
int __wrap_cs_session_put(cs_session *session, const char *label, int64_t now,
    const cs_schema *schema, const void *body, uint64_t size, cs_buf *head, cs_buf *chunk,
    bool *final, cs_bulk **bulk, cs_error *error);
int __real_cs_signed_make(
    cs_buf *out, cs_key *key, const cs_schema *schema, const void *body, cs_error *error);
int __wrap_cs_signed_make(
    cs_buf *out, cs_key *key, const cs_schema *schema, const void *body, cs_error *error);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

int __wrap_cs_envelope_seal(cs_buf *out, const char *label, cs_suite suite, int64_t time,
    const uint8_t puk[CS_PUK_SIZE], const cs_schema *schema, const void *body,
    uint8_t *export_secret, cs_error *error)
{
    _Alignas(max_align_t) uint8_t room[1024];

    body = tell(label, schema, body, &time, room, sizeof room);
    return __real_cs_envelope_seal(
        out, label, suite, time, puk, schema, body, export_secret, error);
}

int __wrap_cs_session_put(cs_session *session, const char *label, int64_t now,
    const cs_schema *schema, const void *body, uint64_t size, cs_buf *head, cs_buf *chunk,
    bool *final, cs_bulk **bulk, cs_error *error)
{
    _Alignas(max_align_t) uint8_t room[1024];

    body = tell(label, schema, body, &now, room, sizeof room);
    return __real_cs_session_put(
        session, label, now, schema, body, size, head, chunk, final, bulk, error);
}

/* Signed by the right party, and then the signature is not the one. */
int __wrap_cs_signed_make(
    cs_buf *out, cs_key *key, const cs_schema *schema, const void *body, cs_error *error)
{
    int rc = __real_cs_signed_make(out, key, schema, body, error);

    if (rc == CS_OK && is_of(schema->label)) {
        out->p[out->n - 1] ^= 1; /* the signature stands last */
        was_told = true;
    }
    return rc;
}

/* -- the play ------------------------------------------------------------------------------------
 */

static int publish(cs_error *error)
{
    cs_publishing publishing;
    cs_publication publication;
    cs_buf p1 = {0};
    int rc = cs_publishing_begin(&publishing, &c.hospital.party, &c.hospital.env, c.patient.id,
        PLAY_DEPARTMENT, "http://127.0.0.1:1", &p1, error);

    if (rc == CS_OK)
        rc = cs_publication_open(&publication, &c.pc.party, &c.pc.env, cs_view_buf(&p1), error);
    cs_buf_free(&p1);
    return rc;
}

static int take_parameters(cs_error *error)
{
    cs_buf bytes = {0};
    cs_cloud cloud;
    int rc = cs_cloud_publish(&bytes, &c.cloud, c.pc.sign, error);

    if (rc == CS_OK)
        rc = cs_cloud_parse(&cloud, cs_view_buf(&bytes), error);
    cs_buf_free(&bytes);
    return rc;
}

/* Everything in which the label may come by. */
static int play_for(const char *label, cs_error *error)
{
    int rc = CS_OK;

    c.pc.memory.seen_count = 0;
    if (strstr(label, " R") != NULL || strcmp(label, "chartseal/1 credential") == 0)
        rc = cast_register(&c, &c.other_patient, NULL, NULL, error);
    else if (strcmp(label, "chartseal/1 P1") == 0)
        rc = publish(error);
    else if (strcmp(label, "chartseal/1 parameters") == 0)
        rc = take_parameters(error);
    else
        rc = play_visit(&p, error);
    return rc;
}

static void must_refuse(const lie *l)
{
    cs_error error = {0};
    int rc;

    told = l;
    was_told = false;
    rc = play_for(l->label, &error);
    if (!was_told)
        fail_msg("%s, %s: never came by", l->label, l->field);
    if (rc != (int)l->code)
        fail_msg("%s, %s: wanted %s, got %s (%s)", l->label, l->field, cs_code_name(l->code),
            cs_code_name(rc), error.message);
    told = NULL;
}

static void test_lies(void **state)
{
    (void)state;
    cast_open(&c, CS_SUITE_ED25519, make_soft);
    play_open(&p, &c);
    for (size_t i = 0; i < LIE_COUNT; i++) {
        if (lies[i].code != NOT_COMPARED)
            must_refuse(&lies[i]);
    }
    both_times = true;
    for (size_t i = 0; i < sizeof dated / sizeof dated[0]; i++)
        must_refuse(&dated[i]);
    both_times = false;
    /* all honest: so it was the lie each time */
    assert_ok(play_for("chartseal/1 R1", error));
    assert_ok(play_for("chartseal/1 M1", error));
    assert_ok(play_for("chartseal/1 P1", error));
    assert_ok(play_for("chartseal/1 parameters", error));
    play_close(&p);
    cast_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
