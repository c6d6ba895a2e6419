/* SPDX-License-Identifier: Apache-2.0 */
/* Every field of every message of telecare altered by somebody who can seal and sign: who sends it
 * and lies. The seals are in order each time, so what refuses is the check behind them. (A seal
 * broken on the way is telecare_refusal_test.)
 *
 * The program is linked with --wrap for the functions through which all of it passes. */
#include "protocol/envelope.h"
#include "protocol/telecare.h"
#include "soft_token.h"
#include "telecare_play.h"
#include "wire/schema.h"

#include <string.h>

#define NOT_COMPARED CS_OK /* the sender's own word: nothing to compare it with */

typedef struct lie {
    const char *label;
    size_t nth; /* of those that come by in a run */
    const char *field;
    cs_code code;
} lie;

static const lie lies[] = {
    {"CT1", 1, "credential_x", CS_E_CREDENTIAL}, {"CT1", 1, "cert_x", CS_E_CERTIFICATE},
    {"CT1", 1, "ocsp", CS_E_CERTIFICATE}, {"CT1", 1, "t_x", CS_E_STALE},
    {"CT1", 1, "r_x", CS_E_SIGNATURE}, {"CT1", 1, "sig_t1", CS_E_SIGNATURE},
    {"SigT1", 1, "pk", CS_E_SIGNATURE}, {"SigT1", 1, "t_x", CS_E_SIGNATURE},
    {"SigT1", 1, "id_x", CS_E_SIGNATURE}, {"SigT1", 1, "r_x", CS_E_SIGNATURE},
    {"SigT1", 1, "id_c", CS_E_SIGNATURE}, {"CT2", 1, "t_c", CS_E_STALE},
    {"CT2", 1, "r_c", CS_E_SIGNATURE}, {"CT2", 1, "tag_c", CS_E_SIGNATURE},
    {"CT2", 1, "sig_t2", CS_E_SIGNATURE}, {"SigT2", 1, "pk", CS_E_SIGNATURE},
    {"SigT2", 1, "t_c", CS_E_SIGNATURE}, {"SigT2", 1, "id_c", CS_E_SIGNATURE},
    {"SigT2", 1, "id_x", CS_E_SIGNATURE}, {"SigT2", 1, "r_x", CS_E_SIGNATURE},
    {"SigT2", 1, "r_c", CS_E_SIGNATURE}, {"SigT2", 1, "tag_c", CS_E_SIGNATURE},
    {"SigT2", 1, "h_t1", CS_E_SIGNATURE}, {"CT3", 1, "place", CS_E_NOT_FOUND},
    {"CT3", 1, "t_x", CS_E_STALE}, {"CT3", 1, "r_x", CS_E_DECRYPT}, {"CT4", 1, "t_c", CS_E_STALE},
    {"CT4", 1, "r_c", CS_E_DECRYPT}, {"CT4", 1, "tag_c", CS_E_DECRYPT},
    {"upload", 1, "time", CS_E_STALE}, {"upload", 1, "slot", CS_E_POLICY},
    {"upload", 1, "token", CS_E_MALFORMED}, {"upload", 1, "blocks", CS_E_TRUNCATED},
    {"upload", 1, "seals", CS_E_MALFORMED}, {"upload", 1, "ends", CS_E_RECIPIENT},
    {"upload", 1, "places", CS_E_NOT_FOUND}, /* of the copy, when it comes */
    {"upload", 2, "slot", CS_E_POLICY}, {"upload", 2, "token", CS_E_NOT_FOUND},
    {"upload", 2, "seals", NOT_COMPARED}, /* the last is the author's own */
    {"upload", 2, "ends", CS_E_MALFORMED}, {"upload", 2, "places", CS_E_MALFORMED},
    {"upload", 3, "seals", CS_E_RECIPIENT}, /* this one is the patient's */
    {"stored", 1, "time", CS_E_STALE}, {"stored", 1, "place", CS_E_RECIPIENT},
    {"stored", 1, "ends", CS_E_RECIPIENT}, {"fetch", 1, "time", CS_E_STALE},
    {"fetch", 1, "slot", CS_E_RECIPIENT}, {"fetch", 1, "place", CS_E_NOT_FOUND},
    {"fetched", 1, "time", CS_E_STALE}, {"fetched", 1, "place", CS_E_RECIPIENT},
    {"fetched", 1, "blocks", CS_E_TRUNCATED}, {"fetched", 1, "seals", CS_E_MALFORMED},
    /* what H tells P, and then D, in their letters */
    {"letter", 1, "suite", CS_E_VERSION}, {"letter", 1, "enc", CS_E_POINT},
    {"letter", 1, "ct", CS_E_RECIPIENT}, {"invitation", 1, "terms", CS_E_RECIPIENT},
    {"invitation", 1, "tokens", CS_E_RECIPIENT}, {"invitation", 1, "report_key", CS_E_DECRYPT},
    {"invitation", 1, "cert_d", CS_E_CERTIFICATE}, {"invitation", 2, "tokens", CS_E_RECIPIENT},
    {"invitation", 2, "report_key", CS_E_DECRYPT},
    {"invitation", 2, "cert_d", NOT_COMPARED}, /* she has her own */
    {"terms", 1, "suite", CS_E_VERSION}, {"terms", 1, "credential_h", CS_E_CREDENTIAL},
    {"terms", 1, "credential_p", CS_E_CREDENTIAL}, {"terms", 1, "credential_d", CS_E_CREDENTIAL},
    {"terms", 1, "credential_c", CS_E_CREDENTIAL}, {"terms", 1, "url", CS_E_RECIPIENT},
    {"terms", 1, "ends", CS_E_RECIPIENT}, {"terms", 1, "places", CS_E_RECIPIENT},
    {"terms", 2, "credential_h", CS_E_CREDENTIAL}, {"terms", 2, "credential_p", CS_E_CREDENTIAL},
    {"terms", 2, "credential_d", CS_E_CREDENTIAL}, {"terms", 2, "credential_c", CS_E_CREDENTIAL},
    {"terms", 2, "url", CS_E_RECIPIENT}, {"terms", 2, "ends", CS_E_RECIPIENT},
    {"terms", 2, "places", CS_E_RECIPIENT}, /* the copy's, of which she has no token */
    /* what the authors sign */
    {"statement", 1, "slot", CS_E_RECIPIENT}, {"statement", 1, "episode", CS_E_RECIPIENT},
    {"statement", 1, "id_h", CS_E_RECIPIENT}, {"statement", 1, "id_p", CS_E_RECIPIENT},
    {"statement", 1, "id_d", CS_E_RECIPIENT},
    {"statement", 1, "time", NOT_COMPARED}, /* within limits: telecare_refusal_test */
    {"statement", 1, "media_type", NOT_COMPARED}, {"statement", 1, "size", CS_E_SIGNATURE},
    {"statement", 1, "h_content", CS_E_SIGNATURE}, {"statement", 1, "previous", CS_E_RECIPIENT},
    {"statement", 2, "slot", CS_E_RECIPIENT}, {"statement", 2, "previous", CS_E_RECIPIENT},
    {"statement", 3, "episode", CS_E_RECIPIENT}, {"statement", 3, "previous", CS_E_RECIPIENT},
    /* and how a record begins: the last byte is of the signature, or of the certificate */
    {"front", 1, "statements", CS_E_SIGNATURE}, {"front", 1, "certificates", CS_E_CERTIFICATE},
    {"front", 2, "statements", CS_E_SIGNATURE},
    {"front", 2, "certificates", NOT_COMPARED}, /* a patient has none */
    {"front", 3, "statements", CS_E_SIGNATURE}, {"front", 3, "certificates", CS_E_CERTIFICATE},
    {"front", 4, "statements", CS_E_SIGNATURE}, /* of the copy */
    {"front", 4, "certificates", NOT_COMPARED}, /* was checked when the copy was made */
};
#define LIE_COUNT (sizeof lies / sizeof lies[0])

