/* SPDX-License-Identifier: Apache-2.0 */
#include "service/cloud_register.h"

#include "service/attestations.h"
#include "service/cloud_service.h"

#include <chartseal/secret.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS 86400000LL
#define CREDENTIAL_DAYS_MAX 3650

int cs_enrolment_keys(cs_row_keys *out, cs_key *storage, cs_role role, const char *id,
    const uint8_t code[CS_CODE_SIZE], cs_error *error)
{
    char name[16 + CS_ID_MAX + 1];

    (void)snprintf(name, sizeof name, "%s:%s", cs_role_name(role), id);
    return cs_row_keys_for(
        out, storage, CS_TABLE_ENROLMENT, cs_view_str(name), (cs_view){code, CS_CODE_SIZE}, error);
}

int cs_identity_keys(
    cs_row_keys *out, cs_key *storage, cs_role role, const char *id, cs_error *error)
{
    return cs_row_keys_for(
        out, storage, CS_TABLE_IDENTITY, cs_view_str(cs_role_name(role)), cs_view_str(id), error);
}

static int lifetime(const cs_home *home, int64_t *ms, cs_error *error)
{
    const char *text = cs_home_text(home, "credential_days");
    char *end;
    long days;

    *ms = CS_CREDENTIAL_DAYS * DAY_MS;
    if (text == NULL)
        return CS_OK;
    days = strtol(text, &end, 10);
    if (*end != '\0' || days < 1 || days > CREDENTIAL_DAYS_MAX)
        return CS_FAIL(error, CS_E_MALFORMED,
            "\"credential_days\" of config.json is not within 1 to %d; mend it",
            CREDENTIAL_DAYS_MAX);
    *ms = days * DAY_MS;
    return CS_OK;
}

static int next_serial(void *context, uint64_t *serial, cs_error *error)
{
    return cs_store_next_serial(context, serial, error);
}

/* The keys of the rows that a registration touches, in guarded memory. */
typedef struct registration_rows {
    cs_row_keys enrolment;
    cs_row_keys identity;
} registration_rows;

static int find_rows(
    registration_rows *rows, cs_key *storage, const cs_registration *who, cs_error *error)
{
    int rc = CS_OK;

    if (who->has_code)
        rc = cs_enrolment_keys(&rows->enrolment, storage, who->role, who->id, who->code, error);
    else if (who->role != CS_ROLE_DOCTOR)
        rc = CS_FAIL(error, CS_E_ENROLMENT, "a %s registers with an enrolment code",
            cs_role_name(who->role));
    if (rc == CS_OK)
        rc = cs_identity_keys(&rows->identity, storage, who->role, who->id, error);
    return rc;
}

static int check_count(cs_worker *worker, const registration_rows *rows, cs_error *error)
{
    uint64_t live = 0;
    int rc = cs_store_live_credentials(
        worker->store, rows->identity.row, worker->world.env.now, &live, error);

    if (rc == CS_OK && live >= CS_CREDENTIALS_LIVE_MAX)
        rc = CS_FAIL(error, CS_E_POLICY,
            "that identity has %d credentials in force; revoke it, then give a code",
            CS_CREDENTIALS_LIVE_MAX);
    return rc;
}

/* Without a code, by Cert_D alone: a new identity, or the same keys again. What was revoked, or was
 * another's, needs the operator's word, which a code is: running consents name the identity. */
static int admit_by_certificate(
    cs_worker *worker, const registration_rows *rows, const cs_registration *who, cs_error *error)
{
    cs_credential_row row;
    cs_buf sealed = {0};
    cs_error ignored;
    int rc = cs_store_get_credential(worker->store, rows->identity.row, &row, &sealed, &ignored);

    cs_buf_free(&sealed);
    if (rc == CS_E_NOT_FOUND)
        return CS_OK;
    if (rc != CS_OK)
        return CS_FAIL(error, (cs_code)rc, "%s", ignored.message);
    if (memcmp(row.owner, who->owner, sizeof row.owner) != 0)
        return CS_FAIL(error, CS_E_TAKEN,
            "%s '%s' had other keys; see who it is, then give a code with `cloud enrol`",
            cs_role_name(who->role), who->id);
    if (row.revoked_at != 0)
        return CS_FAIL(error, CS_E_REVOKED,
            "%s '%s' was revoked; to admit it again give a code with `cloud enrol`",
            cs_role_name(who->role), who->id);
    return CS_OK;
}

