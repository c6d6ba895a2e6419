/* SPDX-License-Identifier: Apache-2.0 */

/* Issuance: C20's registration as a Schnorr signature with the master key (Eq. 2-10). */

#include "group_ops.h"

#include <chartseal/secret.h>

static int ops_for(const cs_group_ops **out, const cs_point *r, const cs_point *pk, cs_error *error)
{
    if (!cs_suite_known(pk->suite))
        return CS_FAIL(error, CS_E_VERSION, "the issuer's public key is of no known suite");
    if (r->suite != pk->suite)
        return CS_FAIL(error, CS_E_USAGE, "R and PK are of two groups");
    *out = pk->suite == CS_SUITE_ED25519 ? &cs_group_ed25519 : &cs_group_p256;
    return CS_OK;
}

int cs_issue_hash(cs_scalar *e, const cs_point *r, const cs_point *pk, cs_view m, cs_error *error)
{
    const cs_group_ops *ops;
    int rc = ops_for(&ops, r, pk, error);

    if (rc == CS_OK)
        rc = ops->issue_hash(e->b, r->b, pk->b, m, error);
    if (rc == CS_OK && !ops->scalar_valid(e->b))
        rc = CS_FAIL(error, CS_E_SCALAR, "the issuance hash is zero; issue again");
    return rc;
}

int cs_implicit_public(
    cs_point *y, const cs_point *r, const cs_point *pk, cs_view m, cs_error *error)
{
    cs_scalar e;
    cs_point e_pk;
    int rc = cs_issue_hash(&e, r, pk, m, error);

    if (rc == CS_OK)
        rc = cs_point_mul(&e_pk, &e, pk, error);
    if (rc == CS_OK)
        rc = cs_point_add(y, r, &e_pk, error);
    return rc;
}

int cs_issue_verify(const cs_scalar *s, const cs_point *r, const cs_point *pk, cs_view m,
    cs_point *y, cs_error *error)
{
    cs_point left;
    cs_point right;
    int rc = cs_implicit_public(&right, r, pk, m, error);

    if (rc == CS_OK)
        rc = cs_point_base_mul(&left, pk->suite, s, error);
    if (rc != CS_OK)
        return rc;
    if (!cs_point_equal(&left, &right))
        return CS_FAIL(error, CS_E_CREDENTIAL,
            "the private key does not fit the credential (S·P = R + e·PK); register again");
    if (y != NULL)
        *y = right;
    return CS_OK;
}

int cs_issue_software(cs_scalar *s_x, cs_point *r, const cs_scalar *master, const cs_point *pk,
    cs_view m, cs_error *error)
{
    const cs_group_ops *ops;
    cs_scalar *nonce = NULL;
    cs_scalar e;
    int rc = ops_for(&ops, pk, pk, error);

    if (rc != CS_OK)
        return rc;
    nonce = cs_secret_new(sizeof *nonce);
    if (nonce == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for the issuance nonce");
    rc = cs_scalar_random(nonce, pk->suite, error);
    if (rc == CS_OK)
        rc = cs_point_base_mul(r, pk->suite, nonce, error);
    if (rc == CS_OK)
        rc = cs_issue_hash(&e, r, pk, m, error);
    if (rc == CS_OK)
        rc = ops->issue_scalar(s_x->b, nonce->b, e.b, master->b, error);
    if (rc == CS_OK && !ops->scalar_valid(s_x->b))
        rc = CS_FAIL(error, CS_E_SCALAR, "the issued key is zero; issue again");
    cs_secret_free(&nonce);
    return rc;
}