/* The time inside and the one in the clear, both, so that they agree: it is among what is signed.
 */
static const lie dated[] = {
    {"CT1", 1, "t_x", CS_E_SIGNATURE},
    {"CT2", 1, "t_c", CS_E_SIGNATURE},
};

static cast c;
static telecare_play p;
static const lie *told; /* NULL: everybody is honest */
static size_t passed;   /* messages of that label */
static bool both_times;
static bool was_told;

/* -- the liar ------------------------------------------------------------------------------------
 */

/* What is altered in a copy of a message's struct points here. */
static uint8_t altered[CS_MESSAGE_MAX];
static uint8_t room[2048];

static cs_view alter_view(const cs_field *field, cs_view view)
{
    /* a point is exchanged for another one: what is no point would not decode */
    if (strncmp(field->name, "r_", 2) == 0)
        return cs_point_view(&c.other_hospital.credential.y);
    if (view.n == 0)
        return cs_view_str("x");
    memcpy(altered, view.p, view.n);
    altered[view.n - 1] ^= 1;
    return (cs_view){altered, view.n};
}

static void alter_field(void *message, const cs_field *field)
{
    static const uint8_t no_seal[CS_RECORD_SEAL_SIZE] = {4};
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
        if (list.n == 0)
            list.items[list.n++] = CS_VIEW_ARRAY(no_seal);
        else
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

/* A field that is new in a message has to have its lie above. */
static void must_be_listed(const cs_schema *schema)
{
    const char *label = schema->label + strlen("chartseal/1 ");
    bool any = false;

    for (size_t j = 0; j < LIE_COUNT; j++)
        any = any || strcmp(lies[j].label, label) == 0;
    for (size_t i = 0; any && i < schema->count; i++) {
        bool listed = false;

        for (size_t j = 0; j < LIE_COUNT; j++)
            listed = listed || (strcmp(lies[j].label, label) == 0 &&
                                   strcmp(lies[j].field, schema->fields[i].name) == 0);
        if (!listed)
            fail_msg("no lie about %s of %s", schema->fields[i].name, label);
    }
}

/* Whether it is this message's turn to be altered. */
static bool is_turn(const char *label)
{
    return told != NULL && strcmp(told->label, label) == 0 && ++passed == told->nth;
}

/* The struct to be encoded: the honest one, or a copy with one field altered. */
static const void *tell(const cs_schema *schema, const void *body)
{
    assert_true(schema->size <= sizeof room);
    memcpy(room, body, schema->size);
    for (size_t i = 0; i < schema->count; i++) {
        if (strcmp(schema->fields[i].name, told->field) == 0) {
            alter_field(room, &schema->fields[i]);
            was_told = true;
        }
    }
    return room;
}

/* The linker's --wrap makes these names. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __real_cs_encode(cs_buf *out, const cs_schema *schema, const void *message, cs_error *error);
int __wrap_cs_encode(cs_buf *out, const cs_schema *schema, const void *message, cs_error *error);
int __real_cs_envelope_seal(cs_buf *out, const char *label, cs_suite suite, int64_t time,
    const uint8_t puk[CS_PUK_SIZE], const cs_schema *schema, const void *body,
    uint8_t *export_secret, cs_error *error);
int __wrap_cs_envelope_seal(cs_buf *out, const char *label, cs_suite suite, int64_t time,
    const uint8_t puk[CS_PUK_SIZE], const cs_schema *schema, const void *body,
    uint8_t *export_secret, cs_error *error);
int __real_cs_letter_seal(cs_buf *out, cs_suite suite, const uint8_t puk[CS_PUK_SIZE],
    const cs_invitation *invitation, cs_error *error);
int __wrap_cs_letter_seal(cs_buf *out, cs_suite suite, const uint8_t puk[CS_PUK_SIZE],
    const cs_invitation *invitation, cs_error *error);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

int __wrap_cs_encode(cs_buf *out, const cs_schema *schema, const void *message, cs_error *error)
{
    must_be_listed(schema);
    /* terms are told of in letters alone: H itself checks those that it makes */
    if (schema != &cs_terms_schema && is_turn(schema->label + strlen("chartseal/1 ")))
        message = tell(schema, message);
    return __real_cs_encode(out, schema, message, error);
}

