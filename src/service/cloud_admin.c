/* SPDX-License-Identifier: Apache-2.0 */
#include "service/cloud_admin.h"

#include "service/cloud_register.h"

#include <chartseal/secret.h>

#include <stdio.h>
#include <string.h>

#define DAY_MS 86400000LL

static int public_key(uint8_t out[CS_PUK_SIZE], const cs_key *key, cs_error *error)
{
    const cs_key_info *info = cs_key_describe(key);

    return cs_p256_compress(out, (cs_view){info->public_key, info->public_key_size}, error);
}

int cs_cloud_found(const cs_home *home, const cs_actor *actor, cs_error *error)
{
    const cs_key_info *master = cs_key_describe(actor->issue);
    cs_cloud cloud = {.suite = home->suite};
    cs_buf parameters = {0};
    int rc = cs_point_decode(
        &cloud.pk, home->suite, (cs_view){master->public_key, master->public_key_size}, error);

    (void)snprintf(cloud.id, sizeof cloud.id, "%s", home->id);
    if (rc == CS_OK)
        rc = public_key(cloud.puk_sign, actor->sign, error);
    if (rc == CS_OK)
        rc = public_key(cloud.puk_decrypt, actor->decrypt, error);
    if (rc == CS_OK)
        rc = cs_cloud_publish(&parameters, &cloud, actor->sign, error);
    if (rc == CS_OK)
        rc = cs_home_write(home, "cloud.cbor", cs_view_buf(&parameters), error);
    cs_buf_free(&parameters);
    return rc;
}

/* The audit entry and the commit, or the rollback of what failed. */
static int settle(
    cs_worker *worker, cs_decision *decision, const cs_server *server, int rc, cs_error *error)
{
    (void)snprintf(decision->who, sizeof decision->who, "%s", server->home->id);
    decision->role = "cloud";
    return cs_decision_commit(decision, worker, rc, error);
}

int cs_cloud_enrol(const cs_server *server, cs_worker *worker, cs_role role, const char *id,
    int64_t days, const uint8_t code[CS_CODE_SIZE], cs_error *error)
{
    cs_decision decision = {.action = "enrol"};
    cs_row_keys *keys = cs_secret_new(sizeof *keys);
    int rc;

    if (keys == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for an enrolment");
    rc = cs_enrolment_keys(keys, server->actor->storage, role, id, code, error);
    if (rc == CS_OK)
        rc = cs_store_begin(worker->store, error);
    if (rc == CS_OK) {
        rc = cs_store_add_enrolment(
            worker->store, keys->row, worker->world.env.now + days * DAY_MS, error);
        (void)snprintf(decision.detail, sizeof decision.detail, "%s %s", cs_role_name(role), id);
        rc = settle(worker, &decision, server, rc, error);
    }
    cs_secret_free(&keys);
    return rc;
}

int cs_cloud_revoke_serial(
    const cs_server *server, cs_worker *worker, uint64_t serial, cs_error *error)
{
    cs_decision decision = {.action = "revoke"};
    int rc = cs_store_begin(worker->store, error);

    if (rc != CS_OK)
        return rc;
    rc = cs_store_revoke(worker->store, serial, worker->world.env.now, error);
    (void)snprintf(
        decision.detail, sizeof decision.detail, "credential %llu", (unsigned long long)serial);
    return settle(worker, &decision, server, rc, error);
}

int cs_cloud_revoke_party(const cs_server *server, cs_worker *worker, cs_role role, const char *id,
    uint64_t *serial, cs_error *error)
{
    cs_row_keys *keys = cs_secret_new(sizeof *keys);
    cs_credential_row row;
    cs_buf sealed = {0};
    int rc;

    if (keys == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for an identity");
    rc = cs_identity_keys(keys, server->actor->storage, role, id, error);
    if (rc == CS_OK)
        rc = cs_store_get_credential(worker->store, keys->row, &row, &sealed, error);
    if (rc == CS_E_NOT_FOUND)
        rc =
            CS_FAIL(error, CS_E_NOT_FOUND, "no %s '%s' is registered here", cs_role_name(role), id);
    if (rc == CS_OK) {
        *serial = row.serial;
        rc = cs_cloud_revoke_serial(server, worker, row.serial, error);
    }
    cs_secret_free(&keys);
    cs_buf_free(&sealed);
    return rc;
}

/* -- codes ---------------------------------------------------------------------------------------
 */

void cs_code_print(const uint8_t code[CS_CODE_SIZE], char text[CS_CODE_TEXT_SIZE])
{
    char hex[2 * CS_CODE_SIZE + 1];
    size_t n = 0;

    cs_hex((cs_view){code, CS_CODE_SIZE}, hex);
    for (size_t i = 0; i < 2 * (size_t)CS_CODE_SIZE; i++) {
        if (i > 0 && i % 4 == 0)
            text[n++] = '-';
        text[n++] = hex[i];
    }
    text[n] = '\0';
    cs_wipe(hex, sizeof hex);
}

int cs_code_parse(uint8_t code[CS_CODE_SIZE], const char *text, cs_error *error)
{
    char hex[2 * CS_CODE_SIZE + 1];
    cs_buf bytes = {0};
    size_t n = 0;
    int rc = CS_OK;

    for (; *text != '\0' && rc == CS_OK; text++) {
        if (*text == '-' || *text == ' ')
            continue;
        if (n == 2 * (size_t)CS_CODE_SIZE)
            rc = CS_E_MALFORMED;
        else
            hex[n++] = *text;
    }
    hex[n] = '\0';
    if (rc == CS_OK)
        rc = cs_unhex(&bytes, hex, NULL);
    if (rc == CS_OK && bytes.n == CS_CODE_SIZE)
        memcpy(code, bytes.p, CS_CODE_SIZE);
    else
        rc = CS_FAIL(error, CS_E_MALFORMED,
            "an enrolment code has 32 hex digits; copy it again, or ask for a new one");
    cs_buf_free(&bytes);
    cs_wipe(hex, sizeof hex);
    return rc;
}
