/* SPDX-License-Identifier: Apache-2.0 */
#include "service/attestations.h"

#include "service/actor.h"
#include "service/cloud_register.h"

#include <chartseal/secret.h>

#include <stdio.h>
#include <string.h>

#define ROLE_NAME_MAX 15

/* The next name of a list with commas; false at its end. *roles moves on. */
static bool next_role(const char **roles, char name[ROLE_NAME_MAX + 1])
{
    size_t n = strcspn(*roles, ",");

    if (**roles == '\0')
        return false;
    (void)snprintf(name, ROLE_NAME_MAX + 1, "%.*s", (int)(n > ROLE_NAME_MAX ? 0 : n), *roles);
    *roles += n + ((*roles)[n] == ',' ? 1 : 0);
    return true;
}

int cs_attestation_check_roles(const char *roles, cs_error *error)
{
    char name[ROLE_NAME_MAX + 1];
    cs_role role;
    int rc = CS_OK;

    while (rc == CS_OK && next_role(&roles, name))
        rc = cs_role_from_name(&role, name, error);
    return rc;
}

int cs_attestation_admit(const cs_home *home, const cs_registration *who, cs_error *error)
{
    const char *roles = cs_home_text(home, "require_attestation");
    char name[ROLE_NAME_MAX + 1];
    bool required = false;
    int rc;

    if (roles == NULL)
        return CS_OK;
    rc = cs_attestation_check_roles(roles, error);
    if (rc != CS_OK)
        return CS_FAIL(error, CS_E_MALFORMED,
            "\"require_attestation\" of config.json names something that is no role; mend it");
    while (next_role(&roles, name))
        required = required || strcmp(name, cs_role_name(who->role)) == 0;
    if (required && who->attested < CS_ATTESTED_GENUINE)
        return CS_FAIL(error, CS_E_ATTESTATION,
            "a %s has to keep the keys in a TPM that a manufacturer of " CS_TPM_MAKERS_FILE
            " certified; what was shown is '%s'",
            cs_role_name(who->role), cs_attested_name(who->attested));
    return CS_OK;
}

/* The box is for this credential: a statement that is moved to another's row does not open. */
static void aad_of(uint8_t aad[CS_HASH_SIZE + 8], const cs_row_keys *identity, uint64_t serial)
{
    memcpy(aad, identity->row, CS_HASH_SIZE);
    for (int i = 0; i < 8; i++)
        aad[CS_HASH_SIZE + i] = (uint8_t)(serial >> (56 - 8 * i));
}

int cs_attestation_keep(cs_store *store, const cs_row_keys *identity, uint64_t serial,
    const cs_registration *who, cs_error *error)
{
    uint8_t aad[CS_HASH_SIZE + 8];
    cs_buf sealed = {0};
    int rc;

    if (who->attested == CS_ATTESTED_NOT)
        return CS_OK;
    aad_of(aad, identity, serial);
    rc = cs_box_seal(&sealed, identity->value, CS_VIEW_ARRAY(aad),
        (cs_view){who->attestation, who->attestation_size}, error);
    if (rc == CS_OK)
        rc = cs_store_put_attestation(
            store, serial, (unsigned)who->attested, cs_view_buf(&sealed), error);
    cs_buf_free(&sealed);
    return rc;
}

int cs_attestation_tell(cs_decision *decision, const cs_registration *who, cs_error *error)
{
    uint8_t h[CS_HASH_SIZE];
    char hex[2 * CS_HASH_SIZE + 1];
    int rc;

    if (who->attested == CS_ATTESTED_NOT)
        return CS_OK;
    rc = cs_hash(h, (cs_view){who->attestation, who->attestation_size}, error);
    if (rc != CS_OK)
        return rc;
    cs_hex(CS_VIEW_ARRAY(h), hex);
    (void)snprintf(decision->detail, sizeof decision->detail, "attested %s, h(attestation) %s",
        cs_attested_name(who->attested), hex);
    return CS_OK;
}

static int read_attestation(cs_attestation_found *out, cs_buf *said, cs_store *store,
    const cs_row_keys *keys, cs_error *error)
{
    uint8_t aad[CS_HASH_SIZE + 8];
    cs_credential_row row;
    cs_buf credential = {0};
    cs_buf sealed = {0};
    unsigned level = 0;
    int rc = cs_store_get_credential(store, keys->row, &row, &credential, error);

    if (rc == CS_OK)
        rc = cs_store_get_attestation(store, row.serial, &level, &sealed, error);
    if (rc == CS_OK && level > CS_ATTESTED_GENUINE)
        rc = CS_FAIL(error, CS_E_CORRUPT, "the database has an attestation of no known level");
    if (rc == CS_OK) {
        *out = (cs_attestation_found){row.serial, (cs_attested)level};
        aad_of(aad, keys, row.serial);
    }
    if (rc == CS_OK && level > 0)
        rc = cs_box_open(said, keys->value, CS_VIEW_ARRAY(aad), cs_view_buf(&sealed), error);
    cs_buf_free(&sealed);
    cs_buf_free(&credential);
    return rc;
}

int cs_attestation_find(cs_attestation_found *out, cs_buf *said, const cs_server *server,
    cs_worker *worker, cs_role role, const char *id, cs_error *error)
{
    cs_row_keys *keys = cs_secret_new(sizeof *keys);
    int rc;

    if (keys == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for an identity");
    rc = cs_identity_keys(keys, server->actor->party.storage, role, id, error);
    if (rc == CS_OK)
        rc = read_attestation(out, said, worker->store, keys, error);
    if (rc == CS_E_NOT_FOUND)
        rc =
            CS_FAIL(error, CS_E_NOT_FOUND, "no %s '%s' is registered here", cs_role_name(role), id);
    cs_secret_free(&keys);
    return rc;
}

int cs_attestation_report(json_t **out, cs_store *store, int64_t now, cs_error *error)
{
    json_t *report = json_object();
    int rc = CS_OK;

    for (unsigned level = 0; rc == CS_OK && level <= CS_ATTESTED_GENUINE; level++) {
        uint64_t count = 0;

        rc = cs_store_count_attested(store, level, now, &count, error);
        if (rc == CS_OK && json_object_set_new(report, cs_attested_name((cs_attested)level),
                               json_integer((json_int_t)count)) != 0)
            rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a report");
    }
    if (rc != CS_OK) {
        json_decref(report);
        report = NULL;
    }
    *out = report;
    return rc;
}