int __wrap_cs_envelope_seal(cs_buf *out, const char *label, cs_suite suite, int64_t time,
    const uint8_t puk[CS_PUK_SIZE], const cs_schema *schema, const void *body,
    uint8_t *export_secret, cs_error *error)
{
    if (both_times && strcmp(schema->label + strlen("chartseal/1 "), told->label) == 0)
        time++;
    return __real_cs_envelope_seal(
        out, label, suite, time, puk, schema, body, export_secret, error);
}

int __wrap_cs_letter_seal(cs_buf *out, cs_suite suite, const uint8_t puk[CS_PUK_SIZE],
    const cs_invitation *invitation, cs_error *outer)
{
    cs_invitation false_one = *invitation;
    cs_buf bytes = {0};
    cs_terms terms;
    int rc;

    if (is_turn("terms")) {
        assert_ok(cs_decode(&cs_terms_schema, &terms, invitation->terms, error));
        assert_ok(
            __real_cs_encode(&bytes, &cs_terms_schema, tell(&cs_terms_schema, &terms), error));
        false_one.terms = cs_view_buf(&bytes);
    }
    rc = __real_cs_letter_seal(out, suite, puk, &false_one, outer);
    cs_buf_free(&bytes);
    return rc;
}

/* -- the play ------------------------------------------------------------------------------------
 */

static void must_refuse(const lie *l)
{
    cs_error error = {0};
    int rc;

    told = l;
    passed = 0;
    was_told = false;
    rc = telecare_run(&p, &error);
    if (rc == CS_OK)
        rc = telecare_read_copy(&p, &error);
    if (!was_told)
        fail_msg("%s %zu, %s: never came by", l->label, l->nth, l->field);
    if (rc != (int)l->code)
        fail_msg("%s %zu, %s: wanted %s, got %s (%s)", l->label, l->nth, l->field,
            cs_code_name(l->code), cs_code_name(rc), error.message);
    told = NULL;
}

static void test_lies(void **state)
{
    (void)state;
    cast_open(&c, CS_SUITE_ED25519, make_soft);
    cast_open_telecare(&c, make_soft);
    telecare_open(&p, &c);
    p.report.n = 100;
    p.measurement.n = 66000; /* two blocks */
    for (size_t i = 0; i < LIE_COUNT; i++)
        must_refuse(&lies[i]);
    both_times = true;
    for (size_t i = 0; i < sizeof dated / sizeof dated[0]; i++)
        must_refuse(&dated[i]);
    both_times = false;
    /* all honest: so it was the lie each time */
    assert_ok(telecare_run(&p, error));
    telecare_close(&p);
    cast_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
