/* SPDX-License-Identifier: Apache-2.0 */
#include "cast.h"

#include <stdio.h>
#include <string.h>

static int seen(
    void *context, const uint8_t hash[CS_HASH_SIZE], int64_t until, bool *fresh, cs_error *error)
{
    cast_memory *memory = context;

    (void)until;
    *fresh = true;
    for (size_t i = 0; i < memory->seen_count; i++) {
        if (memcmp(memory->seen[i], hash, CS_HASH_SIZE) == 0)
            *fresh = false;
    }
    if (memory->seen_count == CAST_SEEN_MAX)
        return CS_FAIL(error, CS_E_INTERNAL, "the test's memory is full");
    memcpy(memory->seen[memory->seen_count++], hash, CS_HASH_SIZE);
    return CS_OK;
}

static int revoked(void *context, uint64_t serial, bool *is_revoked, cs_error *error)
{
    const cast_memory *memory = context;

    (void)error;
    *is_revoked = false;
    for (size_t i = 0; i < memory->revoked_count; i++) {
        if (memory->revoked[i] == serial)
            *is_revoked = true;
    }
    return CS_OK;
}

int cast_serial(void *context, uint64_t *serial, cs_error *error)
{
    cast *c = context;

    (void)error;
    *serial = ++c->serial;
    return CS_OK;
}

static int sign_with(void *context, const uint8_t digest[CS_HASH_SIZE],
    uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error)
{
    return cs_key_sign(context, digest, signature, error);
}

static cs_view public_of(const cs_key *key)
{
    const cs_key_info *info = cs_key_describe(key);

    return (cs_view){info->public_key, info->public_key_size};
}

static void open_actor(cast *c, cast_actor *actor, const char *id, cs_role role, cast_token_fn make)
{
    actor->id = id;
    actor->role = role;
    actor->token = make(id);
    assert_non_null(actor->token);
    assert_ok(cs_key_generate(&actor->sign, actor->token, "sign", CS_USE_SIGN, c->suite, error));
    assert_ok(
        cs_key_generate(&actor->decrypt, actor->token, "decrypt", CS_USE_AGREE, c->suite, error));
    actor->env = (cs_env){.now = CAST_START,
        .delta_t = CS_DELTA_T_DEFAULT,
        .seen = seen,
        .revoked = revoked,
        .context = &actor->memory};
    actor->party = (cs_party){.cloud = &c->cloud, .sign = actor->sign, .decrypt = actor->decrypt};
}

static cast_actor *nth_actor(cast *c, size_t i)
{
    cast_actor *all[CAST_ACTORS] = {&c->authority, &c->pc, &c->hospital, &c->doctor, &c->patient,
        &c->other_doctor, &c->other_patient, &c->other_hospital, &c->telecare};

    return i < CAST_ACTORS ? all[i] : NULL;
}

static void share_trust(cast *c, cs_view crl)
{
    cs_buf pem = {0};

    cs_trust_free(&c->trust);
    assert_ok(cs_pem_encode(&pem, "CERTIFICATE", cs_view_buf(&c->ca), error));
    assert_ok(cs_trust_new(&c->trust, cs_view_buf(&pem), crl, error));
    for (size_t i = 0; nth_actor(c, i) != NULL; i++)
        nth_actor(c, i)->env.trust = c->trust;
    cs_buf_free(&pem);
}

static void open_authority(cast *c, cast_token_fn make)
{
    const cs_subject subject = {.common_name = "Test Medical Authority"};

    open_actor(c, &c->authority, "authority", (cs_role)0, make);
    assert_ok(cs_ca_make(&c->ca, &subject, public_of(c->authority.sign), CAST_START - CAST_YEAR,
        CAST_START + 9 * CAST_YEAR, sign_with, c->authority.sign, error));
    share_trust(c, (cs_view){0});
}

void cast_certify(cast *c, cast_actor *actor, int64_t not_before, int64_t not_after)
{
    static uint8_t number;
    const cs_subject subject = {
        .common_name = actor->id, .role = cs_role_name(actor->role), .id = actor->id};
    const uint8_t serial[8] = {1, 2, 3, 4, 5, 6, 7, ++number};

    cs_buf_clear(&actor->certificate);
    assert_ok(cs_certificate_issue(&actor->certificate, cs_view_buf(&c->ca), &subject,
        public_of(actor->sign), serial, not_before, not_after, sign_with, c->authority.sign,
        error));
    actor->party.certificate = cs_view_buf(&actor->certificate);
}

void cast_revoke_certificate(cast *c, cast_actor *actor)
{
    cs_revocation revocation = {.time_ms = CAST_START};
    cs_buf crl = {0};
    cs_buf pem = {0};

    assert_ok(cs_certificate_serial(cs_view_buf(&actor->certificate), revocation.serial, error));
    assert_ok(cs_crl_issue(&crl, cs_view_buf(&c->ca), &revocation, 1, 1, CAST_START - 1000,
        CAST_START + CAST_YEAR, sign_with, c->authority.sign, error));
    assert_ok(cs_pem_encode(&pem, "X509 CRL", cs_view_buf(&crl), error));
    share_trust(c, cs_view_buf(&pem));
    cs_buf_free(&crl);
    cs_buf_free(&pem);
}