static int keep_credential(cs_worker *worker, const registration_rows *rows,
    const cs_registration *who, const cs_credential *credential, cs_error *error)
{
    cs_credential_row row = {.serial = credential->serial, .not_after = credential->not_after};
    cs_buf sealed = {0};
    int rc;

    memcpy(row.id_key, rows->identity.row, sizeof row.id_key);
    memcpy(row.owner, who->owner, sizeof row.owner);
    rc = cs_box_seal(&sealed, rows->identity.value, CS_VIEW_ARRAY(rows->identity.row),
        cs_credential_view(credential), error);
    row.sealed = cs_view_buf(&sealed);
    if (rc == CS_OK)
        rc = cs_store_put_credential(worker->store, &row, worker->world.env.now, error);
    if (rc == CS_OK)
        rc = cs_attestation_keep(worker->store, &rows->identity, credential->serial, who, error);
    cs_buf_free(&sealed);
    return rc;
}

/* By a code, which becomes this owner's, who may come again with it; or by the certificate. In a
 * transaction of the caller's. */
static int admission(
    cs_worker *worker, const registration_rows *rows, const cs_registration *who, cs_error *error)
{
    int rc;

    if (who->has_code)
        rc = cs_store_use_enrolment(
            worker->store, rows->enrolment.row, who->owner, worker->world.env.now, error);
    else
        rc = admit_by_certificate(worker, rows, who, error);
    if (rc == CS_OK)
        rc = check_count(worker, rows, error);
    return rc;
}

/* Before the token is asked: who has no right to a credential costs no operation of it. */
static int admit(
    cs_worker *worker, const registration_rows *rows, const cs_registration *who, cs_error *error)
{
    int rc = cs_store_begin(worker->store, error);

    if (rc != CS_OK)
        return rc;
    rc = admission(worker, rows, who, error);
    if (rc == CS_OK)
        rc = cs_store_check_identity(
            worker->store, rows->identity.row, who->owner, worker->world.env.now, error);
    if (rc == CS_OK)
        return cs_store_commit(worker->store, error);
    cs_store_rollback(worker->store);
    return rc;
}

/* The code, the credential's row and the audit entry: all of it or nothing. Of two who were
 * admitted for one identity at once, the second is refused here, and what was issued for him is not
 * stored, which is as good as revoked. */
static int keep(cs_worker *worker, const registration_rows *rows, const cs_registration *who,
    const cs_credential *credential, cs_decision *decision, cs_error *error)
{
    int rc = cs_store_begin(worker->store, error);

    if (rc != CS_OK)
        return rc;
    rc = admission(worker, rows, who, error);
    if (rc == CS_OK)
        rc = keep_credential(worker, rows, who, credential, error);
    return cs_decision_commit(decision, worker, rc, error);
}

/* The token takes its time, so it is asked while nobody is kept from writing. */
static int register_party(cs_server *server, cs_worker *worker, const registration_rows *rows,
    const cs_registration *who, cs_decision *decision, cs_buf *r2, cs_error *error)
{
    const cs_env *env = &worker->world.env;
    cs_credential credential;
    int64_t life;
    int rc = lifetime(server->home, &life, error);

    if (rc == CS_OK)
        rc = admit(worker, rows, who, error);
    if (rc == CS_OK)
        /* from ΔT ago, so that a party whose clock is a little behind can use it at once */
        rc = cs_register_issue(&server->actor->party, env, who, env->now - env->delta_t,
            env->now + life, next_serial, worker->store, &credential, r2, error);
    if (rc == CS_OK)
        rc = keep(worker, rows, who, &credential, decision, error);
    return rc;
}

int cs_cloud_register(cs_server *server, cs_worker *worker, cs_view body, cs_decision *decision,
    cs_http_answer *answer, cs_error *error)
{
    const cs_party *pc = &server->actor->party;
    registration_rows *rows = cs_secret_new(sizeof *rows);
    cs_registration who = {0};
    int rc;

    if (rows == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a registration");
    rc = cs_register_open(&who, pc, &worker->world.env, body, error);
    if (rc == CS_OK) {
        cs_decision_party(decision, who.id, who.role);
        cs_decision_evidence(decision, who.h_request, who.signature);
        rc = cs_attestation_tell(decision, &who, error);
    }
    /* before a code is taken for spent: who comes again with a TPM has other keys */
    if (rc == CS_OK)
        rc = cs_attestation_admit(server->home, &who, error);
    if (rc == CS_OK)
        rc = find_rows(rows, pc->storage, &who, error);
    if (rc == CS_OK)
        rc = register_party(server, worker, rows, &who, decision, &answer->body, error);
    /* Anybody can make a key and sign with it: a patient is known by the code alone. */
    if ((rc == CS_E_ENROLMENT || rc == CS_E_ATTESTATION) && who.role == CS_ROLE_PATIENT)
        decision->has_evidence = false;
    cs_secret_free(&rows);
    cs_wipe(&who, sizeof who);
    return rc;
}