static void open_pc(cast *c, cast_token_fn make)
{
    cs_buf parameters = {0};
    cast_actor *pc = &c->pc;

    open_actor(c, pc, CAST_CLOUD, (cs_role)0, make);
    assert_ok(cs_key_generate(&pc->issue, pc->token, "master", CS_USE_ISSUE, c->suite, error));
    assert_ok(cs_key_generate(&pc->storage, pc->token, "storage", CS_USE_PRF, c->suite, error));
    pc->party.issue = pc->issue;
    pc->party.storage = pc->storage;
    c->cloud.suite = c->suite;
    (void)snprintf(c->cloud.id, sizeof c->cloud.id, "%s", pc->id);
    assert_ok(cs_point_decode(&c->cloud.pk, c->suite, public_of(pc->issue), error));
    assert_ok(cs_p256_compress(c->cloud.puk_sign, public_of(pc->sign), error));
    assert_ok(cs_p256_compress(c->cloud.puk_decrypt, public_of(pc->decrypt), error));
    assert_ok(cs_cloud_publish(&parameters, &c->cloud, pc->sign, error));
    memset(&c->cloud, 0, sizeof c->cloud);
    assert_ok(cs_cloud_parse(&c->cloud, cs_view_buf(&parameters), error));
    pc->env.trust = c->trust;
    cs_buf_free(&parameters);
}

int cast_register(cast *c, cast_actor *actor, cs_buf *r1, cs_buf *r2, cs_error *error)
{
    static const uint8_t b[CS_HASH_SIZE] = "a biometric binding of 32 bytes";
    static const uint8_t code[CS_CODE_SIZE] = "an enrolment one";
    cs_registering_input input = {.role = actor->role,
        .id = actor->id,
        .token = actor->token,
        .label = "scalar",
        .binding = {b, actor->role == CS_ROLE_PATIENT ? sizeof b : 0},
        .code = {code, actor->role == CS_ROLE_DOCTOR ? 0 : sizeof code}};
    cs_registering *registering = NULL;
    cs_registration registration;
    cs_credential issued;
    cs_buf own_r1 = {0};
    cs_buf own_r2 = {0};
    int rc;

    r1 = r1 == NULL ? &own_r1 : r1;
    r2 = r2 == NULL ? &own_r2 : r2;
    rc = cs_registering_begin(&registering, &actor->party, &actor->env, &input, r1, error);
    if (rc == CS_OK)
        rc = cs_register_open(&registration, &c->pc.party, &c->pc.env, cs_view_buf(r1), error);
    if (rc == CS_OK)
        rc = cs_register_issue(&c->pc.party, &c->pc.env, &registration, c->pc.env.now - CAST_HOUR,
            c->pc.env.now + CAST_YEAR, cast_serial, c, &issued, r2, error);
    cs_key_close(&actor->scalar);
    cs_buf_clear(&actor->sealed);
    if (rc == CS_OK)
        rc = cs_registering_finish(registering, &actor->env, cs_view_buf(r2), &actor->credential,
            &actor->scalar, &actor->sealed, error);
    if (rc == CS_OK) {
        actor->party.credential = &actor->credential;
        actor->party.scalar = actor->scalar;
        actor->attested = registration.attested;
    }
    cs_registering_free(&registering);
    cs_buf_free(&own_r1);
    cs_buf_free(&own_r2);
    return rc;
}

static void open_member(
    cast *c, cast_actor *actor, const char *id, cs_role role, cast_token_fn make)
{
    open_actor(c, actor, id, role, make);
    actor->env.trust = c->trust;
    if (role != CS_ROLE_PATIENT)
        cast_certify(c, actor, CAST_START - CAST_YEAR, CAST_START + 3 * CAST_YEAR);
    assert_ok(cast_register(c, actor, NULL, NULL, error));
}

void cast_open(cast *c, cs_suite suite, cast_token_fn make)
{
    memset(c, 0, sizeof *c);
    c->suite = suite;
    open_authority(c, make);
    open_pc(c, make);
    open_member(c, &c->hospital, "hospital-north", CS_ROLE_HOSPITAL, make);
    open_member(c, &c->other_hospital, "hospital-south", CS_ROLE_HOSPITAL, make);
    open_member(c, &c->doctor, "dr-lindqvist", CS_ROLE_DOCTOR, make);
    open_member(c, &c->other_doctor, "dr-moreau", CS_ROLE_DOCTOR, make);
    open_member(c, &c->patient, "patient-4711", CS_ROLE_PATIENT, make);
    open_member(c, &c->other_patient, "patient-0815", CS_ROLE_PATIENT, make);
}

void cast_open_telecare(cast *c, cast_token_fn make)
{
    open_member(c, &c->telecare, "telecare-cloud", CS_ROLE_CLOUD, make);
    assert_ok(cs_key_generate(
        &c->telecare.storage, c->telecare.token, "storage", CS_USE_PRF, c->suite, error));
    c->telecare.party.storage = c->telecare.storage;
}

void cast_at(cast *c, int64_t now)
{
    for (size_t i = 0; nth_actor(c, i) != NULL; i++)
        nth_actor(c, i)->env.now = now;
}

void cast_close(cast *c)
{
    for (size_t i = 0; nth_actor(c, i) != NULL; i++) {
        cast_actor *actor = nth_actor(c, i);

        cs_key_close(&actor->scalar);
        cs_key_close(&actor->issue);
        cs_key_close(&actor->storage);
        cs_key_close(&actor->sign);
        cs_key_close(&actor->decrypt);
        cs_token_close(&actor->token);
        cs_buf_free(&actor->certificate);
        cs_buf_free(&actor->sealed);
    }
    cs_trust_free(&c->trust);
    cs_buf_free(&c->ca);
}

void cast_charge(cs_op_counts *account, cs_op_counts *last)
{
    cs_op_counts now = cs_ops_of_thread();

    *account = cs_ops_sum(*account, cs_ops_between(*last, now));
    *last = now;
}
